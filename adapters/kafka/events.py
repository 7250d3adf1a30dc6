"""The events topic: what a record of an event holds, and all partitions read in one order.

`docs/events-topic.md` is the contract with readers that are not ours; this is the same in code.
"""

import heapq
import logging
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from uuid import UUID

from adapters.event_store.outbox import OutboxEvent
from adapters.kafka.connection import KafkaConnection
from adapters.kafka.producer import Producer
from adapters.kafka.reader import Reader
from adapters.kafka.records import to_millis
from adapters.kafka.tail import read_ranges
from domain.errors import ParleyError
from domain.ports import NewRecord, Record, Source

SEND_TIMEOUT = 10.0
"""Seconds in which a chunk must be acknowledged."""

LOOK_BACK = 6_000
"""Records of a partition among which the newest surely is. As a rule it is the last; but what a producer had
on its way when it was thrown away may arrive behind what was sent after it.
"""

log = logging.getLogger(__name__)


class NotAnEvent(ParleyError):
    """A record on the events topic that Parley did not write, or one that contradicts the others."""


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event as the topic has it. The headers' meaning is in `docs/events-topic.md`."""

    partition: int
    offset: int
    position: int
    previous: int
    before: int
    unit: int
    epochs: tuple[int, ...]  # after which position each began, up to the record's own
    stream_id: UUID
    version: int
    topic: str
    source: Source | None
    state: bytes

    @property
    def epoch(self) -> int:
        """The number of the epoch that it was written in, from 1."""
        return len(self.epochs)


class EventsTopic:
    """The topic as the relay writes it and as a restore reads it. For any number of threads."""

    def __init__(self, connection: KafkaConnection, topic: str, *, timeout: float = SEND_TIMEOUT) -> None:
        """Open the topic. Raises LogUnavailable when Kafka cannot be reached or has no such topic."""
        self.name = topic
        self._connection = connection
        self._reader = Reader(connection, topic)
        self.partitions = self._reader.partitions
        self._producer = Producer(connection, topic, self.partitions, timeout)

    def append(self, records: Sequence[NewRecord], times: Sequence[int]) -> None:
        """Append records, each with its time in milliseconds since 1970; acknowledged when it returns.

        Raises LogUnavailable when they are not in time: the producer is thrown away then, and what it had on
        its way may arrive later, in order.
        """
        self._producer.send(records, times)

    def tails(self, look_back: int = 1) -> dict[int, EventRecord]:
        """The newest among the last records of each partition that has any: that of the greatest epoch, and
        of the greatest position in it. Raises NotAnEvent, LogUnavailable.
        """
        found: dict[int, EventRecord] = {}
        ends = self._reader.ends()
        last = {partition: (max(0, end - look_back), end) for partition, end in ends.items()}
        for each in map(event_of, read_ranges(self._connection, self.name, last)):
            newest = found.get(each.partition)
            if newest is None or (each.epoch, each.position) > (newest.epoch, newest.position):
                found[each.partition] = each
        return found

    def read(self) -> "Reading":
        """All events that there are now and that count, in the order of the store.

        Raises NotAnEvent, LogUnavailable; OffsetOutOfRange when the topic's beginning is gone.
        """
        tails = self.tails(LOOK_BACK)
        epochs = max((each.epochs for each in tails.values()), key=len, default=(0,))
        partitions = [
            _Partition(number, end, epochs, read_ranges(self._connection, self.name, {number: (0, end)}))
            for number, end in self._reader.ends().items()
        ]
        return Reading(epochs, max((each.position for each in tails.values()), default=0), partitions)

    def close(self) -> None:
        """Close it. Later calls raise LogUnavailable."""
        self._producer.close()
        self._reader.close()


class Reading:
    """One way through the topic, to be iterated over once."""

    def __init__(self, epochs: tuple[int, ...], highest: int, partitions: Sequence["_Partition"]) -> None:
        self.epochs = epochs  # after which position each began, up to the newest
        self.highest = highest  # the greatest position, void ones included
        self.records = sum(each.end for each in partitions)  # that there are, with repeats and void ones
        self.position = 0  # of the last event so far
        self.problem = ""  # why it ended before the topic's end
        self._partitions = partitions

    def __iter__(self) -> Iterator[EventRecord]:
        try:
            for each in heapq.merge(*self._partitions, key=attrgetter("position")):
                if each.before != self.position:
                    self.problem = (
                        f"after position {self.position} follows {each.position}, which names {each.before}"
                        " as the one before it: what lies between is not there"
                    )
                    break
                self.position = each.position
                yield each
        finally:
            for partition in self._partitions:
                self.problem = self.problem or partition.problem
                partition.close()


