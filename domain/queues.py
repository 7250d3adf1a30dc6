"""Skill queues. A queue knows which mappings and agents name it, so that it is never removed under them."""

from datetime import datetime
from typing import Self
from uuid import UUID

from domain.aggregate import Aggregate
from domain.errors import Clash


class SkillQueue(Aggregate):
    """Where conversations wait for an agent with the skill."""

    TOPIC = "parley.queue.v1"

    class Created(Aggregate.Created):
        """Somebody added the queue."""

        TOPIC = "parley.queue.created.v1"
        code: str
        name: str
        by: str

        def apply(self, aggregate: "SkillQueue") -> None:
            aggregate.code = self.code
            aggregate.name = self.name
            aggregate.removed = False
            aggregate.users = frozenset()

    class Modified(Aggregate.Event):
        """It was renamed, or added again after a removal."""

        TOPIC = "parley.queue.modified.v1"
        name: str
        by: str

        def apply(self, aggregate: "SkillQueue") -> None:
            aggregate.name = self.name
            aggregate.removed = False

    class UserAdded(Aggregate.Event):
        """A mapping's route or an agent's skill names it now."""

        TOPIC = "parley.queue.user-added.v1"
        user: str

        def apply(self, aggregate: "SkillQueue") -> None:
            aggregate.users |= {self.user}

    class UserRemoved(Aggregate.Event):
        """A mapping or an agent names it no more."""

        TOPIC = "parley.queue.user-removed.v1"
        user: str

        def apply(self, aggregate: "SkillQueue") -> None:
            aggregate.users -= {self.user}

    class Removed(Aggregate.Event):
        """It exists no more."""

        TOPIC = "parley.queue.removed.v1"
        by: str

        def apply(self, aggregate: "SkillQueue") -> None:
            aggregate.removed = True

    def __init__(self) -> None:
        """Declares the state; `Created` fills it."""
        self.code: str
        self.name: str
        self.removed: bool
        self.users: frozenset[str]  # "mapping TW-SUPPORT", "agent ana"

    @classmethod
    def create(cls, queue_id: UUID, code: str, name: str, by: str, at: datetime) -> Self:
        """Add a queue."""
        return cls._begin(cls.Created, queue_id, at, code=code, name=name, by=by)

    def modify(self, name: str, by: str, at: datetime) -> None:
        """Rename it, or add it again."""
        if self.removed or name != self.name:
            self._record(self.Modified, at, name=name, by=by)

    def add_user(self, user: str, at: datetime) -> None:
        """Remember that this mapping or agent names it."""
        if user not in self.users:
            self._record(self.UserAdded, at, user=user)

    def remove_user(self, user: str, at: datetime) -> None:
        """Forget that this mapping or agent names it."""
        if user in self.users:
            self._record(self.UserRemoved, at, user=user)

    def remove(self, by: str, at: datetime) -> None:
        """Remove it. Raises Clash, naming the users, while there are any."""
        if self.users:
            raise Clash(f"queue {self.code} is used by {', '.join(sorted(self.users))}")
        self._record(self.Removed, at, by=by)
