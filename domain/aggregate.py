"""The base of every aggregate: the eventsourcing library's, with the time always given from outside."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from eventsourcing import domain
from eventsourcing.domain import CanInitAggregate, CanMutateAggregate


class Aggregate(domain.Aggregate):
    """An aggregate decides in its public methods and changes only in its events' `apply`.

    Events are written out as nested classes, each with an explicit, versioned `TOPIC` and a schema
    in `avro_schemas/`. Fields named in the schema as encrypted hold customers' texts and numbers.
    """

    @classmethod
    def _begin(
        cls, event_class: type[CanInitAggregate[UUID]], stream_id: UUID, at: datetime, **fields: Any
    ) -> Self:
        """Create the aggregate by its first event."""
        return cls._create(event_class, id=stream_id, timestamp=at, **fields)

    def _record(self, event_class: type[CanMutateAggregate[UUID]], at: datetime, **fields: Any) -> None:
        """Record an event that happened at that time, and apply it."""
        self.trigger_event(event_class, timestamp=at, **fields)
