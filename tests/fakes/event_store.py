"""The event store, leases and customers' keys in memory: the same refusals as the real ones, nothing kept.

A `Shelf` is what is stored; any number of stores, leases and keys may be opened on it, as processes would.
"""

import threading
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, cast
from uuid import UUID

from eventsourcing.domain import Aggregate, AggregateEvent
from eventsourcing.utils import get_topic

from adapters.avro_codec import schema_for
from domain.errors import AlreadyTracked, Conflict, LeaseLost
from domain.ports import Arrival, Clock, Lease, Parked, Recorded, Source, Unit, WaitingReceipt
from domain.values import ERASED
from tests.fakes.clock import FakeClock


@dataclass(frozen=True)
class _Kept:
    """An event and the number of the customer's key that would have encrypted something in it."""

    recorded: Recorded
    key: int | None


@dataclass
class Shelf:
    """What is stored, guarded by one lock."""

    saved: threading.Condition = field(default_factory=threading.Condition)
    saves: int = 0
    events: list[_Kept] = field(default_factory=list)
    streams: dict[UUID, list[_Kept]] = field(default_factory=lambda: defaultdict(list))
    ingested: dict[int, int] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)
    parked: dict[tuple[int, int], Parked] = field(default_factory=dict)
    waiting: dict[tuple[UUID, int, int], WaitingReceipt] = field(default_factory=dict)
    references: dict[UUID, UUID] = field(default_factory=dict)
    arrivals: list[Arrival] = field(default_factory=list)
    keys: dict[UUID, int] = field(default_factory=dict)  # each customer's present one
    last_key: int = 0
    destroyed: set[int] = field(default_factory=set)


class InMemoryEventStore:
    """The port `EventStore`."""

    def __init__(self, shelf: Shelf | None = None, clock: Clock | None = None) -> None:
        self._shelf = shelf or Shelf()
        self._clock = clock or FakeClock()
        self._seen = threading.local()

    def load(self, ids: Collection[UUID]) -> dict[UUID, Aggregate]:
        loaded: dict[UUID, Aggregate] = {}
        for stream_id in ids:
            aggregate: Aggregate | None = None
            for recorded in self.stream(stream_id):
                aggregate = recorded.event.mutate(aggregate)
            if aggregate is not None:
                loaded[stream_id] = aggregate
        return loaded

    def save(self, unit: Unit) -> int:
        with self._shelf.saved:
            if unit.source is not None:
                self._check_source(unit.source)
            if unit.lease is not None:
                self._check_lease(unit.lease)
            self._check_unchanged(unit.unchanged)
            pending = [event for aggregate in unit.aggregates for event in aggregate.pending_events]
            self._check_versions(pending)
            for event in pending:
                self._keep(cast("AggregateEvent", event))
            self._note(unit)
            for aggregate in unit.aggregates:
                aggregate.collect_events()
            self._shelf.saves += 1
            self._shelf.saved.notify_all()
            return self.head()

    def read(self, after: int, limit: int) -> list[Recorded]:
        with self._shelf.saved:
            return [self._legible(each) for each in self._shelf.events[after : after + limit]]

    def stream(self, stream_id: UUID) -> list[Recorded]:
        with self._shelf.saved:
            return [self._legible(each) for each in self._shelf.streams.get(stream_id, ())]

    def head(self) -> int:
        return len(self._shelf.events)

    def ingested(self, partition: int) -> int:
        return self._shelf.ingested.get(partition, -1)

    def messages_by_reference(self, references: Collection[UUID]) -> dict[UUID, UUID]:
        with self._shelf.saved:
            known = self._shelf.references
            return {each: known[each] for each in references if each in known}

    def waiting_receipts(self, references: Collection[UUID]) -> list[WaitingReceipt]:
        with self._shelf.saved:
            found = [each for each in self._shelf.waiting.values() if each.reference in references]
        return sorted(found, key=lambda each: (each.partition, each.offset))

    def arrivals(self, contents: Collection[UUID]) -> list[Arrival]:
        with self._shelf.saved:
            found = [each for each in self._shelf.arrivals if each.content in contents]
        return sorted(found, key=lambda each: each.accepted_at)

    def forget_arrivals(self, before: datetime) -> None:
        with self._shelf.saved:
            self._shelf.arrivals = [each for each in self._shelf.arrivals if each.accepted_at >= before]

    def wait(self, timeout: float) -> None:
        with self._shelf.saved:
            seen = getattr(self._seen, "saves", -1)
            self._shelf.saved.wait_for(lambda: self._shelf.saves != seen, timeout)
            self._seen.saves = self._shelf.saves

    def parked(self) -> list[Parked]:
        """Every parked fact, in the order of the log."""
        with self._shelf.saved:
            return [self._shelf.parked[place] for place in sorted(self._shelf.parked)]

    # ── what is refused ────────────────────────────────────────────────────────────────────────

    def _check_source(self, source: Source) -> None:
        if source.offset <= self.ingested(source.partition):
            raise AlreadyTracked(f"partition {source.partition} has been ingested up to {source.offset}")

    def _check_lease(self, lease: Lease) -> None:
        now = self._shelf.leases.get(lease.name)
        ours = now is not None and (now.owner, now.epoch) == (lease.owner, lease.epoch)
        if now is None or not ours or now.until <= self._clock.now():
            raise LeaseLost(f"{lease.owner} no longer holds {lease.name}")

    def _check_unchanged(self, versions: Mapping[UUID, int]) -> None:
        stale = {each for each, version in versions.items() if self._version(each) != version}
        if stale:
            raise Conflict(stale)

    def _check_versions(self, pending: Iterable[Any]) -> None:
        first: dict[UUID, int] = {}
        for event in pending:
            first.setdefault(event.originator_id, event.originator_version)
        stale = {each for each, version in first.items() if version != self._version(each) + 1}
        if stale:
            raise Conflict(stale)

    def _version(self, stream_id: UUID) -> int:
        return len(self._shelf.streams.get(stream_id, ()))

    # ── what is kept ───────────────────────────────────────────────────────────────────────────

    def _keep(self, event: AggregateEvent) -> None:
        kept = _Kept(Recorded(self.head() + 1, event), self._key_for(event))
        self._shelf.events.append(kept)
        self._shelf.streams[event.originator_id].append(kept)

    def _key_for(self, event: AggregateEvent) -> int | None:
        if not _encrypted(get_topic(type(event))):
            return None
        customer_id: UUID = vars(event)["customer_id"]
        if customer_id not in self._shelf.keys:
            self._shelf.last_key += 1
            self._shelf.keys[customer_id] = self._shelf.last_key
        return self._shelf.keys[customer_id]

    def _note(self, unit: Unit) -> None:
        shelf = self._shelf
        if unit.source is not None:
            shelf.ingested[unit.source.partition] = unit.source.offset
        shelf.parked |= {(each.partition, each.offset): each for each in unit.parked}
        shelf.waiting |= {(each.reference, each.partition, each.offset): each for each in unit.waiting}
        for place in [place for place in shelf.waiting if place[0] in unit.matched]:
            del shelf.waiting[place]
        shelf.references.update(unit.references)
        shelf.arrivals += unit.arrivals

    def _legible(self, kept: _Kept) -> Recorded:
        if kept.key not in self._shelf.destroyed:
            return kept.recorded
        event = kept.recorded.event
        names = _encrypted(get_topic(type(event)))
        state = {name: ERASED if name in names and value else value for name, value in vars(event).items()}
        erased = object.__new__(type(event))
        object.__setattr__(erased, "__dict__", state)
        return Recorded(kept.recorded.position, erased)


