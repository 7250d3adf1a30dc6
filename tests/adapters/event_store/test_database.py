"""Transactions, turns, caches: what the store is built of."""

import sqlite3
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from adapters.event_store.cache import copy_of
from adapters.event_store.database import Database, FairLock, from_micros, to_micros
from adapters.event_store.lru import Lru
from tests.adapters.event_store.worlds import SQLiteWorld
from tests.contracts.event_store_contract import PATIENCE
from tests.contracts.samples import Chat


def lease_names(database: Database) -> list[str]:
    with database.transaction(commit=False) as c:
        c.execute("SELECT name FROM lease ORDER BY name")
        return [row[0] for row in c.fetchall()]


def insert_and_fail(database: Database) -> None:
    with database.transaction(commit=True) as c:
        c.execute("INSERT INTO lease VALUES ('a', 'me', 1, 0)")
        c.execute("SELECT * FROM nowhere")


def test_a_transaction_that_fails_leaves_nothing(world: SQLiteWorld) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        insert_and_fail(world.database)
    with world.database.transaction(commit=True) as c:
        c.execute("INSERT INTO lease VALUES ('b', 'me', 1, 0)")
    assert lease_names(world.database) == ["b"]


def test_commits_are_synced_and_what_is_deleted_is_overwritten(world: SQLiteWorld) -> None:
    with world.database.transaction(commit=False) as c:
        settings = {}
        for name in ("synchronous", "secure_delete", "journal_mode"):
            c.execute(f"PRAGMA {name}")
            settings[name] = c.fetchone()[0]
    assert settings == {"synchronous": 2, "secure_delete": 1, "journal_mode": "wal"}


def test_a_reader_waits_for_no_writer(world: SQLiteWorld) -> None:
    with world.database.transaction(commit=True) as c:
        c.execute("INSERT INTO lease VALUES ('a', 'me', 1, 0)")
        assert lease_names(world.database) == []
    assert lease_names(world.database) == ["a"]


def test_a_closed_database_says_so(path: Path) -> None:
    database = Database(path)
    database.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"), database.transaction(commit=False):
        pass


def test_scrubbing_waits_for_readers_and_empties_the_log(world: SQLiteWorld, path: Path) -> None:
    reading, scrubbed = threading.Event(), threading.Event()

    def scrub() -> None:
        reading.set()
        world.database.scrub()
        scrubbed.set()

    with world.database.transaction(commit=True) as c:
        c.execute("INSERT INTO lease VALUES ('a', 'me', 1, 0)")
    with world.database.transaction(commit=False) as c:
        c.execute("SELECT * FROM lease")
        threading.Thread(target=scrub, daemon=True).start()
        assert reading.wait(PATIENCE)
    assert scrubbed.wait(PATIENCE)
    assert path.with_name("store.db-wal").stat().st_size == 0


def test_turns_come_in_the_order_of_asking() -> None:
    lock, order, asked = FairLock(), list[int](), threading.Semaphore(0)

    def take(number: int) -> None:
        with lock:
            order.append(number)

    with lock:
        threads = []
        for number in range(8):
            threads.append(threading.Thread(target=take, args=(number,)))
            threads[-1].start()
            while len(lock._waiting) <= number:
                asked.acquire(timeout=0.001)
    for thread in threads:
        thread.join(PATIENCE)
    assert order == list(range(8))


def test_moments_keep_their_microseconds() -> None:
    moment = datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    assert from_micros(to_micros(moment)) == moment


def test_a_cache_keeps_what_was_used_last() -> None:
    cache: Lru[int, str] = Lru(2)
    cache.put(1, "one", cache.generation)
    cache.put(2, "two", cache.generation)
    assert cache.get(1) == "one"
    cache.put(3, "three", cache.generation)
    assert [cache.get(number) for number in (1, 2, 3)] == ["one", None, "three"]


def test_a_cache_takes_nothing_from_before_it_was_cleared() -> None:
    cache: Lru[int, str] = Lru(2)
    generation = cache.generation
    cache.clear()
    cache.put(1, "stale", generation)
    assert cache.get(1) is None


@dataclass
class Draft:
    words: list[str] = field(default_factory=list)


def test_a_copy_shares_nothing_that_can_change() -> None:
    original = Chat.start(UUID(int=1))
    state = {"list": [[1]], "dict": {"a": [1]}, "set": {1}, "draft": Draft(["a"]), "wait": timedelta(1)}
    vars(original).update(state)
    twin = copy_of(original)
    assert twin == original
    vars(twin)["list"][0].append(2)
    vars(twin)["dict"]["a"].append(2)
    vars(twin)["set"].add(2)
    vars(twin)["draft"].words.append("b")
    twin.write("more")
    assert vars(original)["list"] == [[1]]
    assert vars(original)["dict"] == {"a": [1]}
    assert vars(original)["set"] == {1}
    assert vars(original)["draft"] == Draft(["a"])
    assert (original.texts, len(original.pending_events), original.version) == ([], 1, 1)
