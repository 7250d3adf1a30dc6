"""The event store: the port filled, on any recorder."""

import threading
from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from eventsourcing.domain import Aggregate

from adapters.event_store.cache import AggregateCache, copy_of
from adapters.event_store.leases import check_lease
from adapters.event_store.mapper import AvroMapper, Encoded
from adapters.event_store.parking import Parking
from adapters.event_store.recorder import Recorder
from adapters.keys.customers import Keyring
from adapters.keys.vault import erased
from database.database import Database
from database.sql import Cursor
from domain.errors import Conflict
from domain.ports import Arrival, Clock, Recorded, Unit, WaitingReceipt

CACHED_AGGREGATES = 10_000


class StoredAggregates:
    """The port `EventStore`, for any number of threads and processes."""

    def __init__(
        self, database: Database, recorder: Recorder, keyring: Keyring, parking: Parking, clock: Clock
    ) -> None:
        self._recorder = recorder
        self._keyring = keyring
        self._mapper = AvroMapper(keyring)
        self._parking = parking
        self._clock = clock
        self._cache = AggregateCache(CACHED_AGGREGATES)
        self._erasures = 0
        self._saves = threading.Condition()  # guards the next
        self._save_count = 0
        self._seen = threading.local()  # the save count that a thread knew when `wait` last returned
        database.watch(self._wake)

    def load(self, ids: Collection[UUID]) -> dict[UUID, Aggregate]:
        self._forget_what_was_erased()
        generation = self._cache.generation
        loaded: dict[UUID, Aggregate] = {}
        for stream_id in ids:
            cached = self._cache.get(stream_id)
            if cached is not None:
                loaded[stream_id] = copy_of(cached)
        known = {each: loaded[each].version if each in loaded else 0 for each in ids}
        newer = self._mapper.decode(self._recorder.select_streams(known))
        for event in newer:
            aggregate = event.mutate(loaded.get(event.originator_id))
            if aggregate is not None:
                loaded[event.originator_id] = aggregate
        for stream_id in {event.originator_id for event in newer}:
            self._cache.put(stream_id, copy_of(loaded[stream_id]), generation)
        return loaded

    def save(self, unit: Unit) -> int:
        events = [event for aggregate in unit.aggregates for event in aggregate.pending_events]
        encoded = self._mapper.encode(events)
        parked = self._parking.seal(unit.parked)

        def check(c: Cursor) -> None:
            self._check(c, unit, encoded)
            self._parking.insert(c, unit, parked)

        position = self._recorder.save(encoded.stored, unit.source, check)
        # Only now: aggregates whose save failed keep their events, so that saving them again fails as well.
        for aggregate in unit.aggregates:
            aggregate.collect_events()
        self._wake()
        return position

    def read(self, after: int, limit: int) -> list[Recorded]:
        self._forget_what_was_erased()
        rows = self._recorder.select_after(after, limit)
        events = self._mapper.decode(rows)
        return [Recorded(row.id, event) for row, event in zip(rows, events, strict=True)]

    def stream(self, stream_id: UUID) -> list[Recorded]:
        self._forget_what_was_erased()
        rows = self._recorder.select_streams({stream_id: 0})
        events = self._mapper.decode(rows)
        return [Recorded(row.id, event) for row, event in zip(rows, events, strict=True)]

    def head(self) -> int:
        return self._recorder.head()

    def ingested(self, partition: int) -> int:
        return self._recorder.ingested(partition)

    def messages_by_reference(self, references: Collection[UUID]) -> dict[UUID, UUID]:
        return self._parking.messages_by_reference(references)

    def waiting_receipts(self, references: Collection[UUID]) -> list[WaitingReceipt]:
        return self._parking.waiting_receipts(references)

    def arrivals(self, contents: Collection[UUID]) -> list[Arrival]:
        return self._parking.arrivals(contents)

    def forget_arrivals(self, before: datetime) -> None:
        self._parking.forget_arrivals(before)

    def wait(self, timeout: float) -> None:
        """Return as soon as anything was saved since this thread last returned from here, at the latest after
        `timeout` seconds. On SQLite, what other processes save is found by reading then.
        """
        with self._saves:
            seen = getattr(self._seen, "count", -1)
            self._saves.wait_for(lambda: self._save_count != seen, timeout)
            self._seen.count = self._save_count

    def _check(self, c: Cursor, unit: Unit, encoded: Encoded) -> None:
        """Everything that must be so in the transaction. Raises LeaseLost or Conflict."""
        if unit.lease is not None:
            check_lease(c, unit.lease, self._clock.now())
        if unit.unchanged:
            self._recorder.check_unchanged(c, unit.unchanged)
        gone = erased(c, encoded.streams_by_key) if encoded.streams_by_key else ()
        if gone:  # a customer was forgotten: decide again, under a new key
            self._forget_what_was_erased()
            raise Conflict({stream for key_id in gone for stream in encoded.streams_by_key[key_id]})

    def _wake(self) -> None:
        with self._saves:
            self._save_count += 1
            self._saves.notify_all()

    def _forget_what_was_erased(self) -> None:
        """Drop cached aggregates, which hold texts and numbers, once any process has destroyed a key."""
        erasures = self._keyring.refresh()
        if erasures > self._erasures:
            self._erasures = erasures
            self._cache.clear()
