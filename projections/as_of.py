"""The history's documents made of events alone: as of a past moment, or before the views show them.

The history's own handlers fold the events into rows that are never written: one conversation or message
reads the same from here and from the view.
"""

from collections.abc import Iterable
from typing import Any, cast
from uuid import UUID

from database.sql import Cursor, Row, hexed
from domain.messages import Message
from domain.ports import Recorded
from projections.history import History
from projections.history_documents import (
    ConversationView,
    MessageDetail,
    attempt_of,
    conversation_of,
    message_of,
    receipt_of,
)
from projections.history_tables import ATTEMPTS, CONVERSATIONS, MESSAGES, RECEIPTS
from projections.rows import Rows


class _Nothing:
    """A cursor on tables that have no rows."""

    def one(self, statement: str, values: Any = None) -> Row | None:
        return None


def conversation_from(
    events: Iterable[Recorded], *, display_name: str, opted_out: bool
) -> ConversationView | None:
    """The conversation that its stream's events make; None when there are none."""
    rows, stream_id = _folded(events)
    row = rows.get(CONVERSATIONS, hexed(stream_id)) if stream_id else None
    return conversation_of({**row, "display_name": display_name, "opted_out": opted_out}) if row else None


def message_from(events: Iterable[Recorded]) -> MessageDetail | None:
    """The message that its stream's events make; None when there are none."""
    events = list(events)
    rows, stream_id = _folded(events)
    row = rows.get(MESSAGES, hexed(stream_id)) if stream_id else None
    if row is None:
        return None
    attempts = [rows.get(ATTEMPTS, row["id"], number) for number in range(1, row["attempt"] + 1)]
    said = [each.event.originator_version for each in events if isinstance(each.event, Message.Receipted)]
    receipts = [rows.get(RECEIPTS, row["id"], version) for version in said]
    return MessageDetail(
        message=message_of(row),
        attempts=tuple(attempt_of(each) for each in attempts if each),
        receipts=tuple(receipt_of(each) for each in receipts if each),
    )


def _folded(events: Iterable[Recorded]) -> tuple[Rows, UUID | None]:
    history, rows = History(), Rows(cast("Cursor", _Nothing()))
    stream_id: UUID | None = None
    for recorded in events:
        stream_id = recorded.event.originator_id
        handler = History.handlers.get(type(recorded.event))
        if handler:
            handler(history, rows, recorded.event, recorded.position)
    return rows, stream_id
