"""The relay: copies the store's events to the events topic, each once, in order.

The event store is the outbox. One relay writes at a time, and the next chunk only when the last is wholly
acknowledged. After a failure it reads the newest record of every partition again, and goes on after the last
chunk that it knows of, leaving out what each partition has. What a record says depends on the store alone,
so that copies, also those of a relay that lost its lease without knowing, are equal.
"""

import logging

from adapters.event_store.outbox import Outbox, OutboxEvent, Told
from adapters.kafka.events import LOOK_BACK, EventRecord, EventsTopic, is_void, record_of, times_of
from adapters.partitioning import partition_of
from domain.errors import LeaseLost, ParleyError
from domain.ports import EventStore
from workers.worker import HeldLease

CHUNK = 2_000
"""Events that are sent before their acknowledgement is waited for."""

log = logging.getLogger(__name__)


class RelayRefused(ParleyError):
    """The events topic and the store do not go together: somebody has to look."""


class Relay:
    """Tells Kafka what is in the store. Raises RelayRefused as long as the two contradict each other."""

    name = "relay"
    pace = 0.01

    def __init__(self, outbox: Outbox, topic: EventsTopic, store: EventStore, lease: HeldLease) -> None:
        self._outbox = outbox
        self._topic = topic
        self._store = store
        self._lease = lease
        self._at: _At | None = None  # unknown until Kafka was asked

    def step(self) -> bool:
        """Send at most one chunk."""
        lease = self._lease.get()
        if lease is None:
            self._at = None
            return False
        at, self._at = self._at or self._look(), None  # unknown again, if anything goes wrong
        events = self._outbox.read(at.position, CHUNK)
        if events:
            self._send(at, events)
            try:
                self._outbox.tell(at.position, at.tails, lease)
            except LeaseLost:
                self._lease.drop()
                return False
        self._at = at
        return bool(events)

    def wait(self, timeout: float) -> None:
        self._store.wait(timeout)

    def _send(self, at: "_At", events: list[OutboxEvent]) -> None:
        records = []
        for event in events:
            partition = partition_of(event.key.bytes, self._topic.partitions)
            previous = at.tails.get(partition, 0)
            if event.position > previous:
                records.append(
                    record_of(
                        event, topic=self._topic.name, epochs=at.epochs, previous=previous, before=at.position
                    )
                )
                at.tails[partition] = event.position
            at.position = event.position
        self._topic.append(records, times_of(records))

    # ── what Kafka has ─────────────────────────────────────────────────────────────────────────

    def _look(self) -> "_At":
        """Where the relay stands, by the store and by the newest record of every partition.

        Raises RelayRefused, LogUnavailable.
        """
        told = self._outbox.told()
        if told.restoring:
            raise RelayRefused("The store is being restored: `parley restore` has to finish first.")
        found = self._topic.tails()
        if any(_position(found.get(partition)) < last for partition, last in told.tails.items()):
            found = self._topic.tails(LOOK_BACK)
        tails = dict(told.tails)
        for partition in range(self._topic.partitions):
            tail = found.get(partition)
            self._refuse_what_is_lost(partition, tail, told)
            if tail is not None and self._counts(tail, told):
                tails[partition] = tail.position
        log.info("the relay goes on after position %d, epoch %d", told.position, len(told.epochs))
        return _At(told.position, tails, told.epochs)

    def _refuse_what_is_lost(self, partition: int, tail: EventRecord | None, told: Told) -> None:
        last = told.tails.get(partition, 0)
        if _position(tail) < last:
            raise RelayRefused(
                f"Partition {partition} of {self._topic.name} has lost records that Kafka acknowledged: it"
                f" ends with position {_position(tail)}, and {last} was told to it. If they cannot be brought"
                " back, make the topic anew and run `parley relay --tell-all`, which fills it from the store."
            )

    def _counts(self, tail: EventRecord, told: Told) -> bool:
        """Whether a partition's newest record is the store's own, or a void one of an epoch before.

        Raises RelayRefused when it is neither.
        """
        where = f"{self._topic.name}, partition {tail.partition}, offset {tail.offset}"
        if tail.epoch > len(told.epochs) or tail.epochs != told.epochs[: tail.epoch]:
            raise RelayRefused(
                f"{where} is of epoch {tail.epoch} {tail.epochs}; this store is of epoch {len(told.epochs)}"
                f" {told.epochs}. It was restored elsewhere, or is an old copy: do not run Parley on it."
            )
        if is_void(tail, told.epochs):
            return False
        mine = self._outbox.at(tail.position)
        if mine is None or (mine.stream_id, mine.version, mine.state) != (
            tail.stream_id,
            tail.version,
            tail.state,
        ):
            raise RelayRefused(
                f"{where} tells of position {tail.position}, event {tail.version} of {tail.stream_id}, which"
                " the store does not have there. It is an older copy, or another installation's: restore it"
                " from the topic (`parley restore`), or give it a namespace of its own."
            )
        return True


class _At:
    """How far the relay has come."""

    def __init__(self, position: int, tails: dict[int, int], epochs: tuple[int, ...]) -> None:
        self.position = position
        self.tails = tails
        self.epochs = epochs


def _position(record: EventRecord | None) -> int:
    return record.position if record else 0
