"""Reading ranges of partitions whose ends are known: for whoever reads much, or only the last records."""

import time
from collections.abc import Generator, Mapping
from typing import Any

from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError, OffsetOutOfRangeError

from adapters.kafka.connection import KafkaConnection, kafka_failures
from adapters.kafka.reader import POLL_MS, TIMEOUT, make_consumer, out_of_range
from adapters.kafka.records import to_record
from domain.ports import Record

BATCH = 500
"""Records that are made at once."""


def read_ranges(
    connection: KafkaConnection, topic: str, ranges: Mapping[int, tuple[int, int]]
) -> Generator[Record]:
    """The records of some partitions, each from one offset up to another one, which is not read any more.

    Each partition's are in order. Raises OffsetOutOfRange when a first one was removed; LogUnavailable when
    Kafka does not answer within 10 seconds.
    """
    next_offsets = {partition: start for partition, (start, end) in ranges.items() if start < end}
    if not next_offsets:
        return
    with kafka_failures(f"reading {topic}"):
        consumer = make_consumer(connection, group_id=None, max_poll_records=BATCH)
        try:
            consumer.assign([TopicPartition(topic, partition) for partition in next_offsets])
            for partition, offset in next_offsets.items():
                consumer.seek(TopicPartition(topic, partition), offset)
            while next_offsets:
                for where, found in _poll(consumer, topic, next_offsets).items():
                    end = ranges[where.partition][1]
                    yield from (to_record(each) for each in found if each.offset < end)
                    next_offsets[where.partition] = found[-1].offset + 1
                    if next_offsets[where.partition] >= end:
                        del next_offsets[where.partition]
                        consumer.pause(where)
        finally:
            consumer.close(autocommit=False, timeout_ms=0)


def _poll(consumer: Any, topic: str, next_offsets: Mapping[int, int]) -> Any:
    """What comes next, by partition."""
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        try:
            polled = consumer.poll(timeout_ms=POLL_MS)
        except OffsetOutOfRangeError as error:
            partition = next(each.partition for each in error.args[0])
            raise out_of_range(topic, partition, next_offsets[partition] - 1) from error
        if polled:
            return polled
    raise KafkaTimeoutError(f"nothing came within {TIMEOUT:g} seconds")
