"""Which partition of a log a key belongs to."""

import struct
from functools import lru_cache


@lru_cache(maxsize=20_000)  # one after the other, many records are of the same threads
def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key, the same as the default partitioners of Kafka's clients choose."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def murmur2(data: bytes) -> int:
    """Kafka's hash of keys (`org.apache.kafka.common.utils.Utils.murmur2`) as an unsigned 32-bit number."""
    multiplier, mask = 0x5BD1E995, 0xFFFFFFFF
    whole = len(data) & ~3
    result = 0x9747B28C ^ len(data)
    for (word,) in struct.iter_unpack("<I", data[:whole]):
        mixed = word * multiplier & mask
        mixed = (mixed ^ mixed >> 24) * multiplier & mask
        result = (result * multiplier & mask) ^ mixed
    if whole < len(data):
        result = (result ^ int.from_bytes(data[whole:], "little")) * multiplier & mask
    result = (result ^ result >> 13) * multiplier & mask
    return result ^ result >> 15
