"""The event store on both databases: the contracts, and what only processes can go through."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from adapters.event_store.leases import StoredLeases
from domain.errors import Conflict
from domain.ports import Arrival, Cipher, Leases, Parked, Source, Unit
from tests.adapters.event_store.worlds import StoredWorld, world_on
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
from tests.fakes.databases import KINDS, FilePlace, Place, empty_place, recorder_of

ROOT = Path(__file__).parents[3]


class TestStoredAggregates(EventStoreContract):
    @pytest.fixture
    def open_world(self, opened: Callable[[], StoredWorld]) -> Callable[[], World]:
        return opened

    @pytest.fixture
    def world(self, open_world: Callable[[], World]) -> World:
        return open_world()


class TestStoredLeases(LeasesContract):
    @pytest.fixture
    def open_leases(self, place: Place, clock: FakeClock) -> Callable[[], Leases]:
        return lambda: StoredLeases(place.open(), clock)


# ── positions ──────────────────────────────────────────────────────────────────────────────────


def test_positions_rise_after_conflicts_and_nobody_minds_a_gap(world: StoredWorld, place: Place) -> None:
    stream_id = saved_counter(world.store)
    for _ in range(3):
        with pytest.raises(Conflict):
            world.store.save(Unit([Counter.start(), Counter.start(stream_id)]))
    last = world.store.save(Unit([Counter.start()]))
    assert last == 2 if isinstance(place, FilePlace) else last > 2
    assert world.store.head() == last
    assert [each.position for each in world.store.read(0, ALL)] == [1, last]
    assert [each.position for each in world.store.read(1, 1)] == [last]


# ── being woken ────────────────────────────────────────────────────────────────────────────────


def waiting_for_an_event(world: StoredWorld) -> threading.Event:
    """Set once a thread that looks whenever it is woken has seen an event."""
    seen = threading.Event()

    def look() -> None:
        while not world.store.read(0, 1):
            world.store.wait(PATIENCE * 10)
        seen.set()

    threading.Thread(target=look, daemon=True).start()
    return seen


def test_a_save_wakes_who_waits(world: StoredWorld) -> None:
    woken = waiting_for_an_event(world)
    assert not woken.wait(0.05)
    saved_counter(world.store)
    assert woken.wait(PATIENCE)


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
def test_a_save_of_another_process_wakes_who_waits(
    world: StoredWorld, opened: Callable[[], StoredWorld]
) -> None:
    woken = waiting_for_an_event(world)
    assert not woken.wait(0.05)
    saved_counter(opened().store)
    assert woken.wait(PATIENCE)


def test_a_save_between_reading_and_waiting_is_not_missed(world: StoredWorld) -> None:
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
    opened: Callable[[], StoredWorld], monkeypatch: pytest.MonkeyPatch
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


@pytest.fixture
def started() -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Starts `save_until_killed.py`; killed after the test at the latest."""
    processes = []

    def start(shared: UUID, partition: int, place: Place) -> "subprocess.Popen[str]":
        program = ROOT / "tests" / "adapters" / "event_store" / "save_until_killed.py"
        processes.append(
            subprocess.Popen(
                [sys.executable, program, shared.hex, str(partition), *place.words],
                cwd=ROOT,
                env={"PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate(timeout=PATIENCE)


def said(process: "subprocess.Popen[str]", lines: int) -> int:
    """The last of so many lines."""
    assert process.stdout is not None
    return [int(process.stdout.readline()) for _ in range(lines)][-1]


def killed(process: "subprocess.Popen[str]") -> list[int]:
    """What it had said when it was killed."""
    process.kill()
    assert process.stdout is not None
    rest = process.stdout.read()
    return [int(line) for line in rest[: rest.rfind("\n") + 1].split()]


def test_processes_that_are_killed_lose_and_tear_nothing(
    place: Place, world: StoredWorld, started: Callable[..., "subprocess.Popen[str]"]
) -> None:
    shared = saved_counter(world.store)
    acknowledged = {0: -1, 1: -1}
    for _ in range(3):
        processes = {partition: started(shared, partition, place) for partition in acknowledged}
        for partition, process in processes.items():
            acknowledged[partition] = said(process, 15)
        for partition, process in processes.items():
            acknowledged[partition] = max([acknowledged[partition], *killed(process)])
    world.store.save(Unit([Counter.start()]))  # waits for those whose end the server has not noticed yet
    offsets = [world.store.ingested(partition) for partition in range(2)]
    for partition, offset in acknowledged.items():
        assert offset <= offsets[partition] <= offset + 1  # at most one was saved unsaid
    found = world.store.read(0, 100_000)[:-1]
    positions = [each.position for each in found]
    assert positions == sorted(set(positions))
    if isinstance(place, FilePlace):
        assert positions == list(range(1, len(found) + 1))
    versions = [each.event.originator_version for each in found if each.event.originator_id == shared]
    assert versions == list(range(1, len(versions) + 1))
    # Each unit is whole: a step on the shared counter, and a chat of two events.
    units = sum(offset + 1 for offset in offsets)
    assert len(versions) == 1 + units
    assert len(found) == 1 + 3 * units
    assert texts(found) == ["from a process"] * units


def test_a_reader_that_follows_many_processes_misses_nothing(
    place: Place, world: StoredWorld, started: Callable[..., "subprocess.Popen[str]"]
) -> None:
    processes = [started(saved_counter(world.store), partition, place) for partition in range(4)]
    for process in processes:
        said(process, 1)
    seen: list[int] = []
    while len(seen) < 600:
        seen += [each.position for each in world.store.read(seen[-1] if seen else 0, 20)]
    for process in processes:
        killed(process)
    there = [each.position for each in world.store.read(0, ALL) if each.position <= seen[-1]]
    assert seen == there


@pytest.mark.parametrize("kind", KINDS)
def test_processes_may_start_together(request: pytest.FixtureRequest, kind: str) -> None:
    program = (
        "import sys; from tests.fakes.databases import from_words, recorder_of;"
        " recorder_of(from_words(sys.argv[1:])).create_tables()"
    )
    for place in empty_place(request, kind):
        command = [sys.executable, "-c", program, *place.words]
        processes = [subprocess.Popen(command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}) for _ in range(4)]
        assert [process.wait(PATIENCE * 3) for process in processes] == [0] * 4


# ── tables ─────────────────────────────────────────────────────────────────────────────────────


def test_making_the_tables_again_changes_nothing(place: Place, world: StoredWorld) -> None:
    saved_counter(world.store)
    recorder_of(place.open()).create_tables()
    assert world.store.head() == 1


def test_the_tables_of_version_1_are_completed(place: Place, clock: FakeClock) -> None:
    database = place.open()
    with database.writing() as c:
        c.run("DROP TABLE arrival")
        c.run("PRAGMA user_version = 1" if isinstance(place, FilePlace) else "UPDATE made SET version = 1")
    recorder_of(database).create_tables()
    recorder_of(place.open()).create_tables()
    store = world_on(database, clock).store
    arrival = Arrival(uuid4(), uuid4(), clock.now())
    store.save(Unit([Counter.start()], arrivals=[arrival]))
    assert store.arrivals([arrival.content]) == [arrival]


def test_the_tables_of_a_newer_parley_are_refused(place: Place) -> None:
    database = place.open()
    with database.writing() as c:
        c.run("PRAGMA user_version = 99" if isinstance(place, FilePlace) else "UPDATE made SET version = 99")
    with pytest.raises(ValueError, match="newer Parley"):
        recorder_of(database).create_tables()
