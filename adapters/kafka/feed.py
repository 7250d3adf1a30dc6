"""Reading on: a consumer without a group that runs ahead of its reader, within bounds, and is watched."""

import logging
import time
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from kafka import TopicPartition
from kafka.errors import KafkaError, LogTruncationError, OffsetOutOfRangeError

from adapters.kafka.connection import KafkaConnection, kafka_failures, reason
from adapters.kafka.reader import make_consumer, out_of_range
from adapters.kafka.records import to_record
from domain.ports import Record

POLL_RECORDS = 1_000
MOST_RECORDS = 5_000
"""Records of a partition that are read ahead; then no more are until half of them were taken.

Not by `pause`: kafka-python 3.0.12 may forget what it had fetched of a paused partition, and never fetch it
again after `resume`. The partition is taken from the consumer and given back.
"""

MOST_BYTES = 8 * 1024 * 1024
"""The same in bytes."""

LOOK_SECONDS = 2.0
"""How often the ends of the partitions are looked at."""

LOOKS_STUCK = 5
"""After so many looks that found more records, while none came, the consumer counts as stalled."""

LOOK_TIMEOUT_MS = 1_000

log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Stream:
    """One partition."""

    given: int  # the offset after the last record that was given to the reader
    fetched: int  # the offset after the last record in the buffer
    buffer: deque[Record] = field(default_factory=deque)
    size: int = 0  # bytes in the buffer
    full: bool = False  # until half of what it may hold was taken
    lost: bool = False  # what comes next was removed, or never was
    end: int = 0  # the offset after the last record there is, as last seen
    looked: int = -1  # `fetched` as of the last look
    stuck: int = 0  # looks since anything came, although there was more

    def put(self, records: list[Record]) -> None:
        self.buffer.extend(records)
        self.size += sum(len(each.value) for each in records)
        self.fetched = records[-1].offset + 1
        self.full = self._holds(1)

    def take(self, limit: int) -> list[Record]:
        found = [self.buffer.popleft() for _ in range(min(limit, len(self.buffer)))]
        if found:
            self.size -= sum(len(each.value) for each in found)
            self.given = found[-1].offset + 1
            self.full = self.full and self._holds(0.5)
        return found

    @property
    def flows(self) -> bool:
        """Whether the consumer is to read it."""
        return not (self.full or self.lost)

    def _holds(self, share: float) -> bool:
        return len(self.buffer) >= MOST_RECORDS * share or self.size >= MOST_BYTES * share


class Feed:
    """Reads partitions on from where each was asked for last. For one thread, but for `lag`."""

    def __init__(self, connection: KafkaConnection, topic: str) -> None:
        """Raises LogUnavailable when Kafka cannot be reached."""
        self._connection = connection
        self._topic = topic
        self._streams: dict[int, _Stream] = {}
        self._look_at = time.monotonic() + LOOK_SECONDS
        self._consumer: Any = None
        self._assigned: set[int] = set()  # what the consumer reads
        self._make()

    @property
    def reading(self) -> bool:
        """Whether any partition is being read."""
        return bool(self._streams)

    def read(self, partition: int, after: int, limit: int) -> list[Record]:
        """At most `limit` records beyond an offset, of those that have come.

        An offset other than where it stands starts it anew there. Raises OffsetOutOfRange, and LogUnavailable
        when Kafka refuses.
        """
        stream = self._streams.get(partition)
        if stream is None or stream.given != after + 1:
            stream = self._start(partition, after + 1)
        if not stream.buffer:
            self.poll(0)
        if stream.lost and not stream.buffer:
            self._forget(partition)
            raise out_of_range(self._topic, partition, after)
        return stream.take(limit)

    def poll(self, timeout: float) -> bool:
        """Take in what has come, or comes within `timeout` seconds; whether there is anything to be read."""
        if self._ready():
            timeout = 0
        with kafka_failures(f"{self._topic} cannot be read"):
            if self._consumer is None:
                self._make()
            self._assign()
            if self._assigned:
                self._take_in(timeout)
                self._look()
        return self._ready()

    def keep(self, partitions: Collection[int]) -> None:
        """Forget all other partitions, with what was read of them ahead."""
        for gone in self._streams.keys() - set(partitions):
            self._forget(gone)

    def lag(self) -> dict[int, int]:
        """How many records each partition has beyond what was read, as of some seconds ago."""
        return {number: max(0, each.end - each.given) for number, each in list(self._streams.items())}

    def close(self) -> None:
        """Close the consumer."""
        consumer, self._consumer = self._consumer, None
        self._assigned = set()
        if consumer is not None:
            consumer.close(autocommit=False, timeout_ms=0)

    def _ready(self) -> bool:
        return any(each.buffer or each.lost for each in self._streams.values())

    def _take_in(self, timeout: float) -> None:
        try:
            polled = self._consumer.poll(timeout_ms=timeout * 1000, max_records=POLL_RECORDS)
        except OffsetOutOfRangeError as error:
            self._lose(error.args[0])
        except LogTruncationError as error:
            self._lose(error.divergent_offsets)
        except KafkaError:
            self.close()
            raise
        else:
            for where, found in polled.items():
                stream = self._streams[where.partition]
                stream.put([to_record(each) for each in found])

    def _lose(self, places: Collection[Any]) -> None:
        for where in places:
            self._streams[where.partition].lost = True

    # ── the watchdog ───────────────────────────────────────────────────────────────────────────

    def _look(self) -> None:
        """Compare with the ends of the partitions. kafka-python's consumers have been known to stall."""
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + LOOK_SECONDS
        places = [self._where(number) for number in self._streams]
        try:
            ends = self._consumer.end_offsets(places, timeout_ms=LOOK_TIMEOUT_MS)
        except KafkaError as error:  # then nothing can come either
            log.warning("the ends of %s cannot be looked at: %s", self._topic, reason(error))
            return
        for where, end in ends.items():
            stream = self._streams[where.partition]
            stream.end = end
            moves = stream.fetched >= end or stream.fetched != stream.looked or not stream.flows
            stream.stuck = 0 if moves else stream.stuck + 1
            stream.looked = stream.fetched
        stalled = sorted(number for number, each in self._streams.items() if each.stuck >= LOOKS_STUCK)
        if stalled:
            log.warning("the consumer of %s stalls on partitions %s and is replaced", self._topic, stalled)
            for stream in self._streams.values():
                stream.stuck = 0
            self._make()

    # ── the consumer ───────────────────────────────────────────────────────────────────────────

    def _make(self) -> None:
        self.close()
        with kafka_failures(f"{self._topic} cannot be read"):
            self._consumer = make_consumer(self._connection, group_id=None)

    def _assign(self) -> None:
        """Have the consumer read what is to flow, each from where it was fetched to."""
        wanted = {number for number, each in self._streams.items() if each.flows}
        if wanted == self._assigned:
            return
        self._consumer.assign([self._where(number) for number in wanted])
        for number in wanted - self._assigned:
            self._consumer.seek(self._where(number), self._streams[number].fetched)
        self._assigned = wanted

    def _start(self, partition: int, offset: int) -> _Stream:
        self._forget(partition)
        stream = self._streams[partition] = _Stream(given=offset, fetched=offset)
        return stream

    def _forget(self, partition: int) -> None:
        self._streams.pop(partition, None)
        if partition in self._assigned:
            self._assigned.discard(partition)
            self._consumer.assign([self._where(number) for number in self._assigned])

    def _where(self, partition: int) -> Any:
        return TopicPartition(self._topic, partition)
