"""Measure whether cost grows with history: a thousand open conversations, then a hundred thousand.

python -m bench.history

The first are real: texts that were ingested, projected and routed. All others are copies of them that the
database makes (`bench.history_fill`). The same work on the real ones is measured before and after.
"""

import argparse
import itertools
import signal
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from bench.cluster import OUT, WIDTH, load_average
from bench.cluster_inside import begin_conversations, ingest_until_done, joined, work_off
from bench.cluster_servers import Servers
from bench.history_fill import Filling
from bench.inside import fill_log, opened_with
from bench.report import Aim, Measured, median, show, write
from bench.storage import timed
from bench.texts import made_up
from domain.commands import Actor
from projections.desk_queries import DeskQueries
from projections.lanes import LaneQueries
from workers.settings import Settings
from workers.wiring import Platform
from workers.worker import Worker

NAMESPACE = "history"
REAL = 1_000  # open conversations that are no copies
OPEN, EVENTS = 100_000, 2_000_000
ROUNDS = 5  # of which the quickest counts: what else the machine does only makes things slower
TEXTS = 2_000  # in each round
TIMES = 50  # in each round, of everything that is timed one by one
CHANGES = 100  # that a desk asks for
LANES = 50  # messages that dispatch looks for in a lane
AIM = Aim(0.8, of_ratio=True)  # the same rate, but for what else the machine does

Rates = dict[str, tuple[float, str]]


def main() -> None:
    """Measure, fill, measure again."""
    parser = argparse.ArgumentParser(prog="python -m bench.history", description="Does history cost?")
    parser.add_argument("--out", type=Path, default=OUT, help="where to write the list")
    parser.add_argument("--size", type=float, default=1.0, help="a part of the usual history, such as 0.1")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    measured = [load_average("before")]
    with Servers() as servers, console.status("measuring: history …"):
        measured += _measure(servers, int(given.size * OPEN), int(given.size * EVENTS))
    measured.append(load_average("after"))
    show(measured, console, "What history costs")
    write(measured, given.out, "history")
    console.print(f"written to {given.out}", soft_wrap=True, highlight=False)


def _measure(servers: Servers, conversations: int, events: int) -> list[Measured]:
    settings = servers.prepare(NAMESPACE)
    with opened_with(settings) as platform:
        morning = {each.customer: each for each in made_up(REAL * 12, "morning", REAL)}
        begin_conversations(platform, joined(platform), morning.values())
        work_off(platform.relay())
        few = platform.store.head()
    small = _rates(settings, "small")
    begun = time.monotonic()
    open_ones, stored = Filling(servers.postgres.url, NAMESPACE).fill(conversations, events)
    seconds = time.monotonic() - begun
    large = _rates(settings, "large")
    before = f"with {len(morning):,} open and {few:,} events"
    after = f"with {open_ones:,} open and {stored:,} events"
    filled = Measured("copies made by the database", stored / seconds, "events/s")
    return [filled, *itertools.chain(*(_both(name, small, large, before, after) for name in small))]


def _both(name: str, small: Rates, large: Rates, before: str, after: str) -> list[Measured]:
    first = Measured(f"{name}, {before}", *small[name])
    return [
        first,
        replace(first, name=f"{name}, {after}", value=large[name][0], ceiling=first.value, aim=AIM),
    ]


def _rates(settings: Settings, series: str) -> Rates:
    """What the platform does a second, with nothing in its caches at first, as after a start."""
    with closing(Platform(settings, spooling=False)) as platform:
        ingest, relay = joined(platform), platform.relay()
        works = _works(platform, series)
        best: Rates = {}
        for number in range(ROUNDS):
            for name, rate in _round(platform, ingest, relay, f"{series}-{number}").items():
                best[name] = max(best.get(name, (0.0, "")), (rate, "events/s"))
            for name, work in works.items():
                best[name] = max(best.get(name, (0.0, "")), (_rate(work), "1/s"))
        return best


def _round(platform: Platform, ingest: Worker, relay: Worker, series: str) -> dict[str, float]:
    """Events a second of each stage."""
    before = platform.store.head()
    fill_log(platform, made_up(TEXTS, series, REAL))
    ingesting = timed(lambda: ingest_until_done(platform, ingest))
    events = platform.store.head() - before
    projecting = timed(lambda: work_off(platform.projector()))
    relaying = timed(lambda: work_off(relay))
    return {"ingest": events / ingesting, "projector": events / projecting, "relay": events / relaying}


def _rate(work: Callable[[], object]) -> float:
    """How often a second, by the median."""
    return 1 / median(sorted(timed(work) for _ in range(TIMES)))


def _works(platform: Platform, series: str) -> dict[str, Callable[[], object]]:
    """What is done one by one, in this order: the replies are what the lanes hold."""
    views = platform.views
    desk, lanes = DeskQueries(views), LaneQueries(views)
    login = "agent-1"
    turns = itertools.count()
    in_hand = itertools.cycle(desk.in_hand(login)[0])
    timers, router = platform.timers(), platform.router()

    def reply() -> None:
        actor, key = Actor(login, frozenset({"agent"})), f"{series}-{next(turns)}"
        platform.desk.reply(actor, next(in_hand).id, "one moment", (), key)

    def lanes_looked_at() -> None:
        for lane in lanes.lanes():
            lanes.ready(lane, platform.clock.now(), LANES)

    def stepped() -> None:
        work_off(platform.projector())

    return {
        "agent's reply: load, decide, save": reply,
        "projector's look, nothing new": stepped,
        "desk of an agent with 50 in hand": lambda: desk.in_hand(login),
        "desk's last changes": lambda: desk.changes(login, views.position("desk") - CHANGES, CHANGES),
        "dispatch's look at its lanes": lanes_looked_at,
        "timers' step, nothing due": timers.step,
        "router's step, nothing waits": router.step,
    }


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
