"""What every `EventStore` must do, whatever keeps it."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from domain.errors import AlreadyTracked, Conflict, LeaseLost
from domain.ports import (
    Arrival,
    CustomerKeys,
    EventStore,
    Leases,
    Parked,
    Recorded,
    Source,
    Unit,
    WaitingReceipt,
)
from domain.values import ERASED
from tests.contracts.samples import AT, Chat, Counter

PATIENCE = 10.0  # seconds after which a test gives up
ALL = 10_000
LEASE = timedelta(seconds=10)
MINUTE = timedelta(minutes=1)


class FakeClock:
    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


@dataclass
class World:
    """What one process has open: its store, and what shares the store's transactions."""

    store: EventStore
    leases: Leases
    keys: CustomerKeys
    clock: FakeClock


def chat(store: EventStore, stream_id: UUID) -> Chat:
    aggregate = store.load([stream_id])[stream_id]
    assert isinstance(aggregate, Chat)
    return aggregate


def counter(store: EventStore, stream_id: UUID) -> Counter:
    aggregate = store.load([stream_id])[stream_id]
    assert isinstance(aggregate, Counter)
    return aggregate


def saved_counter(store: EventStore, number: int = 0) -> UUID:
    new = Counter.start()
    if number:
        new.count(number)
    store.save(Unit([new]))
    return new.id


def saved_chat(store: EventStore, customer_id: UUID, *texts: str) -> UUID:
    new = Chat.start(customer_id)
    for text in texts:
        new.write(text)
    store.save(Unit([new]))
    return new.id


def texts(found: Sequence[Recorded]) -> list[str]:
    return [each.event.text for each in found if isinstance(each.event, Chat.Wrote)]


def receipt(reference: UUID, offset: int = 5) -> WaitingReceipt:
    return WaitingReceipt(reference, 1, offset, AT + MINUTE)


