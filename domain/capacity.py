"""Capacity: the conversations open on a mapping that has a maximum."""

from datetime import datetime
from typing import Self
from uuid import UUID

from domain.aggregate import Aggregate


class Capacity(Aggregate):
    """Counts a mapping's open conversations. A mapping without a maximum has no such stream."""

    TOPIC = "parley.capacity.v1"

    class Created(Aggregate.Created):
        """The mapping had its first conversation under a maximum."""

        TOPIC = "parley.capacity.created.v1"
        mapping_id: UUID

        def apply(self, aggregate: "Capacity") -> None:
            aggregate.mapping_id = self.mapping_id
            aggregate.open = frozenset()

    class Taken(Aggregate.Event):
        """A conversation opened."""

        TOPIC = "parley.capacity.taken.v1"
        conversation_id: UUID

        def apply(self, aggregate: "Capacity") -> None:
            aggregate.open |= {self.conversation_id}

    class Freed(Aggregate.Event):
        """A conversation ended."""

        TOPIC = "parley.capacity.freed.v1"
        conversation_id: UUID

        def apply(self, aggregate: "Capacity") -> None:
            aggregate.open -= {self.conversation_id}

    def __init__(self) -> None:
        """Declares the state; `Created` fills it."""
        self.mapping_id: UUID
        self.open: frozenset[UUID]

    @classmethod
    def create(cls, capacity_id: UUID, mapping_id: UUID, at: datetime) -> Self:
        """The empty count of a mapping."""
        return cls._begin(cls.Created, capacity_id, at, mapping_id=mapping_id)

    def has_room(self, maximum: int) -> bool:
        """Whether one more may open."""
        return len(self.open) < maximum

    def take(self, conversation_id: UUID, at: datetime) -> None:
        """Count a conversation in, whether or not there is room: agents' own are never refused."""
        self._record(self.Taken, at, conversation_id=conversation_id)

    def free(self, conversation_id: UUID, at: datetime) -> None:
        """Count a conversation out."""
        if conversation_id in self.open:
            self._record(self.Freed, at, conversation_id=conversation_id)