class _Partition:
    """The records of one partition that count, once each, up to a gap."""

    def __init__(self, number: int, end: int, epochs: tuple[int, ...], records: Generator[Record]) -> None:
        self.number = number
        self.end = end
        self.problem = ""
        self._epochs = epochs
        self._records = records
        self._last = 0

    def __iter__(self) -> Iterator[EventRecord]:
        for record in self._records:
            each = event_of(record)
            if is_void(each, self._epochs) or each.position <= self._last:
                continue
            if each.previous != self._last:
                self.problem = (
                    f"partition {self.number}: the record at offset {each.offset} names position"
                    f" {each.previous} as the one before it, but {self._last} is"
                )
                return
            self._last = each.position
            yield each

    def close(self) -> None:
        """Read no further."""
        self._records.close()


def is_void(record: EventRecord, epochs: Sequence[int]) -> bool:
    """Whether a later epoch began before this record's position. `epochs`: up to the newest.

    Raises NotAnEvent when the record is of an epoch beyond those.
    """
    if record.epoch > len(epochs):
        raise NotAnEvent(
            f"Partition {record.partition}, offset {record.offset} is of epoch {record.epoch}; the last"
            f" records know {len(epochs)}. Another restore was finished meanwhile: read again."
        )
    return any(after < record.position for after in epochs[record.epoch :])


def record_of(
    event: OutboxEvent, *, topic: str, epochs: Sequence[int], previous: int, before: int
) -> NewRecord:
    """The record that tells of an event."""
    epoch = len(epochs)
    headers = {
        "ce_specversion": "1.0",
        "ce_id": f"{event.stream_id}:{event.version}",
        "ce_source": f"{topic}/{epoch}",
        "ce_type": event.topic,
        "ce_subject": str(event.stream_id),
        "ce_time": event.at.isoformat(),
        "content-type": "application/avro",
        "parley_version": str(event.version),
        "parley_position": str(event.position),
        "parley_previous": str(previous),
        "parley_before": str(before),
        "parley_unit": str(event.unit),
        "parley_epoch": str(epoch),
        "parley_epochs": ",".join(map(str, epochs)),
    }
    if event.source is not None:
        headers["parley_source"] = f"{event.source.partition}:{event.source.offset}"
    if event.conversation_id is not None:
        headers["parley_correlation"] = str(event.conversation_id)
    return NewRecord(event.key.bytes, event.state, headers, event.at)


def times_of(records: Sequence[NewRecord]) -> list[int]:
    """The times of records that `record_of` made, as Kafka's timestamps hold them."""
    return [to_millis(each.accepted_at) for each in records if each.accepted_at is not None]


def event_of(record: Record) -> EventRecord:
    """The event that a record tells of. Raises NotAnEvent."""
    headers = record.headers
    try:
        return EventRecord(
            partition=record.partition,
            offset=record.offset,
            position=int(headers["parley_position"]),
            previous=int(headers["parley_previous"]),
            before=int(headers["parley_before"]),
            unit=int(headers["parley_unit"]),
            epochs=tuple(map(int, headers["parley_epochs"].split(","))),
            stream_id=UUID(headers["ce_subject"]),
            version=int(headers["parley_version"]),
            topic=headers["ce_type"],
            source=_source(headers),
            state=record.value,
        )
    except (KeyError, ValueError) as error:
        raise NotAnEvent(
            f"Partition {record.partition}, offset {record.offset} of the events topic is no event of"
            f" Parley's ({type(error).__name__}: {error}). Only Parley may write to this topic."
        ) from None


def _source(headers: Mapping[str, str]) -> Source | None:
    text = headers.get("parley_source")
    if text is None:
        return None
    partition, offset = text.split(":")
    return Source(int(partition), int(offset))
