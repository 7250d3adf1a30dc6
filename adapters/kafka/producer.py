"""Appending: an idempotent producer that is thrown away when it failed, and a cap on what is in flight."""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from adapters.kafka.connection import KafkaConnection, open_client, reason
from adapters.kafka.records import size_of, to_headers, to_moment
from adapters.kafka.topics import LARGEST_RECORD
from adapters.partitioning import partition_of
from domain.errors import LogUnavailable
from domain.ports import Appended, NewRecord

# A record waits so long for company. Alone, an append takes 6 ms so, not 1. But a batch costs the producer
# and the broker as much as a record: measured on a busy machine, 4 to 12 % more webhooks are taken, and the
# slowest of them show at the desk sooner.
LINGER_MS = 5
BATCH_BYTES = 64 * 1024
MOST_RECORDS = 20_000
"""Records that may wait for their acknowledgement in this process. kafka-python has no limit of its own."""

MOST_BYTES = 64 * 1024 * 1024
"""The same in bytes."""

log = logging.getLogger(__name__)


class Producer:
    """Sends records to one topic, until every replica in sync has them. For any number of threads."""

    def __init__(self, connection: KafkaConnection, topic: str, partitions: int, timeout: float) -> None:
        """`timeout`: seconds that sending may take in all. Connects at the first sending."""
        self._connection = connection
        self._topic = topic
        self._partitions = partitions
        self._timeout = timeout
        self._room = _Room(MOST_RECORDS, MOST_BYTES)
        self._lock = threading.Lock()  # guards the next two
        self._producer: Any = None
        self._closed = False

    def send(self, records: Sequence[NewRecord], accepted_at: Sequence[int]) -> list[Appended]:
        """Where the records are, each with its time in milliseconds since 1970.

        Raises LogUnavailable when not all were acknowledged in time. The rest may still arrive: the producer
        that has them gives them up only when the time that they were given is over. Raises ValueError for a
        record that is too large.
        """
        deadline = time.monotonic() + self._timeout
        with self._room.taken(len(records), sum(map(size_of, records)), deadline):
            producer = self._current(deadline)
            try:
                sent = [
                    producer.send(
                        self._topic,
                        key=record.key,
                        value=record.value,
                        headers=to_headers(record),
                        partition=partition_of(record.key, self._partitions),
                        timestamp_ms=at,
                    )
                    for record, at in zip(records, accepted_at, strict=True)
                ]
                done = [each.get(max(0.0, deadline - time.monotonic())) for each in sent]
            except MessageSizeTooLargeError as error:
                raise ValueError(f"value: a record may have {LARGEST_RECORD} bytes at most.") from error
            except (KafkaError, ValueError) as error:  # ValueError: its metadata lack the topic
                self._discard(producer)
                raise LogUnavailable(f"Kafka did not acknowledge in time: {reason(error)}") from error
        return [Appended(each.partition, each.offset, to_moment(each.timestamp)) for each in done]

    def close(self) -> None:
        """Wait for what is being sent, for as long as that may take. Later sendings raise LogUnavailable."""
        with self._lock:
            self._closed = True
            producer, self._producer = self._producer, None
        if producer is not None:
            _close(producer, self._timeout)

    def _current(self, deadline: float) -> Any:
        """The producer, made by whoever comes first."""
        if not self._lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise LogUnavailable("Kafka cannot be reached.")
        try:
            if self._closed:
                raise LogUnavailable(f"The log {self._topic} has been closed.")
            if self._producer is None:
                self._producer = self._make(max(0.1, deadline - time.monotonic()))
            return self._producer
        except KafkaError as error:
            raise LogUnavailable(f"Kafka cannot be reached: {reason(error)}") from error
        finally:
            self._lock.release()

    def _make(self, patience: float) -> Any:
        timeout_ms = int(self._timeout * 1000)
        producer = open_client(
            KafkaProducer,
            self._connection,
            acks="all",
            enable_idempotence=True,
            compression_type="lz4",
            linger_ms=LINGER_MS,
            batch_size=BATCH_BYTES,
            max_request_size=LARGEST_RECORD,
            delivery_timeout_ms=timeout_ms,
            request_timeout_ms=timeout_ms // 2,  # leaves time for one repetition
            max_block_ms=timeout_ms,
            bootstrap_timeout_ms=int(patience * 1000),
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )
        try:
            producer.partitions_for(self._topic)  # so that no sending has to wait for it
        except BaseException:
            producer.close(timeout=0)
            raise
        return producer

    def _discard(self, producer: Any) -> None:
        """Never use it again. What others are sending by it may still succeed."""
        with self._lock:
            if self._producer is not producer:
                return
            self._producer = None
        log.warning("a producer for %s failed and is thrown away", self._topic)
        threading.Thread(target=_close, args=(producer, self._timeout), daemon=True).start()


def _close(producer: Any, timeout: float) -> None:
    """Close it once all it has is acknowledged or overdue.

    kafka-python's `close` gives up, before it has closed anything, when a batch is not done in time; and some
    never are. Only its sender can then make an end of them.
    """
    try:
        producer.close(timeout=timeout)
    except KafkaTimeoutError:
        producer._sender.force_close()  # noqa: SLF001 - see above
        with suppress(KafkaTimeoutError):
            producer.close(timeout=timeout)


class _Room:
    """Bounds the records and bytes in flight."""

    def __init__(self, records: int, size: int) -> None:
        self._most = (records, size)
        self._taken = (0, 0)
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, records: int, size: int, deadline: float) -> Iterator[None]:
        """Take room, waiting for it until the deadline. What is too large for all of it goes alone."""
        with self._changed:
            if not self._changed.wait_for(
                lambda: self._fits(records, size), max(0.0, deadline - time.monotonic())
            ):
                raise LogUnavailable(f"Kafka is slow: {self._taken[0]} records wait for its acknowledgement.")
            self._take(records, size)
        try:
            yield
        finally:
            with self._changed:
                self._take(-records, -size)
                self._changed.notify_all()

    def _fits(self, records: int, size: int) -> bool:
        taken_records, taken_size = self._taken
        most_records, most_size = self._most
        return taken_records == 0 or (
            taken_records + records <= most_records and taken_size + size <= most_size
        )

    def _take(self, records: int, size: int) -> None:
        self._taken = (self._taken[0] + records, self._taken[1] + size)
