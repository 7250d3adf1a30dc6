"""Canned replies: texts that agents send often (Auto Text)."""

from datetime import datetime
from typing import Self
from uuid import UUID

from domain.aggregate import Aggregate


class CannedReply(Aggregate):
    """A text that agents send often."""

    TOPIC = "parley.canned-reply.v1"

    class Created(Aggregate.Created):
        """Somebody added the reply."""

        TOPIC = "parley.canned-reply.created.v1"
        code: str
        name: str
        text: str
        by: str

        def apply(self, aggregate: "CannedReply") -> None:
            aggregate.code = self.code
            aggregate.name = self.name
            aggregate.text = self.text
            aggregate.removed = False

    class Modified(Aggregate.Event):
        """Its name or text was replaced, or it was added again after a removal."""

        TOPIC = "parley.canned-reply.modified.v1"
        name: str
        text: str
        by: str

        def apply(self, aggregate: "CannedReply") -> None:
            aggregate.name = self.name
            aggregate.text = self.text
            aggregate.removed = False

    class Removed(Aggregate.Event):
        """It can be chosen no more."""

        TOPIC = "parley.canned-reply.removed.v1"
        by: str

        def apply(self, aggregate: "CannedReply") -> None:
            aggregate.removed = True

    def __init__(self) -> None:
        """Declares the state; `Created` fills it."""
        self.code: str
        self.name: str
        self.text: str
        self.removed: bool

    @classmethod
    def create(cls, reply_id: UUID, code: str, name: str, text: str, by: str, at: datetime) -> Self:
        """Add a canned reply."""
        return cls._begin(cls.Created, reply_id, at, code=code, name=name, text=text, by=by)

    def modify(self, name: str, text: str, by: str, at: datetime) -> None:
        """Replace it, or add it again."""
        if self.removed or (name, text) != (self.name, self.text):
            self._record(self.Modified, at, name=name, text=text, by=by)

    def remove(self, by: str, at: datetime) -> None:
        """Take it off the list."""
        self._record(self.Removed, at, by=by)
