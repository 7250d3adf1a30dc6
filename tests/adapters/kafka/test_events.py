"""The events topic is read as its page in docs/ says: in order, once, up to a gap, without void records."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from adapters.event_store.outbox import OutboxEvent
from adapters.kafka.connection import KafkaConnection
from adapters.kafka.events import EventsTopic, NotAnEvent, record_of, times_of
from adapters.kafka.topics import TopicPlan, make_topics
from adapters.partitioning import partition_of
from domain.ports import NewRecord, Source

AT = datetime(2026, 3, 2, 9, 0, 0, 123456, UTC)
PARTITIONS = 3


@pytest.fixture
def events(connection: KafkaConnection, topic_prefix: str) -> Iterator[EventsTopic]:
    name = f"{topic_prefix}.events"
    make_topics(connection, [TopicPlan(name, PARTITIONS, 1, {"retention.ms": "-1"})])
    topic = EventsTopic(connection, name)
    yield topic
    topic.close()


class Store:
    """Events at the positions that a test wants, and the records that tell of them."""

    def __init__(self, epochs: tuple[int, ...] = (0,)) -> None:
        self.epochs = epochs
        self.before = 0
        self.places: dict[int, int] = {}  # partitions, by position

    def record(self, position: int, partition: int | None = None, unit: int | None = None) -> NewRecord:
        """The record of the next event; its stream is such that it falls into the partition."""
        key = next(each for each in _keys() if partition in (None, place(each)))
        event = OutboxEvent(
            position, key, 1, "test.v1", b"state %d" % position, unit or position, Source(1, 7), AT, key, None
        )
        previous = max((each for each, other in self.places.items() if other == place(key)), default=0)
        record = record_of(event, topic="t", epochs=self.epochs, previous=previous, before=self.before)
        self.places[position] = place(key)
        self.before = position
        return record

    def restored(self, after: int) -> "Store":
        """The store of the next epoch; everything before is as it was."""
        store = Store((*self.epochs, after))
        store.before = after
        store.places = {position: each for position, each in self.places.items() if position <= after}
        return store


def _keys() -> Iterator[UUID]:
    while True:
        yield uuid4()


def place(key: UUID) -> int:
    return partition_of(key.bytes, PARTITIONS)


def put(events: EventsTopic, *records: NewRecord) -> None:
    """One after the other, so that they are in this order."""
    for each in records:
        events.append([each], times_of([each]))


def read(events: EventsTopic, problem: str = "") -> list[int]:
    reading = events.read()
    found = [each.position for each in reading]
    assert problem in reading.problem
    assert bool(problem) == bool(reading.problem)
    return found


def test_an_empty_topic_has_no_events(events: EventsTopic) -> None:
    assert read(events) == []
    assert events.tails() == {}


def test_a_record_says_what_the_event_was(events: EventsTopic) -> None:
    record = Store().record(5, unit=9)
    put(events, record)
    [found] = events.read()
    key = UUID(bytes=record.key)
    assert (found.partition, found.offset) == (place(key), 0)
    assert (found.position, found.previous, found.before, found.unit) == (5, 0, 0, 9)
    assert (found.epoch, found.epochs) == (1, (0,))
    assert (found.stream_id, found.version, found.topic, found.state) == (key, 1, "test.v1", b"state 5")
    assert found.source == Source(1, 7)
    assert events.tails() == {place(key): found}


def test_all_partitions_are_read_in_one_order(events: EventsTopic) -> None:
    store = Store()
    positions = [number * 3 for number in range(1, 200)]  # positions have gaps
    records = [store.record(each) for each in positions]
    assert {place(UUID(bytes=each.key)) for each in records} == set(range(PARTITIONS))
    events.append(records, times_of(records))
    assert read(events) == positions


@pytest.mark.parametrize(
    "order", [(0, 0, 1, 2), (0, 1, 2, 0, 1, 2), (0, 1, 0, 1, 2), (0, 1, 2, 1, 2, 3), (0, 1, 1, 0, 2, 3)]
)
def test_repeats_are_ignored(events: EventsTopic, order: Sequence[int]) -> None:
    store = Store()
    records = [store.record(each, partition=1) for each in (1, 2, 3, 4)]
    put(events, *(records[each] for each in order))
    assert read(events) == [1, 2, 3, 4][: max(order) + 1]


def test_nothing_after_a_gap_in_a_partition_is_read(events: EventsTopic) -> None:
    store = Store()
    records = [store.record(each, partition=1) for each in (1, 2, 3, 4)]
    put(events, records[0], records[1], records[3])
    assert read(events, "offset 2 names position 3 as the one before it, but 2 is") == [1, 2]


def test_nothing_after_a_gap_between_partitions_is_read(events: EventsTopic) -> None:
    store = Store()
    records = [store.record(position, partition=position % 2) for position in range(1, 7)]
    put(
        events, *(each for number, each in enumerate(records, 1) if number != 6), store.record(7, partition=2)
    )
    assert read(events, "after position 5 follows 7, which names 6") == [1, 2, 3, 4, 5]


def test_what_older_epochs_wrote_beyond_a_restored_store_is_void(events: EventsTopic) -> None:
    first = Store()
    put(events, *(first.record(each, partition=each % 3) for each in (1, 2, 3, 4, 5)))
    second = first.restored(after=3)
    put(events, *(second.record(each, partition=1) for each in (6, 7)))
    assert read(events) == [1, 2, 3, 6, 7]
    assert events.read().epochs == (0, 3)


def test_a_partition_that_newer_epochs_never_wrote_to_has_void_records_as_well(events: EventsTopic) -> None:
    first = Store()
    put(events, *(first.record(each, partition=0) for each in (1, 2, 3)))
    second = first.restored(after=2)
    put(events, *(second.record(each, partition=1) for each in (4, 5, 6)))
    third = second.restored(after=5)
    put(events, third.record(7, partition=2))
    assert read(events) == [1, 2, 4, 5, 7]


def test_what_a_relay_of_an_older_epoch_writes_afterwards_is_void(events: EventsTopic) -> None:
    first = Store()
    put(events, *(first.record(each, partition=0) for each in (1, 2)))
    second = first.restored(after=2)
    put(events, second.record(4, partition=0), first.record(3, partition=0))
    assert read(events) == [1, 2, 4]
    assert {each.position for each in events.tails(2).values()} == {4}


def test_the_newest_is_found_behind_what_came_late(events: EventsTopic) -> None:
    store = Store()
    records = [store.record(each, partition=1) for each in (1, 2, 3)]
    put(events, *records, records[0], records[1])
    assert events.tails()[1].position == 2
    assert events.tails(10)[1].position == 3


@pytest.mark.parametrize("left_out", ["parley_position", "parley_epochs", "ce_subject"])
def test_a_strangers_record_is_refused(events: EventsTopic, left_out: str) -> None:
    record = Store().record(1)
    headers = {name: value for name, value in record.headers.items() if name != left_out}
    put(events, NewRecord(record.key, record.value, headers, AT))
    with pytest.raises(NotAnEvent, match="offset 0"):
        events.tails()


def test_much_is_read_whole(events: EventsTopic) -> None:
    """More than fits into one fetch or one poll."""
    store = Store()
    records = [store.record(each) for each in range(1, 4_001)]
    events.append(records, times_of(records))
    assert read(events) == list(range(1, 4_001))
