"""The event store on SQLite: the contract, and what only a file and processes can go through."""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from adapters.event_store.leases import SQLiteLeases
from adapters.event_store.recorder import migrate
from domain.errors import Conflict
from domain.ports import Cipher, Leases, Parked, Source, Unit
from tests.adapters.event_store.worlds import SQLiteWorld
from tests.contracts.event_store_contract import (
    ALL,
    PATIENCE,
    EventStoreContract,
    FakeClock,
    World,
    chat,
    saved_chat,
    saved_counter,
    texts,
)
from tests.contracts.leases_contract import LeasesContract
from tests.contracts.samples import Chat, Counter

ROOT = Path(__file__).parents[3]


class TestSQLiteEventStore(EventStoreContract):
    @pytest.fixture
    def open_world(self, opened: Callable[[], SQLiteWorld]) -> Callable[[], World]:
        return opened

    @pytest.fixture
    def world(self, open_world: Callable[[], World]) -> World:
        return open_world()


class TestSQLiteLeases(LeasesContract):
    @pytest.fixture
    def open_leases(self, opened: Callable[[], SQLiteWorld], clock: FakeClock) -> Callable[[], Leases]:
        return lambda: SQLiteLeases(opened().database, clock)


# ── positions ──────────────────────────────────────────────────────────────────────────────────


def test_positions_have_no_gaps_even_after_conflicts(world: SQLiteWorld) -> None:
    stream_id = saved_counter(world.store)
    with pytest.raises(Conflict):
        world.store.save(Unit([Counter.start(), Counter.start(stream_id)]))
    assert world.store.save(Unit([Counter.start()])) == 2


@pytest.mark.parametrize("statement", ["DELETE FROM stored_events", "UPDATE stored_events SET state = x''"])
def test_events_are_neither_deleted_nor_altered(world: SQLiteWorld, statement: str) -> None:
    saved_counter(world.store)
    with (
        pytest.raises(sqlite3.IntegrityError, match="events are never"),
        world.database.transaction(commit=True) as c,
    ):
        c.execute(statement)
    assert world.store.head() == 1


# ── being woken ────────────────────────────────────────────────────────────────────────────────


def test_a_save_wakes_who_waits(world: SQLiteWorld) -> None:
    world.store.wait(0)  # from here on this thread has seen everything
    woken = threading.Event()
    ready = threading.Event()

    def wait() -> None:
        world.store.wait(0)
        ready.set()
        world.store.wait(PATIENCE * 10)
        woken.set()

    threading.Thread(target=wait, daemon=True).start()
    assert ready.wait(PATIENCE)
    assert not woken.wait(0.05)
    saved_counter(world.store)
    assert woken.wait(PATIENCE)


def test_a_save_between_reading_and_waiting_is_not_missed(world: SQLiteWorld) -> None:
    world.store.wait(0)
    assert world.store.read(0, ALL) == []
    saved_counter(world.store)
    finished = threading.Timer(PATIENCE, lambda: None)
    finished.start()
    world.store.wait(PATIENCE * 10)
    assert finished.is_alive()
    finished.cancel()


# ── keys destroyed in the midst of a save ──────────────────────────────────────────────────────


class Meddler:
    """A cipher that does something between encoding a unit's events and saving them."""

    def __init__(self, deed: Callable[[], object]) -> None:
        self.deed = deed

    def seal(self, plain: bytes, context: bytes) -> bytes:
        self.deed()
        return plain

    def open(self, sealed: bytes, context: bytes) -> bytes:
        return sealed


def test_nothing_is_saved_under_a_key_that_was_destroyed_meanwhile(
    opened: Callable[[], SQLiteWorld], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, other = opened(), opened()
    gone, stays = uuid4(), uuid4()
    stream_id = saved_chat(world.store, gone, "old")
    meddler: Cipher = Meddler(lambda: other.keys.destroy(gone))
    monkeypatch.setattr(world.parking, "_cipher", meddler)
    changed = chat(world.store, stream_id)
    changed.write("new")
    unit = Unit([changed, Chat.start(stays)], Source(0, 1), parked=[Parked(0, 1, "")])
    with pytest.raises(Conflict) as caught:
        world.store.save(unit)
    assert caught.value.stale == {stream_id}
    assert (world.store.head(), world.store.ingested(0)) == (2, -1)
    # What was not encrypted under it can be saved, and the customer has a new key already.
    again = chat(world.store, stream_id)
    again.write("new")
    world.store.save(Unit([again]))
    assert chat(other.store, stream_id).texts == ["[erased]", "new"]


# ── processes ──────────────────────────────────────────────────────────────────────────────────


def writer(path: Path, shared: UUID, partition: int) -> "subprocess.Popen[str]":
    program = ROOT / "tests" / "adapters" / "event_store" / "save_until_killed.py"
    return subprocess.Popen(
        [sys.executable, program, str(path), shared.hex, str(partition)],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_processes_that_are_killed_lose_and_tear_nothing(path: Path, world: SQLiteWorld) -> None:
    shared = saved_counter(world.store)
    acknowledged = {0: -1, 1: -1}
    for _ in range(3):
        processes = {partition: writer(path, shared, partition) for partition in acknowledged}
        for partition, process in processes.items():
            assert process.stdout is not None
            acknowledged[partition] = [int(process.stdout.readline()) for _ in range(15)][-1]
        for partition, process in processes.items():
            process.kill()
            assert process.stdout is not None
            rest = process.stdout.read()
            process.communicate(timeout=PATIENCE)
            whole_lines = rest[: rest.rfind("\n") + 1].split()
            acknowledged[partition] = max([acknowledged[partition], *map(int, whole_lines)])
    offsets = [world.store.ingested(partition) for partition in range(2)]
    for partition, offset in acknowledged.items():
        assert offset <= offsets[partition] <= offset + 1  # at most one was saved unsaid
    found = world.store.read(0, 100_000)
    assert [each.position for each in found] == list(range(1, len(found) + 1))
    versions = [each.event.originator_version for each in found if each.event.originator_id == shared]
    assert versions == list(range(1, len(versions) + 1))
    # Each unit is whole: a step on the shared counter, and a chat of two events.
    units = sum(offset + 1 for offset in offsets)
    assert len(versions) == 1 + units
    assert len(found) == 1 + 3 * units
    assert texts(found) == ["from a process"] * units


# ── the file ───────────────────────────────────────────────────────────────────────────────────


def test_migrating_again_changes_nothing(path: Path, world: SQLiteWorld) -> None:
    saved_counter(world.store)
    migrate(path)
    assert world.store.head() == 1


def test_a_file_of_a_newer_parley_is_refused(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ValueError, match="newer Parley"):
        migrate(path)


def test_processes_may_start_together(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys; from adapters.event_store import recorder;"
        " recorder.migrate(pathlib.Path(sys.argv[1]))"
    )
    path = tmp_path / "together.db"
    processes = [
        subprocess.Popen([sys.executable, "-c", program, str(path)], cwd=ROOT, env={"PYTHONPATH": str(ROOT)})
        for _ in range(4)
    ]
    assert [process.wait(PATIENCE * 3) for process in processes] == [0] * 4
