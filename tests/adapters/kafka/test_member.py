"""Members of a group: who reads what, from where, and what happens when one goes."""

import logging
from collections.abc import Callable, Iterator

import pytest

from adapters.kafka import feed
from adapters.kafka.connection import KafkaConnection
from adapters.kafka.log import KafkaLog
from adapters.kafka.member import KafkaMember
from domain.errors import LogUnavailable, OffsetOutOfRange
from domain.ports import NewRecord, Record
from tests.adapters.kafka.patience import until
from tests.contracts.log_contract import ALL, after, records, values

EVERYTHING = frozenset(range(4))


@pytest.fixture
def join(connection: KafkaConnection, topic: str) -> Iterator[Callable[[], KafkaMember]]:
    """Another member of the one group."""
    joined: list[KafkaMember] = []

    def new_member() -> KafkaMember:
        joined.append(KafkaMember(connection, topic, f"{topic}-group"))
        return joined[-1]

    yield new_member
    for member in joined:
        member.close()


class Positions:
    """What the event store keeps: how far each partition was ingested, and what came of it."""

    def __init__(self) -> None:
        self.after = dict.fromkeys(range(4), -1)
        self.ingested: list[bytes] = []

    def turn(self, member: KafkaMember) -> None:
        """One turn of an ingest worker."""
        for partition in member.assigned():
            for record in member.read(partition, self.after[partition], 100):
                assert record.offset == self.after[partition] + 1
                self.ingested.append(record.value)
                self.after[partition] = record.offset
        member.wait(0.02)


def joined(member: KafkaMember) -> KafkaMember:
    """The only member, once all is its own."""
    until(lambda: member.assigned() == EVERYTHING, lambda: member.wait(0.02))
    return member


def read_on(member: KafkaMember, partition: int, after: int, count: int) -> list[str]:
    """So many records beyond an offset, however many turns it takes."""
    found: list[Record] = []

    def turn() -> None:
        found.extend(member.read(partition, found[-1].offset if found else after, ALL))
        member.wait(0.02)

    until(lambda: len(found) >= count, turn)
    return values(found)


def some(numbers: range) -> list[NewRecord]:
    return [NewRecord(b"%d" % number, b"%d" % number) for number in numbers]


def test_one_member_reads_everything_in_order(log: KafkaLog, join: Callable[[], KafkaMember]) -> None:
    member, positions = join(), Positions()
    assert member.partitions == 4
    assert member.assigned() == frozenset()
    log.append(some(range(500)))
    until(lambda: len(positions.ingested) == 500, lambda: positions.turn(member))
    assert member.assigned() == EVERYTHING
    assert sorted(positions.ingested, key=int) == [b"%d" % number for number in range(500)]
    log.append(some(range(500, 510)))
    until(lambda: len(positions.ingested) == 510, lambda: positions.turn(member))


def test_two_members_share_and_one_takes_over(log: KafkaLog, join: Callable[[], KafkaMember]) -> None:
    first, second, positions = join(), join(), Positions()

    def turn() -> None:
        positions.turn(first)
        positions.turn(second)

    until(lambda: len(first.assigned()) == len(second.assigned()) == 2, turn)
    assert first.assigned() | second.assigned() == EVERYTHING
    log.append(some(range(300)))
    until(lambda: len(positions.ingested) >= 100, turn)
    first.close()
    log.append(some(range(300, 400)))
    until(lambda: len(positions.ingested) == 400, lambda: positions.turn(second))
    assert second.assigned() == EVERYTHING
    assert sorted(positions.ingested, key=int) == [b"%d" % number for number in range(400)]


def test_a_member_resumes_where_it_is_told(log: KafkaLog, join: Callable[[], KafkaMember]) -> None:
    places = log.append(records(*map(str, range(10))))
    member = joined(join())
    for start in (6, 2, 8):  # on, back, and on again
        found = read_on(member, places[0].partition, places[start].offset, 9 - start)
        assert found == [str(number) for number in range(start + 1, 10)]


def test_what_is_not_ours_is_not_read(log: KafkaLog, join: Callable[[], KafkaMember]) -> None:
    log.append(records("1"))
    member = join()
    assert [member.read(partition, -1, ALL) for partition in EVERYTHING] == [[], [], [], []]


def test_records_removed_unread_are_an_alarm(log: KafkaLog, join: Callable[[], KafkaMember]) -> None:
    places = log.append(records("1", "2"))
    partition = places[0].partition
    log.trim(after(places))
    member = joined(join())
    for _ in range(2):  # and stay one
        with pytest.raises(OffsetOutOfRange, match="nothing can be read after offset -1"):
            read_on(member, partition, -1, 1)
    assert member.read(partition, places[-1].offset, ALL) == []
    log.append(records("3"))
    assert read_on(member, partition, places[-1].offset, 1) == ["3"]


def test_a_position_beyond_the_end_is_an_alarm(log: KafkaLog, join: Callable[[], KafkaMember]) -> None:
    [place] = log.append(records("1"))
    member = joined(join())
    with pytest.raises(OffsetOutOfRange, match="made anew"):
        read_on(member, place.partition, 7, 1)


def test_reading_ahead_is_bounded(
    log: KafkaLog, join: Callable[[], KafkaMember], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "POLL_RECORDS", 10)
    monkeypatch.setattr(feed, "MOST_RECORDS", 50)
    log.append([NewRecord(b"k", b"%d" % number) for number in range(500)])
    member, positions = join(), Positions()
    until(lambda: bool(positions.ingested), lambda: positions.turn(member))
    for _ in range(30):
        member._feed.poll(0)
    assert max(len(stream.buffer) for stream in member._feed._streams.values()) == 50
    until(lambda: len(positions.ingested) == 500, lambda: positions.turn(member))
    assert positions.ingested == [b"%d" % number for number in range(500)]


def test_a_stalled_consumer_is_replaced(
    log: KafkaLog,
    join: Callable[[], KafkaMember],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(feed, "LOOK_SECONDS", 0.1)
    member, positions = join(), Positions()
    log.append(some(range(20)))
    until(lambda: len(positions.ingested) == 20, lambda: positions.turn(member))
    stalled = member._feed._consumer
    stalled.pause(*stalled.assignment())  # behind the feed's back
    log.append(some(range(20, 40)))
    with caplog.at_level(logging.WARNING):
        until(lambda: len(positions.ingested) == 40, lambda: positions.turn(member))
    assert "stalls on partitions" in caplog.text
    assert member._feed._consumer is not stalled


def test_the_lag_is_known(
    log: KafkaLog, join: Callable[[], KafkaMember], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "LOOK_SECONDS", 0.1)
    [place, *_] = log.append(records(*map(str, range(30))))
    member = joined(join())

    def turn() -> None:
        for partition in EVERYTHING - {place.partition}:
            member.read(partition, -1, ALL)
        member.read(place.partition, 9, 1)
        member.wait(0.02)

    until(lambda: member.lag().get(place.partition) == 20, turn)
    assert sum(member.lag().values()) == 20


def test_no_topic_no_member(connection: KafkaConnection) -> None:
    with pytest.raises(LogUnavailable, match="no topic missing: run `parley topics`"):
        KafkaMember(connection, "missing", "group")
