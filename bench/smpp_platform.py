"""A Parley inside this process with a mapping of kind smpp, whose workers run as `parley up` runs them."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path

from bench.inside import URL, project_all
from bench.scene import MOST_ROOM
from bench.smpp_bare import TEXT, Listening
from bench.webhooks import customers
from domain.administration import MappingDraft
from domain.agents import AgentSettings
from domain.commands import Actor
from domain.desk import Start
from domain.facts import Fact, Outcome, SendSettled
from domain.mapping_settings import Kind, MappingSettings, Route, Status
from workers.process import collect_seldom
from workers.service import makers
from workers.settings import Settings
from workers.supervisor import Supervisor
from workers.wiring import Platform

ADMIN = Actor("admin", frozenset({"admin"}))
MAPPING = "SMPP-BENCH"
QUEUE = "SUPPORT"
NUMBERS = tuple(f"+1500555{number:04}" for number in range(6, 16))
WITHIN = 120.0  # seconds
LOOK_EVERY = 0.02


@contextmanager
def opened(
    folder: Path, smsc: Listening, window: int = 100, *, pool: Executor | None = None
) -> Iterator[tuple[Platform, "Kept"]]:
    """A platform on files of its own, with the mapping, bound to the SMSC; no worker runs yet."""
    collect_seldom()  # as every process of Parley does
    platform = Platform(Settings(data_dir=folder, public_url=URL), pool=pool, spooling=False)
    try:
        platform.catalogue.put_queue(ADMIN, QUEUE, QUEUE.title(), new=True)
        platform.mappings.add(ADMIN, _mapping(smsc, window))
        project_all(platform)
        kept = Kept(platform)
        platform.standing().step()
        wait_until(lambda: all(ok for ok, _ in platform.sender.connections().values()))
        yield platform, kept
    finally:
        platform.close()


def _mapping(smsc: Listening, window: int) -> MappingDraft:
    settings = MappingSettings(
        kind=Kind.SMPP,
        code=MAPPING,
        status=Status.ACTIVE,
        default_country="US",
        host=smsc.host,
        port=smsc.port,
        credentials={"user": smsc.system_id},
        # Receipts would be as many deliveries again: those are measured by themselves.
        options={"segments_per_second": 2000, "window": window, "receipts": False},
        routes=tuple(Route(address, address, skill_queue=QUEUE) for address in NUMBERS),
    )
    return MappingDraft(settings, {"password": smsc.password})


@contextmanager
def running(platform: Platform) -> Iterator[None]:
    """All workers, as `parley up` has them."""
    supervisor = Supervisor(makers(platform))
    supervisor.start()
    try:
        yield
    finally:
        supervisor.stop(WITHIN)


def add_agents(platform: Platform, conversations: int) -> list[str]:
    """As many agents as can have so many conversations in hand at once."""
    logins = [f"agent-{number}" for number in range(1, 2 + conversations // MOST_ROOM)]
    for login in logins:
        settings = AgentSettings(login, (QUEUE,), MOST_ROOM, wrap_up_seconds=0)
        platform.catalogue.put_agent(ADMIN, login, settings, new=True)
    return logins


def write_texts(platform: Platform, count: int) -> None:
    """Agents start so many conversations, each with a text that waits to be sent."""
    logins = add_agents(platform, count)
    for number, customer in enumerate(customers(count)):
        agent = Actor(logins[number // MOST_ROOM], frozenset({"agent"}))
        start = Start(NUMBERS[number % len(NUMBERS)], customer, TEXT, single=False)
        platform.desk.start(agent, start, f"text-{number}")
    project_all(platform)


class Kept:
    """Counts what is durable on the ingress log of a platform, from now on."""

    def __init__(self, platform: Platform) -> None:
        self.facts = 0
        self.outcomes: list[Outcome] = []
        accept = platform.ingress.accept

        def counting(facts: Sequence[Fact]) -> None:
            accept(facts)
            self.facts += len(facts)
            self.outcomes += [each.outcome for each in facts if isinstance(each, SendSettled)]

        platform.ingress.accept = counting  # type: ignore[method-assign]  # to look in from outside


def wait_until(condition: Callable[[], bool]) -> None:
    """Look now and then: whoever looks all the time is in the way. Raises TimeoutError."""
    until = time.monotonic() + WITHIN
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(f"it did not come about within {WITHIN:.0f} s")
        time.sleep(LOOK_EVERY)
