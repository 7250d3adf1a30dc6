"""Our partitioner agrees with Kafka's own, and with the client that we use."""

import random

import pytest
from kafka.partitioner.default import murmur2 as kafka_pythons_murmur2

from adapters.partitioning import murmur2, partition_of


# org.apache.kafka.common.utils.UtilsTest.testMurmur2
@pytest.mark.parametrize(
    ("key", "number"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_is_kafkas(key: bytes, number: int) -> None:
    assert murmur2(key) == number & 0xFFFFFFFF
    assert partition_of(key, 7) == (number & 0x7FFFFFFF) % 7


def test_murmur2_is_kafka_pythons() -> None:
    chance = random.Random(7)
    for length in range(100):
        key = chance.randbytes(length)
        assert murmur2(key) == kafka_pythons_murmur2(key) & 0xFFFFFFFF
