"""A member of a consumer group, for the workers that ingest.

Kafka's group decides only who reads which partition. From where is the event store's to say: no offset is
ever committed to Kafka, which would be a second truth, and one that kafka-python jumps to by itself. So the
group's consumer reads nothing, and a consumer without a group reads what the group gives us.
"""

import time

from adapters.kafka.connection import KafkaConnection
from adapters.kafka.feed import Feed
from adapters.kafka.membership import Membership
from domain.ports import Record

SLICE = 0.1
"""Seconds between two looks at the group while waiting for records."""


class KafkaMember:
    """Reads the partitions of a topic that the group gives us. For one thread, but for `lag`.

    For a moment after a rebalance two members may read one partition: who saves what it read must be able to
    tell that somebody else did. A worker that does not ask for a minute loses its partitions.
    """

    def __init__(self, connection: KafkaConnection, topic: str, group: str) -> None:
        """Raises LogUnavailable when Kafka cannot be reached or has no such topic."""
        self._membership = Membership(connection, topic, group)
        try:
            self._feed = Feed(connection, topic)
        except BaseException:
            self._membership.close()
            raise

    @property
    def partitions(self) -> int:
        """How many partitions the topic has."""
        return self._membership.partitions

    def assigned(self) -> frozenset[int]:
        """The partitions that are ours now. To be called in every turn of the worker's loop.

        Raises LogUnavailable while the group refuses us.
        """
        assigned = self._membership.assigned()
        self._feed.keep(assigned)
        return assigned

    def read(self, partition: int, after: int, limit: int) -> list[Record]:
        """At most `limit` records beyond `after`, of those that have come: it never waits for Kafka.

        None of a partition that is not ours. Meant for reading on; another `after` than where it stands
        starts anew there, and then records come some turns later. Raises OffsetOutOfRange when records beyond
        `after` were removed unread or `after` lies beyond the end; LogUnavailable when Kafka refuses.
        """
        if partition not in self.assigned():
            return []
        return self._feed.read(partition, after, limit)

    def wait(self, timeout: float) -> None:
        """Return as soon as there is something to read or the assignment changed, at the latest after
        `timeout` seconds.
        """
        before = self.assigned()
        deadline = time.monotonic() + timeout
        while self.assigned() == before and (left := deadline - time.monotonic()) > 0:
            if not self._feed.reading:
                self._membership.wait_for_change(left)
            elif self._feed.poll(min(SLICE, left)):
                return

    def lag(self) -> dict[int, int]:
        """How many records each of our partitions has beyond what was read, as of some seconds ago."""
        return self._feed.lag()

    def close(self) -> None:
        """Leave the group."""
        self._membership.close()
        self._feed.close()