LONG_AGO = datetime.min.replace(tzinfo=UTC)


class InMemoryLeases:
    """The port `Leases`."""

    def __init__(self, shelf: Shelf, clock: Clock) -> None:
        self._shelf = shelf
        self._clock = clock

    def acquire(self, name: str, owner: str, duration: timedelta) -> Lease | None:
        with self._shelf.saved:
            now, held = self._clock.now(), self._shelf.leases.get(name)
            alive = held is not None and held.until > now
            if held and alive and held.owner != owner:
                return None
            epoch = (held.epoch + (0 if alive else 1)) if held else 1
            self._shelf.leases[name] = lease = Lease(name, owner, epoch, now + duration)
            return lease

    def release(self, lease: Lease) -> None:
        with self._shelf.saved:
            held = self._shelf.leases.get(lease.name)
            if held and (held.owner, held.epoch) == (lease.owner, lease.epoch):
                self._shelf.leases[lease.name] = Lease(held.name, held.owner, held.epoch, LONG_AGO)

    def prolong(self, prefix: str, owner: str, duration: timedelta) -> None:
        with self._shelf.saved:
            for held in list(self._shelf.leases.values()):
                if held.name.startswith(prefix) and held.owner == owner and held.until > LONG_AGO:
                    until = self._clock.now() + duration
                    self._shelf.leases[held.name] = Lease(held.name, owner, held.epoch, until)

    def held(self, prefix: str) -> set[str]:
        with self._shelf.saved:
            now = self._clock.now()
            return {
                each.name
                for each in self._shelf.leases.values()
                if each.name.startswith(prefix) and each.until > now
            }


class InMemoryCustomerKeys:
    """The port `CustomerKeys`."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def destroy(self, customer_id: UUID) -> int:
        with self._shelf.saved:
            key = self._shelf.keys.pop(customer_id, None)
            if key is None:
                return 0
            self._shelf.destroyed.add(key)
            return 1


@cache
def _encrypted(topic: str) -> frozenset[str]:
    return frozenset(field["name"] for field in schema_for(topic)["fields"] if field.get("encrypted"))
