"""Work codes: how a conversation was disposed of."""

from datetime import datetime
from typing import Self
from uuid import UUID

from domain.aggregate import Aggregate


class WorkCode(Aggregate):
    """How a conversation was disposed of."""

    TOPIC = "parley.work-code.v1"

    class Created(Aggregate.Created):
        """Somebody added the work code."""

        TOPIC = "parley.work-code.created.v1"
        code: str
        name: str
        by: str

        def apply(self, aggregate: "WorkCode") -> None:
            aggregate.code = self.code
            aggregate.name = self.name
            aggregate.removed = False

    class Modified(Aggregate.Event):
        """It was renamed, or added again after a removal."""

        TOPIC = "parley.work-code.modified.v1"
        name: str
        by: str

        def apply(self, aggregate: "WorkCode") -> None:
            aggregate.name = self.name
            aggregate.removed = False

    class Removed(Aggregate.Event):
        """It can be chosen no more; conversations keep it."""

        TOPIC = "parley.work-code.removed.v1"
        by: str

        def apply(self, aggregate: "WorkCode") -> None:
            aggregate.removed = True

    def __init__(self) -> None:
        """Declares the state; `Created` fills it."""
        self.code: str
        self.name: str
        self.removed: bool

    @classmethod
    def create(cls, work_code_id: UUID, code: str, name: str, by: str, at: datetime) -> Self:
        """Add a work code."""
        return cls._begin(cls.Created, work_code_id, at, code=code, name=name, by=by)

    def modify(self, name: str, by: str, at: datetime) -> None:
        """Rename it, or add it again."""
        if self.removed or name != self.name:
            self._record(self.Modified, at, name=name, by=by)

    def remove(self, by: str, at: datetime) -> None:
        """Take it off the list."""
        self._record(self.Removed, at, by=by)
