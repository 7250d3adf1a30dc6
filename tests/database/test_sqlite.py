"""What only a file goes through."""

import threading
from pathlib import Path

import pytest

from database.sqlite import FairLock, SQLiteDatabase

PATIENCE = 10


@pytest.fixture
def database(tmp_path: Path) -> SQLiteDatabase:
    database = SQLiteDatabase(tmp_path / "some.db")
    with database.writing() as c:
        database.create(c, "CREATE TABLE words (word TEXT PRIMARY KEY)")
    return database


def test_commits_are_synced_and_what_is_deleted_is_overwritten(database: SQLiteDatabase) -> None:
    with database.reading() as c:
        settings = {
            name: c.one(f"PRAGMA {name}") for name in ("synchronous", "secure_delete", "journal_mode")
        }
    assert settings == {
        "synchronous": {"synchronous": 2},
        "secure_delete": {"secure_delete": 1},
        "journal_mode": {"journal_mode": "wal"},
    }
    database.close()


def test_scrubbing_empties_the_log(database: SQLiteDatabase, tmp_path: Path) -> None:
    with database.writing() as c:
        c.run("INSERT INTO words VALUES ('a text in the log')")
    log = tmp_path / "some.db-wal"
    assert b"a text in the log" in log.read_bytes()
    assert database.scrub(["words"])
    assert log.stat().st_size == 0
    with database.writing() as c:
        c.run("DELETE FROM words")
    assert database.scrub(["words"])
    assert not any(b"a text in the log" in file.read_bytes() for file in tmp_path.iterdir())
    database.close()


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
