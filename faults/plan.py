"""Which faults come when: everything follows from the number of cycles and the seed."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from faults.cluster import COUNTS
from faults.points import all_points
from faults.provider import EARLY

PROVIDER = ("429", "500", "503", "hang", "reset-after", "garbage", EARLY)
DATABASE = ("postgres crash", "postgres kill", "lost commit", "postgres hold")
BROKER = ("broker kill", "broker stop", "broker freeze")
LONG = "broker long outage"
CRASH, KILL, ZOMBIE = "crash", "kill", "zombie"

TIMES_EACH = 3  # every crash point, in a run of at least so many cycles:
ALL_POINTS_FROM = 500
LONG_FROM = 100
LEASE = 15.0  # seconds
SHARES = {  # of the cycles that are not for crash points
    KILL: 0.24,
    ZOMBIE: 0.12,
    "postgres crash": 0.09,
    "postgres kill": 0.07,
    "lost commit": 0.14,
    "postgres hold": 0.06,
    "broker kill": 0.07,
    "broker stop": 0.06,
    "broker freeze": 0.15,
}
ALONGSIDE = 0.5  # of the cycles also have the provider go wrong
LONG_OUTAGES = 0.008  # of the cycles


@dataclass(frozen=True)
class Fault:
    """One fault: its kind, whom it befalls, and for how many seconds."""

    kind: str
    target: str = ""
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.kind} {self.target}".strip()


@dataclass(frozen=True)
class Cycle:
    """What goes wrong at once, and how long the load goes on after it."""

    number: int
    faults: tuple[Fault, ...]
    seconds: float


def required(cycles: int) -> set[str]:
    """The kinds of faults without which a run does not count."""
    kinds = {CRASH, *SHARES, *PROVIDER}
    return kinds | ({LONG} if cycles >= LONG_FROM else set()) if cycles >= len(SHARES) + 2 else {CRASH}


def make_plan(cycles: int, seed: int) -> list[Cycle]:
    """The cycles of a run."""
    chance = random.Random(f"{seed}:plan")
    main = _main_faults(cycles, chance)
    provider = [PROVIDER[place % len(PROVIDER)] for place in range(cycles)]
    chance.shuffle(provider)
    if cycles < 3 * len(PROVIDER):  # short: every kind comes early, two at once where need be
        provider = [*PROVIDER, *provider][:cycles]
    plan = []
    for number, fault in enumerate(main, 1):
        faults = [fault, *_company(fault)]
        short = cycles < 3 * len(PROVIDER)
        if short or chance.random() < ALONGSIDE:
            faults.append(Fault(provider[number - 1]))
        plan.append(Cycle(number, tuple(faults), chance.uniform(0.6, 2.0)))
    return plan


def _main_faults(cycles: int, chance: random.Random) -> list[Fault]:
    points = [each.name for each in all_points()]
    if cycles >= ALL_POINTS_FROM:
        crashes = points * TIMES_EACH
    else:
        reached = [each for each in points if each.split(":")[1] not in {"provider.find", "spool.moved"}]
        crashes = chance.sample(reached, min(len(reached), max(1, cycles // 4)))
    faults = [Fault(CRASH, each) for each in crashes]
    left = cycles - len(faults)
    kinds = list(SHARES)[: max(0, left)]
    if cycles >= LONG_FROM:
        kinds += [LONG] * max(1, round(LONG_OUTAGES * cycles))
    kinds += chance.choices(list(SHARES), list(SHARES.values()), k=left - len(kinds))
    faults += [_fault(kind, chance) for kind in kinds]
    chance.shuffle(faults)
    zombies = [each for each in faults if each.kind == ZOMBIE][:1]
    for zombie in zombies:  # first: it takes long to pass its lease
        faults.remove(zombie)
    return zombies + faults


def _fault(kind: str, chance: random.Random) -> Fault:
    if kind == KILL:
        return Fault(kind, chance.choice(_names()))
    if kind == ZOMBIE:
        return Fault(kind, chance.choice(_names()), LEASE + chance.uniform(1.5, 6.0))
    if kind == LONG:
        return Fault(kind, chance.choice(("kill", "stop", "freeze")), 60.0)
    if kind in BROKER:
        return Fault(kind, "", chance.uniform(0.5, 4.0))
    if kind == "postgres hold":
        return Fault(kind, "", chance.uniform(0.5, 3.0))
    return Fault(kind)


def _names() -> list[str]:
    return [f"{service}-{number}" for service, many in COUNTS.items() for number in range(1, many + 1)]


def _company(fault: Fault) -> Iterator[Fault]:
    """What some crash points are only passed in the company of."""
    if fault.kind == CRASH and ":spool." in fault.target:
        yield Fault("broker freeze", "", 4.0)
    if fault.kind == CRASH and ":provider.find" in fault.target:
        yield from (Fault("reset-after"), Fault("reset-after"))
