"""The log on a Kafka topic, for the cluster."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from kafka import KafkaAdminClient, TopicPartition

from adapters.kafka.connection import KafkaConnection, kafka_failures, open_client
from adapters.kafka.producer import Producer
from adapters.kafka.reader import Reader
from adapters.kafka.records import MILLISECOND, to_millis
from domain.errors import LogUnavailable
from domain.ports import Appended, Clock, NewRecord, Record

APPEND_TIMEOUT = 10.0
"""Seconds that an append may take."""


@dataclass(frozen=True)
class _Opened:
    reader: Reader
    producer: Producer


class KafkaLog:
    """A `Log` on one topic. Any number of threads and processes may append and read.

    Durable means: acknowledged by every replica in sync. A record whose append raised LogUnavailable may be
    there all the same, or still arrive within another `append_timeout`: after later ones, and besides the
    copy that the caller appended again. Facts bear that. Times have milliseconds.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        topic: str,
        clock: Clock,
        *,
        append_timeout: float = APPEND_TIMEOUT,
    ) -> None:
        """Name the topic. Kafka is reached at the first use, so that a process can start while it is away."""
        self._connection = connection
        self._topic = topic
        self._clock = clock
        self._append_timeout = append_timeout
        self._opening = threading.Lock()  # guards the next
        self._opened: _Opened | None = None
        self._closed = False
        self._appends = threading.Condition()  # guards the next
        self._append_count = 0
        self._seen = threading.local()  # the append count that a thread knew when `wait` last returned

    @property
    def partitions(self) -> int:
        return self._open().reader.partitions

    def append(self, records: Sequence[NewRecord]) -> list[Appended]:
        """Raises ValueError for a record of more than 2 MiB; others may have been appended all the same."""
        if not records:
            return []
        now = to_millis(self._clock.now())
        times = [now if each.accepted_at is None else to_millis(each.accepted_at) for each in records]
        try:
            return self._open().producer.send(records, times)
        finally:
            with self._appends:
                self._append_count += 1
                self._appends.notify_all()

    def read(self, partition: int, after: int, limit: int) -> list[Record]:
        """Raises OffsetOutOfRange, too, when `after` lies beyond the end: the topic was made anew.

        Raises LogUnavailable when Kafka cannot be read now.
        """
        return self._reader_of(partition).read(partition, after, limit)

    def end(self, partition: int) -> int:
        """Raises LogUnavailable when Kafka cannot be read now."""
        return self._reader_of(partition).end(partition)

    def starts(self) -> dict[int, int]:
        """The first offset that is still there, by partition. Raises LogUnavailable."""
        return self._open().reader.starts()

    def wait(self, timeout: float) -> None:
        """Wake for an append of this process since this thread last returned from here; another process's
        appends are found by reading after the timeout.
        """
        with self._appends:
            seen = getattr(self._seen, "count", -1)
            self._appends.wait_for(lambda: self._append_count != seen, timeout)
            self._seen.count = self._append_count

    def trim(self, before: datetime) -> int:
        """Raises LogUnavailable when Kafka cannot do it now; it may then have been done in part."""
        reader = self._open().reader
        starts = reader.starts()
        ends = reader.ends()  # first: what is appended meanwhile is not older
        kept = reader.first_since(to_millis(before + MILLISECOND - timedelta(microseconds=1)))
        targets = {number: min(kept.get(number, end), end) for number, end in ends.items()}
        wanted = {
            TopicPartition(self._topic, number): target
            for number, target in targets.items()
            if target > starts[number]
        }
        if wanted:
            with kafka_failures("old records could not be removed"):
                admin = open_client(KafkaAdminClient, self._connection)
                try:
                    admin.delete_records(wanted)
                finally:
                    admin.close()
        return sum(target - starts[each.partition] for each, target in wanted.items())

    def close(self) -> None:
        """Close once what is being appended is done. Later calls raise LogUnavailable."""
        with self._opening:
            self._closed = True
            if self._opened is not None:
                self._opened.producer.close()
                self._opened.reader.close()

    def _open(self) -> _Opened:
        """What Kafka is used by. Raises LogUnavailable when it cannot be reached or has no such topic."""
        opened = self._opened
        if opened is None:
            with self._opening:
                if self._closed:
                    raise LogUnavailable(f"The log {self._topic} has been closed.")
                opened = self._opened
                if opened is None:
                    reader = Reader(self._connection, self._topic)
                    producer = Producer(
                        self._connection, self._topic, reader.partitions, self._append_timeout
                    )
                    opened = self._opened = _Opened(reader, producer)
        return opened

    def _reader_of(self, partition: int) -> Reader:
        reader = self._open().reader
        if not 0 <= partition < reader.partitions:
            raise ValueError(f"partition: {partition} is not one of 0 to {reader.partitions - 1}.")
        return reader
