"""The log on SQLite: the contract, and what only a file can go through."""

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.sqlite_log import SQLiteLog
from domain.errors import LogUnavailable
from domain.ports import Log, NewRecord, Record
from tests.contracts.log_contract import ALL, PATIENCE, LogContract, after, everything, records, values

ROOT = Path(__file__).parents[2]


class FakeClock:
    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def advance(self, seconds: float = 1) -> None:
        self.time += timedelta(seconds=seconds)


class BrokenClock(FakeClock):
    """Blocks the first commit until told, then breaks it."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()
        self.go_on = threading.Event()

    def now(self) -> datetime:
        if not self.entered.is_set():
            self.entered.set()
            assert self.go_on.wait(PATIENCE)
            raise RuntimeError("no time")
        return super().now()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ingress.db"


@pytest.fixture
def open_sqlite(path: Path, clock: FakeClock) -> Iterator[Callable[[], SQLiteLog]]:
    opened: list[SQLiteLog] = []

    def open_log() -> SQLiteLog:
        for log in opened:
            log.close()
        opened[:] = [SQLiteLog(path, "test", 4, clock)]
        return opened[0]

    yield open_log
    for log in opened:
        log.close()


@pytest.fixture
def log(open_sqlite: Callable[[], SQLiteLog]) -> SQLiteLog:
    return open_sqlite()


class TestSQLiteLog(LogContract):
    @pytest.fixture
    def open_log(self, open_sqlite: Callable[[], Log]) -> Callable[[], Log]:
        return open_sqlite

    @pytest.fixture
    def pass_time(self, clock: FakeClock) -> Callable[[], None]:
        return clock.advance


def test_another_partition_count_is_refused(log: SQLiteLog, path: Path, clock: FakeClock) -> None:
    with pytest.raises(
        ValueError, match=r"ingress\.db holds topic 'test' in 4 partitions, not 'test' in\s+8"
    ):
        SQLiteLog(path, "test", 8, clock)


def test_another_topic_is_refused(log: SQLiteLog, path: Path, clock: FakeClock) -> None:
    with pytest.raises(ValueError, match="not 'other'"):
        SQLiteLog(path, "other", 4, clock)


def test_a_partition_that_does_not_exist_is_refused(log: SQLiteLog) -> None:
    for partition in (-1, 4):
        with pytest.raises(ValueError, match="not one of 0 to 3"):
            log.read(partition, -1, 1)
        with pytest.raises(ValueError, match="not one of 0 to 3"):
            log.end(partition)


def test_a_commit_is_synced_and_removed_content_overwritten(log: SQLiteLog) -> None:
    wanted = {"journal_mode": "wal", "synchronous": 2, "fullfsync": 1, "secure_delete": 1}
    for name, value in wanted.items():
        assert log._writer.execute(f"PRAGMA {name}").fetchone() == (value,)


def test_trimmed_content_is_gone_from_the_disk(log: SQLiteLog, path: Path) -> None:
    places = log.append(records("the secret of Samos"))
    everywhere = [path, path.with_name(path.name + "-wal")]
    assert any(b"Samos" in file.read_bytes() for file in everywhere)
    log.trim(after(places))
    assert not any(b"Samos" in file.read_bytes() for file in everywhere)


def test_many_records_are_trimmed_at_once(log: SQLiteLog, clock: FakeClock) -> None:
    old = log.append([NewRecord(bytes([n % 256]), b"old") for n in range(2_500)])
    clock.advance()
    [kept] = log.append(records("kept"))
    assert log.trim(after(old)) == 2_500
    assert values(log.read(kept.partition, kept.offset - 1, ALL)) == ["kept"]


def test_time_never_goes_back(log: SQLiteLog, open_sqlite: Callable[[], SQLiteLog], clock: FakeClock) -> None:
    [first] = log.append(records("1"))
    clock.advance(-3600)
    [second] = log.append(records("2"))
    log = open_sqlite()
    [third] = log.append(records("3"))
    log.trim(after([third]))
    log = open_sqlite()
    [fourth] = log.append(records("4"))
    assert {each.accepted_at for each in (first, second, third, fourth)} == {first.accepted_at}
    clock.advance(3601)
    assert log.append(records("5"))[0].accepted_at == first.accepted_at + timedelta(seconds=1)


def test_a_full_disk_is_no_durability_and_heals(log: SQLiteLog) -> None:
    log.append(records("before"))
    [pages] = log._writer.execute("PRAGMA page_count").fetchone()
    log._writer.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(LogUnavailable, match="full"):
        log.append(records("small", "x" * 100_000))
    assert values(everything(log)) == ["before"]
    log._writer.execute("PRAGMA max_page_count = 1000000")
    log.append(records("after"))
    assert values(everything(log)) == ["before", "after"]


def test_a_file_locked_by_another_process_is_no_durability(log: SQLiteLog, path: Path) -> None:
    log._writer.execute("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LogUnavailable, match="locked"):
        log.append(records("1"))
    other.close()
    log.append(records("2"))
    assert values(everything(log)) == ["2"]


def test_threads_that_wait_share_a_commit_and_its_failure(log: SQLiteLog) -> None:
    log._writer.execute("PRAGMA busy_timeout = 0")
    with ThreadPoolExecutor(8) as pool:
        log._writing.acquire()  # as a long trim would
        leader = pool.submit(log.append, records("leader"))
        wait_until(lambda: log._committing)
        followers = [pool.submit(log.append, records(str(n))) for n in range(7)]
        wait_until(lambda: len(log._waiting) == 7)
        blocker = sqlite3.connect(log._path, isolation_level=None, check_same_thread=False)
        blocker.execute("BEGIN IMMEDIATE")
        log._writing.release()
        for future in (leader, *followers):
            assert isinstance(future.exception(PATIENCE), LogUnavailable)
        blocker.close()
    assert everything(log) == []
    assert log._commit_count == 2


def test_nobody_waits_for_ever_when_a_commit_breaks(path: Path) -> None:
    clock = BrokenClock()
    log = SQLiteLog(path, "test", 4, clock)
    with ThreadPoolExecutor(2) as pool:
        leader = pool.submit(log.append, records("1"))
        assert clock.entered.wait(PATIENCE)
        follower = pool.submit(log.append, records("2"))
        wait_until(lambda: len(log._waiting) == 1)
        clock.go_on.set()
        assert isinstance(leader.exception(PATIENCE), RuntimeError)
        assert len(follower.result(PATIENCE)) == 1
    assert values(everything(log)) == ["2"]
    log.close()


def test_waiting_for_nothing_does_not_spin(log: SQLiteLog) -> None:
    log.append(records("1"))
    log.wait(0)
    started = time.monotonic()
    log.wait(0.05)
    assert time.monotonic() - started >= 0.04


def test_a_closed_log_says_so(log: SQLiteLog) -> None:
    log.close()
    log.close()
    with pytest.raises(LogUnavailable, match="closed"):
        log.append(records("1"))


def test_another_process_appends_and_is_seen(log: SQLiteLog, path: Path, clock: FakeClock) -> None:
    other = SQLiteLog(path, "test", 4, clock)  # its own connections, as another process has
    [first] = log.append(records("1"))
    [second] = other.append(records("2"))
    [third] = log.append(records("3"))
    assert [first.offset, second.offset, third.offset] == [1, 2, 3]
    assert values(everything(log)) == values(everything(other)) == ["1", "2", "3"]
    other.close()


def test_what_was_acknowledged_survives_kill_9(log: SQLiteLog, path: Path) -> None:
    log.close()
    acknowledged: set[tuple[int, int, str]] = set()
    for _ in range(3):
        acknowledged |= append_in_a_child_and_kill_it(path, 100)
        log = SQLiteLog(path, "test", 4, FakeClock())
        found = everything(log)
        log.close()
        assert len({record.offset for record in found}) == len(found)
        assert acknowledged <= {(r.partition, r.offset, r.value.decode()) for r in found}
        assert_times_never_go_back(found)


def append_in_a_child_and_kill_it(path: Path, count: int) -> set[tuple[int, int, str]]:
    """What a child process said it appended, killed after `count` lines at the earliest."""
    program = Path(__file__).with_name("append_until_killed.py")
    child = subprocess.Popen(
        [sys.executable, program, path], env={"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(count)]
        child.kill()
        lines += child.stdout.readlines()
    whole = [line.split() for line in lines if line.endswith("\n")]
    assert len(whole) >= count
    return {(int(partition), int(offset), value) for partition, offset, value in whole}


def assert_times_never_go_back(found: list[Record]) -> None:
    for partition in range(4):
        times = [record.accepted_at for record in found if record.partition == partition]
        assert times == sorted(times)


def wait_until(condition: Callable[[], bool]) -> None:
    tick = threading.Event()
    for _ in range(int(PATIENCE / 0.001)):
        if condition():
            return
        tick.wait(0.001)
    raise AssertionError("it never came to be")
