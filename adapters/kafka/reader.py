"""Reading at any offset: one consumer without a group, for all threads in turn."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError, LogTruncationError, OffsetOutOfRangeError

from adapters.kafka.connection import KafkaConnection, open_client, reason
from adapters.kafka.records import to_record
from domain.errors import LogUnavailable, OffsetOutOfRange
from domain.ports import Record

TIMEOUT = 10.0  # seconds that a read may take
POLL_MS = 200

# After an end that is known, the next fetch is sent ahead: it should not keep the broker's attention.
FETCH_WAIT_MS = 5


def make_consumer(connection: KafkaConnection, **options: Any) -> Any:
    """A consumer that keeps no position in Kafka and never moves to another offset by itself."""
    return open_client(
        KafkaConsumer,
        connection,
        enable_auto_commit=False,
        auto_offset_reset="none",
        allow_auto_create_topics=False,
        metrics_enabled=False,
        request_timeout_ms=int(TIMEOUT * 1000),
        **options,
    )


def partitions_of(consumer: Any, topic: str) -> int:
    """How many partitions a topic has. Raises LogUnavailable when there is no such topic."""
    partitions = consumer.partitions_for_topic(topic)
    if not partitions:
        raise LogUnavailable(f"Kafka has no topic {topic}: run `parley topics`.")
    return len(partitions)


def out_of_range(topic: str, partition: int, after: int) -> OffsetOutOfRange:
    """The alarm, with its two possible causes."""
    return OffsetOutOfRange(
        f"{topic}, partition {partition}: nothing can be read after offset {after}. Either later records were"
        " removed before they were read, or the topic was made anew and ends earlier."
    )


class Reader:
    """Reads one topic. A consumer that failed is thrown away and made anew at the next read."""

    def __init__(self, connection: KafkaConnection, topic: str) -> None:
        """Raises LogUnavailable when Kafka or the topic is not there."""
        self._connection = connection
        self._topic = topic
        self._lock = threading.Lock()  # guards all of the following: a consumer is for one thread
        self._closed = False
        self._consumer: Any = None
        self._stands: tuple[int, int] | None = None  # the consumer's partition and its next offset there
        self._ends: dict[int, int] = {}  # the offset after the last record, as last seen
        with self._using("opening"):
            self.partitions = partitions_of(self._consumer, topic)

    def read(self, partition: int, after: int, limit: int) -> list[Record]:
        """As `Log.read`. Raises LogUnavailable when Kafka does not answer within 10 seconds."""
        with self._using("reading") as consumer:
            where = TopicPartition(self._topic, partition)
            if self._stands != (partition, after + 1):
                consumer.assign([where])
                consumer.seek(where, after + 1)
                self._stands = (partition, after + 1)
            try:
                return self._collect(consumer, where, after + 1, limit)
            except (OffsetOutOfRangeError, LogTruncationError) as error:
                self._stands = None
                raise out_of_range(self._topic, partition, after) from error

    def end(self, partition: int) -> int:
        """As `Log.end`."""
        with self._using("looking for the end"):
            return self._look_for_end(partition) - 1

    def starts(self) -> dict[int, int]:
        """The offset of the first record that is still there, by partition."""
        with self._using("looking for the start") as consumer:
            return self._by_number(consumer.beginning_offsets(self._all(), timeout_ms=TIMEOUT * 1000))

    def ends(self) -> dict[int, int]:
        """The offset after the last record, by partition."""
        with self._using("looking for the end") as consumer:
            return self._by_number(consumer.end_offsets(self._all(), timeout_ms=TIMEOUT * 1000))

    def first_since(self, millis: int) -> dict[int, int]:
        """The offset of the first record of that time or later; partitions without one are absent."""
        with self._using("looking for a time") as consumer:
            times = dict.fromkeys(self._all(), millis)
            found = consumer.offsets_for_times(times, timeout_ms=TIMEOUT * 1000)
            return self._by_number({each: at.offset for each, at in found.items() if at is not None})

    def close(self) -> None:
        """Close the consumer once nobody reads. Later reads raise LogUnavailable."""
        with self._lock:
            self._closed = True
            self._discard()

    def _collect(self, consumer: Any, where: Any, offset: int, limit: int) -> list[Record]:
        """Read until there are enough, or until the end as it was meanwhile seen."""
        found: list[Record] = []
        deadline = time.monotonic() + TIMEOUT
        # At first, to drop what lies ready from before a seek: kafka-python would sleep for 0.1 s.
        patience = 0
        while len(found) < limit and not self._at_end(where.partition, offset, looked=bool(found)):
            polled = consumer.poll(timeout_ms=patience, max_records=limit - len(found))
            patience = POLL_MS
            found += [to_record(each) for each in polled.get(where, ())]
            if found:
                offset = found[-1].offset + 1
                self._stands = (where.partition, offset)
            elif time.monotonic() > deadline:
                raise KafkaTimeoutError(f"nothing came within {TIMEOUT:g} seconds")
        return found

    def _at_end(self, partition: int, offset: int, *, looked: bool) -> bool:
        """Whether nothing is there at an offset; what was seen of the end before may be out of date."""
        if looked:  # what came may go on beyond the end that was seen
            return offset >= self._ends[partition]
        if offset >= self._ends.get(partition, 0):
            self._look_for_end(partition)
        if offset > self._ends[partition]:
            raise OffsetOutOfRangeError
        return offset == self._ends[partition]

    def _look_for_end(self, partition: int) -> int:
        where = TopicPartition(self._topic, partition)
        self._ends[partition] = self._consumer.end_offsets([where], timeout_ms=TIMEOUT * 1000)[where]
        return self._ends[partition]

    @contextmanager
    def _using(self, doing: str) -> Iterator[Any]:
        """The consumer, for this thread alone. It is thrown away when it raised anything."""
        with self._lock:
            if self._closed:
                raise LogUnavailable(f"The log {self._topic} has been closed.")
            try:
                if self._consumer is None:
                    self._make()
                yield self._consumer
            except KafkaError as error:
                self._discard()
                raise LogUnavailable(f"Kafka: {doing} {self._topic}: {reason(error)}") from error
            except OffsetOutOfRange:
                raise
            except BaseException:
                self._discard()
                raise

    def _make(self) -> None:
        self._consumer = make_consumer(self._connection, group_id=None, fetch_max_wait_ms=FETCH_WAIT_MS)

    def _discard(self) -> None:
        consumer, self._consumer = self._consumer, None
        self._stands = None
        self._ends.clear()
        if consumer is not None:
            consumer.close(autocommit=False, timeout_ms=0)

    def _all(self) -> list[Any]:
        return [TopicPartition(self._topic, number) for number in range(self.partitions)]

    @staticmethod
    def _by_number(offsets: Mapping[Any, int]) -> dict[int, int]:
        return {each.partition: offset for each, offset in offsets.items()}
