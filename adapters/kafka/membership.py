"""Membership of a consumer group: which partitions are ours. It reads nothing and stores no offsets."""

import logging
import threading
import time
from typing import Any

from kafka import ConsumerRebalanceListener
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.structs import MemberState

from adapters.kafka.connection import KafkaConnection, kafka_failures, reason
from adapters.kafka.reader import make_consumer, partitions_of
from domain.errors import LogUnavailable

SESSION_MS = 10_000  # a member that died without a word is missed after this time
HEARTBEAT_MS = 1_000  # how soon a member learns of a rebalance, which takes two rounds
LONGEST_STEP = 60.0
"""Seconds after which a worker that did not ask is taken for stuck, and its partitions are taken from it."""

LEAVE_MS = 2_000

# A poll that ends while the group is being joined may lose what came of it, and joins again: these are long.
POLL_MS = 200
JOINING_POLL_MS = 1_000
PAUSE_AFTER_FAILURE = 1.0

log = logging.getLogger(__name__)


class Membership:
    """One member. A thread of its own follows the group: rebalances never wait for a worker's step."""

    def __init__(self, connection: KafkaConnection, topic: str, group: str) -> None:
        """Ask to be taken in, which soon happens. Raises LogUnavailable."""
        self._changed = threading.Condition()  # what is ours, or whether we are stopped
        with kafka_failures("the group cannot be joined"):
            self._consumer = make_consumer(
                connection,
                group_id=group,
                partition_assignment_strategy=[CooperativeStickyAssignor()],
                session_timeout_ms=SESSION_MS,
                heartbeat_interval_ms=HEARTBEAT_MS,
                max_poll_interval_ms=int(LONGEST_STEP * 1000),
            )
            try:
                self.partitions = partitions_of(self._consumer, topic)
                self._consumer.subscribe([topic], listener=_HoldStill(self._consumer, self._changed))
            except BaseException:
                self._consumer.close(autocommit=False, timeout_ms=0)
                raise
        self._problem = ""
        self._asked_at = time.monotonic()
        self._stopped = False
        self._thread = threading.Thread(target=self._follow, name=f"member of {group}", daemon=True)
        self._thread.start()

    def assigned(self) -> frozenset[int]:
        """The partitions that are ours now. Raises LogUnavailable while the group refuses us."""
        self._asked_at = time.monotonic()
        if self._problem:
            raise LogUnavailable(f"Kafka: the group refuses us: {self._problem}")
        return frozenset(each.partition for each in self._consumer.assignment())

    def wait_for_change(self, timeout: float) -> None:
        """Return when other partitions are ours, at the latest after `timeout` seconds."""
        with self._changed:
            self._changed.wait(timeout)

    def close(self) -> None:
        """Leave the group, so that others take over at once."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join((JOINING_POLL_MS + LEAVE_MS) / 1000)

    def _follow(self) -> None:
        while not self._stopped:
            try:
                self._poll()
                self._problem = ""
            except Exception as error:  # whatever it is, the group may take us back
                log.warning("the consumer group does not work", exc_info=True)
                self._problem = reason(error)
                self.wait_for_change(PAUSE_AFTER_FAILURE)
        self._consumer.close(autocommit=False, timeout_ms=LEAVE_MS)

    def _poll(self) -> None:
        if time.monotonic() - self._asked_at > LONGEST_STEP:
            self.wait_for_change(POLL_MS / 1000)  # without polls, kafka-python soon leaves the group
            return
        joined = self._consumer.group_metadata().state == MemberState.STABLE
        self._consumer.poll(timeout_ms=POLL_MS if joined else JOINING_POLL_MS)


class _HoldStill(ConsumerRebalanceListener):  # type: ignore[misc] # published without types
    """Gives every new partition a position, so that none is looked up, and pauses it, so that none is read.

    It runs on kafka-python's own thread, where nothing may block.
    """

    def __init__(self, consumer: Any, changed: threading.Condition) -> None:
        self._consumer = consumer
        self._changed = changed

    def on_partitions_assigned(self, assigned: Any) -> None:
        for each in assigned:
            self._consumer.seek(each, 0)
        self._consumer.pause(*assigned)
        self._tell()

    def on_partitions_revoked(self, revoked: Any) -> None:
        self._tell()

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()
