"""The aggregates that one decision, or one batch of them, is made with."""

from collections.abc import Iterable
from typing import TypeVar
from uuid import UUID

from eventsourcing.domain import Aggregate

from domain.errors import NotFound
from domain.ports import EventStore

A = TypeVar("A", bound=Aggregate)


class World:
    """What has been loaded, and what decisions add to it; all of it is saved together."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._aggregates: dict[UUID, Aggregate] = {}
        self._looked_for: set[UUID] = set()

    def load(self, ids: Iterable[UUID]) -> None:
        """Load, by one query, those of the aggregates that have not been looked for yet."""
        wanted = set(ids) - self._looked_for
        if wanted:
            self._looked_for |= wanted
            self._aggregates.update(self._store.load(wanted))

    def get(self, kind: type[A], aggregate_id: UUID) -> A | None:
        """The aggregate with this id, if it exists."""
        found = self._aggregates.get(aggregate_id)
        return found if isinstance(found, kind) else None

    def need(self, kind: type[A], aggregate_id: UUID, what: str) -> A:
        """The aggregate with this id. Raises NotFound, saying what there is none of."""
        found = self.get(kind, aggregate_id)
        if found is None:
            raise NotFound(f"there is no {what}")
        return found

    def add(self, aggregate: A) -> A:
        """Take up a new aggregate."""
        self._looked_for.add(aggregate.id)
        self._aggregates[aggregate.id] = aggregate
        return aggregate

    def changed(self) -> list[Aggregate]:
        """The aggregates with events that are not saved yet."""
        return [each for each in self._aggregates.values() if each.pending_events]
