"""Ingest, rebuild and the log, each alone in this process, beside the storage under it."""

import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from eventsourcing.domain import Aggregate

from adapters.clock import SystemClock
from adapters.sqlite_log import SQLiteLog
from bench.inside import fill_log, ingest_all, opened, project_all
from bench.profiles import profile
from bench.report import Aim, Measured
from bench.scene import MAPPING
from bench.texts import made_up
from bench.webhooks import Text
from domain.message_values import REPLY_TIME, Envelope, Outbound, Purpose, Sender
from domain.messages import Message
from domain.ports import NewRecord, Unit
from projections.rebuild import rebuild
from workers.ingest import BATCH
from workers.wiring import Platform

TEXTS = 5_000
ROUNDS = 3  # of which the quickest counts: what else the machine does only makes things slower
PROFILED = 3_000
APPENDS = 6_400
WRITERS = 32
RECORD = bytes(600)  # octets of a sealed fact


def measure_ingest_and_rebuild(folder: Path) -> list[Measured]:
    """Ingest from a filled log beside the store's own batched save; rebuild beside a bare batch insert."""
    rounds = [_round(folder / f"round-{number}") for number in range(ROUNDS)]
    ingest = max(each.ingest for each in rounds)
    return [
        Measured(
            "ingest alone, from a filled log",
            ingest,
            "events/s",
            max(each.save for each in rounds),
            "the store's own batched save of the same events",
            Aim(0.5, of_ratio=True),
        ),
        Measured(
            "the same, beside saving with the making",
            ingest,
            "events/s",
            max(each.make_and_save for each in rounds),
            "as many events, made by aggregates and saved in batches",
        ),
        Measured(
            "rebuild of all views",
            max(each.rebuild for each in rounds),
            "events/s",
            max(each.insert for each in rounds),
            "a bare batch insert of as many rows",
        ),
    ]


@dataclass(frozen=True)
class _Round:
    """Events a second."""

    ingest: float
    make_and_save: float
    save: float
    rebuild: float
    insert: float


def _round(folder: Path) -> _Round:
    """Each once, one after the other, so that what else the machine does meets all of them."""
    with opened(folder / "ingest") as platform:
        fill_log(platform, made_up(TEXTS, "ingest"))
        saved = _record_saves(platform)
        before = platform.store.head()
        ingest = timed(lambda: ingest_all(platform))
        events = platform.store.head()
        names = [each.name for each in platform.views.projections]
        rebuilding = timed(lambda: rebuild(platform.views, platform.store, names, lambda *_: None))
    with opened(folder / "save") as fresh:
        save = timed(lambda: save_again(fresh, saved))
    with opened(folder / "make") as fresh:
        texts = made_up((events - before) // 2, "make")
        making = timed(lambda: make_and_save(fresh, texts))
    insert = timed(lambda: _insert(folder / "rows.db", events, 2000, "NORMAL"))
    new = events - before
    return _Round(new / ingest, new / making, new / save, events / rebuilding, events / insert)


def profile_ingest(folder: Path) -> tuple[str, ...]:
    """Why ingest is as slow as it is."""
    with opened(folder / "profiled-ingest") as platform:
        fill_log(platform, made_up(PROFILED, "profiled"))
        return profile(lambda: ingest_all(platform))


def profile_views(folder: Path) -> tuple[str, ...]:
    """Why texts take as long as they do from the log into the views."""
    with opened(folder / "profiled-views") as platform:
        fill_log(platform, made_up(PROFILED, "profiled"))

        def work() -> None:
            ingest_all(platform)
            project_all(platform)

        return profile(work)


def _record_saves(platform: Platform) -> list[list[Any]]:
    """The events of each unit that the store is going to save."""
    saves: list[list[Any]] = []
    save = platform.store.save

    def recording(unit: Unit) -> int:
        saves.append([event for aggregate in unit.aggregates for event in aggregate.pending_events])
        return save(unit)

    platform.store.save = recording  # type: ignore[method-assign]  # to look in from outside
    return saves


class _Kept:
    """Events that were decided upon before, as the store asks an aggregate for them."""

    def __init__(self, events: list[Any]) -> None:
        self.pending_events = events

    def collect_events(self) -> list[Any]:
        """What the store does once it has saved them."""
        return self.pending_events


def save_again(platform: Platform, saves: Sequence[list[Any]]) -> None:
    """Save units once more, in a store that does not have them: nothing but the store's own work."""
    for events in saves:
        platform.store.save(Unit([cast(Aggregate, _Kept(events))]))


def make_and_save(platform: Platform, texts: Sequence[Text]) -> None:
    """The store's batched save with the making of what it saves: two events a text, batches like ingest's."""
    at, ids = platform.clock.now(), platform.ids
    for start in range(0, len(texts), BATCH):
        made = []
        for text in texts[start : start + BATCH]:
            thread, customer = ids.thread(text.ours, text.customer), ids.customer(text.customer)
            mapping = ids.mapping(MAPPING)
            envelope = Envelope(thread, None, mapping, customer, text.ours, text.customer, text.body)
            outbound = Outbound(Sender.AGENT, "ana", Purpose.REPLY, thread, at + REPLY_TIME)
            message = Message.request(ids.outbound("bench", text.sid), envelope, outbound, at)
            message.attempt_sending(text.ours, at, at)
            made.append(message)
        platform.store.save(Unit(made))


def measure_log(folder: Path) -> list[Measured]:
    """Appends of 32 threads, one record each at a time, beside a bare insert in batches as large."""
    appends = [_append(folder / f"log-{number}.db") for number in range(ROUNDS)]
    inserts = [
        timed(lambda: _insert(folder / f"bare-{number}.db", APPENDS, WRITERS, "FULL"))  # noqa: B023 - at once
        for number in range(ROUNDS)
    ]
    return [
        Measured(
            "appends to the log, 32 threads",
            APPENDS / min(appends),
            "records/s",
            APPENDS / min(inserts),
            "a bare insert of 32 rows a commit",
        )
    ]


def _append(file: Path) -> float:
    """Seconds that it took."""
    with closing(SQLiteLog(file, "bench", 4, SystemClock())) as log:

        def write(writer: int) -> None:
            for number in range(APPENDS // WRITERS):
                log.append([NewRecord(f"{writer}:{number}".encode(), RECORD)])

        def work() -> None:
            writers = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
            for each in writers:
                each.start()
            for each in writers:
                each.join()

        return timed(work)


def _insert(file: Path, rows: int, at_once: int, synchronous: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute("CREATE TABLE row (number INTEGER PRIMARY KEY, value BLOB)")
        for start in range(0, rows, at_once):
            connection.execute("BEGIN IMMEDIATE")
            some = ((number, RECORD) for number in range(start, min(rows, start + at_once)))
            connection.executemany("INSERT INTO row VALUES (?, ?)", some)
            connection.execute("COMMIT")


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
