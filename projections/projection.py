"""What every projection is."""

from abc import ABC
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from eventsourcing.domain import AggregateEvent

from database.sql import Cursor, Table
from domain.ports import Recorded
from projections.rows import Rows

Handler = Callable[[Any, Rows, Any, int], None]
"""A projection's method for one class of events: rows, the event, its position."""


class Projection(ABC):
    """Some tables that follow from the events, and from nothing else: no clock, no other table."""

    name: ClassVar[str]
    """Under which its position is kept."""

    version: ClassVar[int]
    """Raised whenever tables or handlers change: the view then begins again from zero."""

    tables: ClassVar[tuple[Table, ...]]

    by_stream: ClassVar[tuple[Table, ...]] = ()
    """Those whose key is or begins with the id of an aggregate: their rows are read ahead for a batch."""

    purged: ClassVar[tuple[Table, ...]] = ()
    """Those whose rows are overwritten when a customer is forgotten."""

    handlers: ClassVar[Mapping[type[AggregateEvent], Handler]]
    """What it does with each class of events; others are no business of its."""

    def apply(self, cursor: Cursor, recorded: Sequence[Recorded]) -> None:
        """Change the tables by events that they have not seen, in order."""
        mine = [each for each in recorded if type(each.event) in self.handlers]
        streams = dict.fromkeys(each.event.originator_id.hex for each in mine)
        rows = Rows(cursor)
        for table in self.by_stream:
            rows.expect(table, streams)
        for each in mine:
            self.handlers[type(each.event)](self, rows, each.event, each.position)
        rows.flush()
