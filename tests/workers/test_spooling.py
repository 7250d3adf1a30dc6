"""The spool's workers: what waits goes to the log, and other processes know that it waits."""

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.spool import Spool, SpooledLog
from domain.ports import Lease
from tests.contracts.log_contract import PATIENCE, records
from tests.fakes.clock import FakeClock
from tests.fakes.event_store import InMemoryLeases, Shelf
from tests.fakes.log import MoodyLog
from workers import spooling
from workers.spooling import ADOPT_EVERY, LEASE_PREFIX, SpoolDrain, SpoolLeases
from workers.supervisor import Supervisor
from workers.worker import LEASE


class Database(InMemoryLeases):
    """Leases that can be away, or hang until they are let go."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(Shelf(), clock)
        self.away = False
        self.hangs = threading.Event()
        self.hangs.set()

    def acquire(self, name: str, owner: str, duration: timedelta) -> Lease | None:
        assert self.hangs.wait(PATIENCE)
        if self.away:
            raise OSError("the database is away")
        return super().acquire(name, owner, duration)


class Process:
    """What one process has of the spool."""

    def __init__(self, folder: Path, log: MoodyLog, leases: Database, clock: FakeClock) -> None:
        self.spool = Spool(folder, clock, limit_bytes=1 << 20)
        self.leases = SpoolLeases(self.spool, leases, clock)
        self.log = SpooledLog(log, self.spool, self.leases.notice)
        self.drain = SpoolDrain(self.log, self.spool, clock)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def database(clock: FakeClock) -> Database:
    return Database(clock)


@pytest.fixture
def log() -> MoodyLog:
    return MoodyLog()


@pytest.fixture
def start(
    tmp_path: Path, log: MoodyLog, database: Database, clock: FakeClock
) -> Iterator[Callable[[], Process]]:
    started: list[Process] = []

    def start_one() -> Process:
        started.append(Process(tmp_path / "spool", log, database, clock))
        return started[-1]

    yield start_one
    for each in started:
        each.spool.close()


@pytest.fixture
def process(start: Callable[[], Process]) -> Process:
    return start()


def held(database: Database) -> set[str]:
    return database.held(LEASE_PREFIX)


def empty(drain: SpoolDrain) -> None:
    while drain.step():
        pass


def test_the_drain_moves_what_waits_once_the_log_is_back(process: Process, log: MoodyLog) -> None:
    log.away = True
    process.log.append(records("1", "2"))
    assert not process.drain.step()
    assert process.log.figures().problem == "the broker is away"
    log.away = False
    empty(process.drain)
    assert log.values == ["1", "2"]


def test_the_drain_takes_over_what_a_dead_process_left(
    start: Callable[[], Process], log: MoodyLog, clock: FakeClock
) -> None:
    living, dead = start(), start()
    living.drain.step()
    log.away = True
    dead.log.append(records("1"))
    dead.spool.close()
    log.away = False
    empty(living.drain)
    assert log.values == []
    clock.advance(ADOPT_EVERY)
    empty(living.drain)
    assert log.values == ["1"]


def test_a_lease_is_held_from_the_first_acknowledgement_until_all_is_moved(
    process: Process, log: MoodyLog, database: Database, clock: FakeClock
) -> None:
    assert held(database) == set()
    log.away = True
    process.log.append(records("1"))
    [name] = process.spool.filled()
    assert held(database) == {LEASE_PREFIX + name}
    for _ in range(10):
        clock.advance(LEASE / 2)
        process.leases.step()
        assert held(database) == {LEASE_PREFIX + name}
    log.away = False
    empty(process.drain)
    process.leases.step()
    assert held(database) == set()


def test_a_file_that_is_taken_over_keeps_its_lease(
    start: Callable[[], Process], log: MoodyLog, database: Database, clock: FakeClock
) -> None:
    living, dead = start(), start()
    log.away = True
    dead.log.append(records("1"))
    before = held(database)
    dead.spool.close()
    clock.advance(LEASE / 2)
    living.drain.step()
    living.leases.step()
    clock.advance(LEASE * 3 / 4)  # beyond what the dead process had
    assert held(database) == before != set()
    log.away = False
    empty(living.drain)
    living.leases.step()
    assert held(database) == set()


def test_a_lease_is_not_given_up_for_a_file_that_is_filled_again(
    process: Process, log: MoodyLog, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker sees an empty file; before it gives the lease up, something is spooled."""
    log.away = True
    process.log.append(records("1"))
    log.away = False
    empty(process.drain)
    log.away = True
    releasing = threading.Event()
    release = database.release

    def release_late(lease: Lease) -> None:
        releasing.set()
        assert spooled.wait(PATIENCE)
        release(lease)

    spooled = threading.Event()
    monkeypatch.setattr(database, "release", release_late)
    with ThreadPoolExecutor(2) as pool:
        stepping = pool.submit(process.leases.step)
        assert releasing.wait(PATIENCE)
        appending = pool.submit(process.log.append, records("2"))
        wait_until(lambda: process.spool.records == 1)
        spooled.set()
        stepping.result(PATIENCE)
        appending.result(PATIENCE)
    assert held(database) == {LEASE_PREFIX + name for name in process.spool.filled()} != set()


def test_a_database_that_is_away_refuses_no_text_and_is_asked_again(
    process: Process, log: MoodyLog, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    log.away = database.away = True
    with caplog.at_level(logging.WARNING):
        process.log.append(records("1"))
    assert "the database is away" in caplog.text
    database.away = False
    assert not process.leases.step()
    assert len(held(database)) == 1


def test_a_database_that_hangs_is_not_waited_for_long(
    process: Process, log: MoodyLog, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spooling, "NOTICE_WAIT", 0.01)
    log.away = True
    database.hangs.clear()
    process.log.append(records("1"))
    log.away = False
    empty(process.drain)  # which does not wait for it either
    assert log.values == ["1"]
    database.hangs.set()


def test_both_run_under_the_supervisor(process: Process, log: MoodyLog, database: Database) -> None:
    log.away = True
    process.log.append(records("1"))
    supervisor = Supervisor([lambda: process.drain, lambda: process.leases])
    supervisor.start()
    wait_until(lambda: process.log.figures().problem != "")
    log.away = False
    wait_until(lambda: log.values == ["1"] and not held(database))
    assert supervisor.stop(PATIENCE) == []


def wait_until(condition: Callable[[], bool]) -> None:
    tick = threading.Event()
    for _ in range(int(PATIENCE / 0.001)):
        if condition():
            return
        tick.wait(0.001)
    raise AssertionError("it never came to be")