class EventStoreContract:
    """Subclasses provide `open_world`."""

    @pytest.fixture
    def open_world(self) -> Callable[[], World]:
        """Open one and the same store, as one more process would: nothing is shared but what is stored, and
        the clock.
        """
        raise NotImplementedError

    @pytest.fixture
    def world(self, open_world: Callable[[], World]) -> World:
        return open_world()

    @pytest.fixture
    def other(self, open_world: Callable[[], World], world: World) -> World:
        return open_world()

    @pytest.fixture
    def store(self, world: World) -> EventStore:
        return world.store

    # ── saving and reading ─────────────────────────────────────────────────────────────────────

    def test_a_new_store_is_empty(self, store: EventStore) -> None:
        assert store.head() == 0
        assert store.read(0, ALL) == []
        assert store.stream(uuid4()) == []
        assert store.load([uuid4()]) == {}
        assert store.ingested(0) == -1
        assert store.save(Unit()) == 0

    def test_events_come_back_as_they_were(self, store: EventStore) -> None:
        new = Chat.start(uuid4())
        new.write("Zażółć 👋", None)
        new.write("", "with a note")
        events = list(new.pending_events)
        assert store.save(Unit([new])) == 3
        assert [each.event for each in store.stream(new.id)] == events
        assert [each.event for each in store.read(0, ALL)] == events
        assert [type(each.event) for each in store.read(0, ALL)] == [Chat.Created, Chat.Wrote, Chat.Wrote]

    def test_an_aggregate_comes_back_as_it_was(self, store: EventStore, other: World) -> None:
        new = Chat.start(uuid4())
        new.write("hello")
        store.save(Unit([new]))
        assert new.pending_events == []
        assert chat(store, new.id) == new
        assert chat(store, new.id) == new  # from a cache, if there is one
        assert chat(other.store, new.id) == new

    def test_positions_rise_by_commit(self, store: EventStore, other: World) -> None:
        first = Counter.start()
        last = store.save(Unit([first]))
        second = Counter.start()
        second.count()
        assert other.store.save(Unit([second])) > last
        found = store.read(0, ALL)
        assert [each.event.originator_id for each in found] == [first.id, second.id, second.id]
        assert [each.position for each in found] == sorted({each.position for each in found})
        assert store.head() == other.store.head() == found[-1].position
        assert store.read(found[0].position, 1) == [found[1]]
        assert store.read(found[-1].position, ALL) == []
        assert store.stream(second.id) == found[1:]

    def test_many_streams_load_at_once_and_missing_ones_are_absent(self, store: EventStore) -> None:
        ids = {saved_counter(store, number): number for number in range(1, 30)}
        some = list(ids)[::2]
        store.load(some)  # half of them from a cache, if there is one
        loaded = store.load([*ids, uuid4()])
        assert {stream_id: vars(aggregate)["total"] for stream_id, aggregate in loaded.items()} == ids

    def test_what_another_process_saved_is_loaded(self, store: EventStore, other: World) -> None:
        stream_id = saved_counter(store, 1)
        mine = counter(store, stream_id)
        theirs = counter(other.store, stream_id)
        theirs.count(10)
        other.store.save(Unit([theirs]))
        assert counter(store, stream_id).total == 11
        assert mine.total == 1

    # ── conflicts ──────────────────────────────────────────────────────────────────────────────

    def test_who_saves_second_has_a_conflict_and_saves_nothing(self, store: EventStore, other: World) -> None:
        ids = [saved_counter(store) for _ in range(3)]
        mine = [counter(store, stream_id) for stream_id in ids]
        theirs = counter(other.store, ids[1])
        theirs.count()
        other.store.save(Unit([theirs]))
        head = store.head()
        for each in mine:
            each.count()
        reference = uuid4()
        unit = Unit(
            mine,
            Source(0, 7),
            waiting=[receipt(reference)],
            references={reference: uuid4()},
            arrivals=[Arrival(reference, uuid4(), AT)],
        )
        with pytest.raises(Conflict) as caught:
            store.save(unit)
        assert caught.value.stale == {ids[1]}
        assert (store.head(), store.ingested(0)) == (head, -1)
        assert (store.waiting_receipts([reference]), store.messages_by_reference([reference])) == ([], {})
        assert store.arrivals([reference]) == []
        assert [counter(store, stream_id).total for stream_id in ids] == [0, 1, 0]

    def test_every_event_of_a_stale_stream_was_too_late(self, store: EventStore, other: World) -> None:
        stale, fine = saved_counter(store), saved_counter(store)
        mine = [counter(store, stale), counter(store, fine)]
        theirs = counter(other.store, stale)
        theirs.count()
        other.store.save(Unit([theirs]))
        for each in mine:
            each.count()
            each.count()
        with pytest.raises(Conflict) as caught:
            store.save(Unit(mine))
        assert caught.value.stale == {stale}

    def test_a_stream_begins_once(self, store: EventStore, other: World) -> None:
        stream_id = uuid4()
        store.save(Unit([Counter.start(stream_id)]))
        with pytest.raises(Conflict) as caught:
            other.store.save(Unit([Counter.start(), Counter.start(stream_id)]))
        assert caught.value.stale == {stream_id}
        assert store.head() == 1

    def test_aggregates_whose_save_failed_cannot_be_saved_by_trying_again(self, store: EventStore) -> None:
        stream_id = saved_counter(store)
        mine, theirs = counter(store, stream_id), counter(store, stream_id)
        theirs.count()
        store.save(Unit([theirs]))
        mine.count()
        for _ in range(2):
            with pytest.raises(Conflict):
                store.save(Unit([mine]))

    def test_reloading_after_a_conflict_succeeds(self, store: EventStore, other: World) -> None:
        stream_id = saved_counter(store)
        mine, theirs = counter(store, stream_id), counter(other.store, stream_id)
        theirs.count(10)
        other.store.save(Unit([theirs]))
        mine.count(1)
        with pytest.raises(Conflict):
            store.save(Unit([mine]))
        again = counter(store, stream_id)
        again.count(1)
        store.save(Unit([again]))
        assert counter(store, stream_id).total == counter(other.store, stream_id).total == 11

    def test_what_a_caller_does_to_an_aggregate_is_its_own(self, store: EventStore) -> None:
        stream_id = saved_chat(store, uuid4(), "one")
        for _ in range(2):
            mine = chat(store, stream_id)
            mine.write("never saved")
            mine.texts.append("nor this")
        assert chat(store, stream_id).texts == ["one"]
        assert chat(store, stream_id).pending_events == []
        mine = chat(store, stream_id)
        mine.write("two")
        store.save(Unit([mine]))
        mine.write("never saved")
        assert chat(store, stream_id).texts == ["one", "two"]

    # ── exactly once ───────────────────────────────────────────────────────────────────────────

    def test_the_source_moves_with_the_events(self, store: EventStore, other: World) -> None:
        store.save(Unit([Counter.start()], Source(0, 0)))
        store.save(Unit([Counter.start()], Source(1, 41)))
        assert [other.store.ingested(partition) for partition in (0, 1, 2)] == [0, 41, -1]
        store.save(Unit(source=Source(0, 9)))
        assert other.store.ingested(0) == 9

    @pytest.mark.parametrize("offset", [9, 8, 0])
    def test_what_was_ingested_is_refused(self, store: EventStore, other: World, offset: int) -> None:
        store.save(Unit([Counter.start()], Source(3, 9)))
        late = Unit([Counter.start()], Source(3, offset), waiting=[receipt(UUID(int=1))])
        with pytest.raises(AlreadyTracked):
            other.store.save(late)
        assert (store.head(), store.ingested(3)) == (1, 9)
        assert store.waiting_receipts([UUID(int=1)]) == []

    def test_being_ingested_already_says_more_than_a_conflict(self, store: EventStore) -> None:
        stream_id = uuid4()
        store.save(Unit([Counter.start(stream_id)], Source(0, 4)))
        with pytest.raises(AlreadyTracked):
            store.save(Unit([Counter.start(stream_id)], Source(0, 4), unchanged={stream_id: 0}))

    def test_a_batch_is_ingested_once_whoever_tries(self, store: EventStore, other: World) -> None:
        def ingest(number: int) -> bool:
            try:
                (store, other.store)[number % 2].save(Unit([Counter.start()], Source(0, number // 8)))
            except AlreadyTracked:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(ingest, range(80)))
        assert outcomes.count(True) == store.head()
        assert store.ingested(0) == 9
        assert store.head() <= 10

    # ── guards ─────────────────────────────────────────────────────────────────────────────────

    def test_streams_that_have_not_moved_let_a_unit_through(self, store: EventStore) -> None:
        stream_id = saved_counter(store, 1)
        assert store.save(Unit([Counter.start()], unchanged={stream_id: 2, uuid4(): 0})) == 3

    @pytest.mark.parametrize("version", [0, 1, 3])
    def test_streams_that_have_moved_stop_a_unit(self, store: EventStore, version: int) -> None:
        stream_id, still = saved_counter(store, 1), saved_counter(store)
        with pytest.raises(Conflict) as caught:
            store.save(Unit([Counter.start()], Source(0, 1), unchanged={stream_id: version, still: 1}))
        assert caught.value.stale == {stream_id}
        assert (store.head(), store.ingested(0)) == (3, -1)

    def test_a_lease_lets_its_owner_through_also_after_a_renewal(self, world: World) -> None:
        lease = world.leases.acquire("lane", "me", LEASE)
        assert lease is not None
        world.store.save(Unit([Counter.start()], lease=lease))
        world.clock.time += LEASE / 2
        assert world.leases.acquire("lane", "me", LEASE) is not None
        world.clock.time += LEASE / 2
        assert world.store.save(Unit([Counter.start()], lease=lease)) == 2

    @pytest.mark.parametrize("how", ["expired", "taken", "released"])
    def test_a_lost_lease_stops_a_unit(self, world: World, other: World, how: str) -> None:
        lease = world.leases.acquire("lane", "me", LEASE)
        assert lease is not None
        if how == "released":
            world.leases.release(lease)
        else:
            world.clock.time += LEASE
        if how == "taken":
            assert other.leases.acquire("lane", "you", LEASE) is not None
        with pytest.raises(LeaseLost):
            world.store.save(Unit([Counter.start()], Source(0, 1), lease=lease))
        assert (world.store.head(), world.store.ingested(0)) == (0, -1)

    # ── side records ───────────────────────────────────────────────────────────────────────────

    def test_receipts_wait_until_they_are_matched(self, store: EventStore, other: World) -> None:
        one, two = uuid4(), uuid4()
        store.save(Unit(waiting=[receipt(one, 5), receipt(two, 6), receipt(one, 7)]))
        assert other.store.waiting_receipts([one, uuid4()]) == [receipt(one, 5), receipt(one, 7)]
        store.save(Unit(matched=[one]))
        assert other.store.waiting_receipts([one, two]) == [receipt(two, 6)]

    def test_references_find_messages_and_the_newest_wins(self, store: EventStore, other: World) -> None:
        one, two, old, new = (uuid4() for _ in range(4))
        store.save(Unit(references={one: old, two: old}))
        store.save(Unit(references={one: new}))
        assert other.store.messages_by_reference([one, two, uuid4()]) == {one: new, two: old}

    def test_arrivals_are_found_by_what_was_said(self, store: EventStore, other: World) -> None:
        one, two = uuid4(), uuid4()
        late, early = Arrival(one, uuid4(), AT + MINUTE), Arrival(one, uuid4(), AT)
        store.save(Unit(arrivals=[late, Arrival(two, uuid4(), AT), early]))
        assert other.store.arrivals([one, uuid4()]) == [early, late]

    def test_arrivals_are_forgotten_when_they_are_old(self, store: EventStore, other: World) -> None:
        content = uuid4()
        old, young = Arrival(content, uuid4(), AT), Arrival(content, uuid4(), AT + MINUTE)
        store.save(Unit(arrivals=[old, young]))
        store.forget_arrivals(AT)
        assert other.store.arrivals([content]) == [old, young]
        store.forget_arrivals(young.accepted_at)
        assert other.store.arrivals([content]) == [young]

    def test_a_parked_fact_moves_the_source(self, store: EventStore) -> None:
        store.save(Unit(source=Source(2, 3), parked=[Parked(2, 3, "cannot be read")]))
        assert store.ingested(2) == 3

    # ── forgetting ─────────────────────────────────────────────────────────────────────────────

    def test_a_forgotten_customer_reads_as_erased(self, world: World, other: World) -> None:
        gone, stays = uuid4(), uuid4()
        stream_id = saved_chat(world.store, gone, "secret", "more")
        kept = saved_chat(world.store, stays, "kept")
        for each in (world, other):
            assert chat(each.store, stream_id).texts == ["secret", "more"]
        assert world.keys.destroy(gone) == 1
        for each in (world, other):
            assert (chat(each.store, stream_id).texts, chat(each.store, stream_id).address) == (
                [ERASED, ERASED],
                ERASED,
            )
            assert texts(each.store.stream(stream_id)) == [ERASED, ERASED]
            assert texts(each.store.read(0, ALL)) == [ERASED, ERASED, "kept"]
            assert chat(each.store, kept).texts == ["kept"]
        assert world.keys.destroy(gone) == 0

    def test_what_was_never_there_is_not_erased(self, world: World) -> None:
        customer_id = uuid4()
        stream_id = saved_chat(world.store, customer_id, "secret")
        world.keys.destroy(customer_id)
        event = world.store.stream(stream_id)[1].event
        assert isinstance(event, Chat.Wrote)
        assert (event.text, event.note) == (ERASED, None)

    def test_a_customer_who_returns_has_a_new_key(self, world: World, other: World) -> None:
        customer_id = uuid4()
        stream_id = saved_chat(world.store, customer_id, "before")
        other.keys.destroy(customer_id)
        returning = chat(world.store, stream_id)
        returning.write("after")
        world.store.save(Unit([returning]))
        for each in (world, other):
            assert chat(each.store, stream_id).texts == [ERASED, "after"]
        assert world.keys.destroy(customer_id) == 1
        assert chat(other.store, stream_id).texts == [ERASED, ERASED]

    def test_who_saves_under_a_destroyed_key_succeeds_the_second_time(
        self, world: World, other: World
    ) -> None:
        customer_id = uuid4()
        saved_chat(world.store, customer_id, "before")
        other.keys.destroy(customer_id)
        with suppress(Conflict):
            saved_chat(world.store, customer_id, "refused")
        saved_chat(world.store, customer_id, "after")
        assert texts(other.store.read(0, ALL))[-1] == "after"

    def test_forgetting_a_customer_while_others_write_loses_nothing(self, world: World, other: World) -> None:
        customer_id = uuid4()
        stop = threading.Event()

        def write(store: EventStore) -> int:
            saves = 0
            while not stop.is_set() or not saves:
                try:
                    saved_chat(store, customer_id, "x")
                except Conflict:
                    continue
                saves += 1
            return saves

        with ThreadPoolExecutor(2) as pool:
            writers = [pool.submit(write, each.store) for each in (world, other)]
            for _ in range(10):
                world.keys.destroy(customer_id)
            stop.set()
            saves = sum(writer.result(PATIENCE) for writer in writers)
        world.keys.destroy(customer_id)
        assert texts(other.store.read(0, ALL)) == [ERASED] * saves

    # ── many writers ───────────────────────────────────────────────────────────────────────────

    def test_threads_lose_nothing_and_leave_no_gaps(self, world: World, other: World) -> None:
        shared = saved_counter(world.store)
        stale: list[frozenset[UUID]] = []

        def count(number: int) -> None:
            store = (world, other)[number % 2].store
            while True:
                mine = counter(store, shared)
                mine.count()
                try:
                    store.save(Unit([mine, Counter.start()]))
                except Conflict as conflict:
                    stale.append(conflict.stale)
                else:
                    return

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(count, range(60)))
        assert counter(world.store, shared).total == 60
        assert set(stale) <= {frozenset({shared})}
        versions = [each.event.originator_version for each in world.store.stream(shared)]
        assert versions == list(range(1, 62))
        assert len(world.store.read(0, ALL)) == 1 + 2 * 60

    def test_a_tailing_reader_misses_nothing(self, world: World, other: World) -> None:
        done = threading.Event()
        seen: list[int] = []

        def tail() -> None:
            while True:
                last = done.is_set()
                seen.extend(each.position for each in other.store.read(seen[-1] if seen else 0, 7))
                if last and seen[-1:] == [other.store.head()]:
                    return

        with ThreadPoolExecutor(5) as pool:
            reader = pool.submit(tail)
            list(pool.map(lambda _: saved_counter(world.store, 1), range(60)))
            done.set()
            reader.result(PATIENCE)
        assert seen == [each.position for each in world.store.read(0, ALL)]
        assert len(seen) == 120
