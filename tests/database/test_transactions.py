"""Transactions, readers and writers, and what processes say to each other."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.fakes.databases import Opened, Place

PATIENCE = 10
ADD = "INSERT INTO words VALUES (:word, 1)"


def words(database: Opened) -> list[str]:
    return [row["word"] for row in database.rows("SELECT word FROM words ORDER BY word")]


def add(database: Opened, word: str) -> None:
    with database.writing() as c:
        c.run(ADD, {"word": word})


def add_and_fail(database: Opened, statement: str) -> None:
    with database.writing() as c:
        c.run(ADD, {"word": "a"})
        c.run(statement)


# ── writing ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "statement",
    ["SELECT * FROM nowhere", "INSERT INTO words VALUES ('a', 2)", "INSERT INTO words (number) VALUES (1)"],
)
def test_a_statement_that_fails_is_said_and_nothing_is_kept(database: Opened, statement: str) -> None:
    with pytest.raises((sqlite3.Error, psycopg.Error)):
        add_and_fail(database, statement)
    assert words(database) == []
    add(database, "b")
    assert words(database) == ["b"]


def test_a_block_that_fails_keeps_nothing(database: Opened) -> None:
    def fail() -> None:
        with database.writing() as c:
            c.run(ADD, {"word": "a"})
            raise KeyError("a")

    with pytest.raises(KeyError):
        fail()
    assert words(database) == []
    add(database, "b")


def test_many_threads_write_and_read(database: Opened) -> None:
    def work(number: int) -> None:
        add(database, f"{number:03}")
        assert f"{number:03}" in words(database)

    with ThreadPoolExecutor(20) as pool:  # more than there are connections
        list(pool.map(work, range(100)))
    assert words(database) == [f"{number:03}" for number in range(100)]


def test_alone_excludes_those_who_name_the_same(database: Opened, other: Opened) -> None:
    def count(number: int) -> None:
        with (database, other)[number % 2].writing(alone=["b", "a"] if number % 3 else ["a", "b"]) as c:
            row = c.one("SELECT max(number) AS number FROM words")
            assert row
            c.run(
                "INSERT INTO words VALUES (:word, :number)",
                {"word": f"{number}", "number": (row["number"] or 0) + 1},
            )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(40)))
    numbers = [row["number"] for row in database.rows("SELECT number FROM words ORDER BY number")]
    assert numbers == list(range(1, 41))


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
def test_alone_lets_those_through_who_name_something_else(database: Opened, other: Opened) -> None:
    with database.writing(alone=["a"]) as c, other.writing(alone=["b"]) as d:
        c.run(ADD, {"word": "a"})
        d.run(ADD, {"word": "b"})
    assert words(database) == ["a", "b"]


# ── reading ────────────────────────────────────────────────────────────────────────────────────


def test_reading_is_an_unchanging_look(database: Opened, other: Opened) -> None:
    add(database, "a")
    with database.reading() as c:
        assert c.all("SELECT word FROM words") == [{"word": "a"}]
        add(other, "b")
        assert c.all("SELECT word FROM words") == [{"word": "a"}]
        assert words(database) == ["a", "b"]
    assert words(database) == ["a", "b"]


def test_a_reader_waits_for_no_writer(database: Opened, other: Opened) -> None:
    with database.writing(alone=["a"]) as c:
        c.run(ADD, {"word": "a"})
        assert words(other) == words(database) == []
        with other.reading() as look:
            assert look.all("SELECT * FROM words") == []
    assert words(other) == ["a"]


def test_tables_are_named(database: Opened) -> None:
    assert "words" in database.tables()


# ── a database for a while ─────────────────────────────────────────────────────────────────────


def test_a_scratch_is_beside_and_gone_afterwards(database: Opened, place: Place) -> None:
    add(database, "a")
    for _ in range(2):
        with database.scratch() as scratch:
            assert scratch.tables() == set()
            with scratch.writing() as c:
                scratch.create(c, "CREATE TABLE words (word TEXT PRIMARY KEY, number BIGINT)")
                c.run(ADD, {"word": "b"})
            with database.beside(scratch, alone=["words"]) as (c, here, there):
                c.run(f"DELETE FROM {here}words")  # noqa: S608
                c.run(f"INSERT INTO {here}words SELECT * FROM {there}words")  # noqa: S608
        assert words(database) == ["b"]
    with database.scratch() as scratch:
        assert scratch.tables() == set()


def test_what_a_killed_process_left_of_a_scratch_is_no_hindrance(database: Opened) -> None:
    with database.scratch() as scratch:
        with scratch.writing() as c:
            scratch.create(c, "CREATE TABLE words (word TEXT PRIMARY KEY)")
        with database.scratch() as again:
            assert again.tables() == set()


# ── leaving no trace ───────────────────────────────────────────────────────────────────────────


def test_scrubbing_waits_for_those_who_read_and_gives_up(
    database: Opened, other: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    for room in ("sqlite", "postgres"):
        monkeypatch.setattr(f"database.{room}.SCRUB_TIMEOUT", 0.05)
    add(database, "a")
    with other.reading() as c:
        c.all("SELECT * FROM words")
        with database.writing() as writer:
            writer.run("DELETE FROM words")
        assert not database.scrub(["words"])
    assert database.scrub(["words"])


# ── word from other processes ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
class TestWord:
    @pytest.fixture
    def heard(self, database: Opened) -> "Heard":
        heard = Heard()
        database.watch(heard)
        heard.wait()  # once it listens: something may have come before
        return heard

    def test_who_watches_hears_of_commits(self, heard: "Heard", other: Opened) -> None:
        with other.writing() as c:
            other.announce(c)
            c.run(ADD, {"word": "a"})
            assert not heard.at_once()
        heard.wait()

    def test_what_is_rolled_back_is_not_announced(self, heard: "Heard", other: Opened) -> None:
        def fail() -> None:
            with other.writing() as c:
                other.announce(c)
                raise KeyError

        with pytest.raises(KeyError):
            fail()
        assert not heard.at_once()

    def test_every_watcher_hears_of_it(self, heard: "Heard", database: Opened, other: Opened) -> None:
        second = Heard()
        database.watch(second)
        with other.writing() as c:
            other.announce(c)
        heard.wait()
        second.wait()

    def test_after_a_break_watchers_look_and_hear_again(
        self, heard: "Heard", other: Opened, caplog: pytest.LogCaptureFixture
    ) -> None:
        with other.writing() as c:
            c.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
        heard.wait()
        with other.writing() as c:
            other.announce(c)
        heard.wait()
        assert "no word from other processes" in caplog.text


class Heard:
    def __init__(self) -> None:
        self._times = threading.Semaphore(0)

    def __call__(self) -> None:
        self._times.release()

    def wait(self) -> None:
        assert self._times.acquire(timeout=PATIENCE)

    def at_once(self) -> bool:
        return self._times.acquire(timeout=0.05)


# ── closing ────────────────────────────────────────────────────────────────────────────────────


def test_a_closed_database_says_so(database: Opened) -> None:
    assert words(database) == []
    database.close()
    with pytest.raises(Exception, match="closed"):
        words(database)
    database.close()
