"""What readers ask of the history."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from database.sql import hexed, like, micros, unpacked
from domain.conversations import EndOutcome, State
from domain.message_values import MessageStatus
from domain.values import ERASED
from projections.history_documents import (
    CONVERSATION_COLUMNS,
    CONVERSATION_JOINS,
    ConversationView,
    MessageDetail,
    MessageView,
    attempt_of,
    conversation_of,
    message_of,
    receipt_of,
)
from projections.pages import Page, behind, page
from projections.views import Views

_CONVERSATIONS = f"SELECT {CONVERSATION_COLUMNS} FROM conversations c {CONVERSATION_JOINS}"  # noqa: S608 - our own names

_CONDITIONS = {
    "customer": "c.customer_address = :customer",
    "number": "c.our_address = :number",
    "queue": "c.queue = :queue",
    "agent": "c.agent = :agent",
    "state": "c.state = :state",
    "outcome": "c.outcome = :outcome",
    "since": "c.started_at >= :since",
    "until": "c.started_at < :until",
    "text": "EXISTS (SELECT 1 FROM messages m WHERE m.conversation_id = c.id"
    " AND m.folded LIKE :text ESCAPE '!')",
}


@dataclass(frozen=True)
class Filters:
    """What conversations are searched by; what is None or empty does not matter."""

    customer: str | None = None  # the customer's address
    number: str | None = None  # our address
    queue: str | None = None
    agent: str | None = None
    state: State | None = None
    outcome: EndOutcome | None = None
    since: datetime | None = None  # started then or later
    until: datetime | None = None  # started before
    text: str = ""  # part of a message, whatever its capitals


@dataclass(frozen=True)
class WantedMedia:
    """A picture or file of an inbound message that has not been copied yet."""

    message_id: UUID
    thread_id: UUID
    mapping_id: UUID
    customer_id: UUID
    index: int  # which of the message's media, from 0
    url: str
    content_type: str


class HistoryQueries:
    """Answers as of the history's position."""

    def __init__(self, views: Views) -> None:
        self._views = views

    # ── one ────────────────────────────────────────────────────────────────────────────────────

    def conversation(self, id: UUID) -> ConversationView | None:
        """The conversation with this id."""
        with self._views.reading() as cursor:
            row = cursor.one(f"{_CONVERSATIONS} WHERE c.id = :id", {"id": hexed(id)})
        return conversation_of(row) if row else None

    def message(self, id: UUID) -> MessageDetail | None:
        """The message with this id, its attempts and receipts in order."""
        values = {"id": hexed(id)}
        with self._views.reading() as cursor:
            row = cursor.one("SELECT * FROM messages WHERE id = :id", values)
            attempts = cursor.all("SELECT * FROM attempts WHERE message_id = :id ORDER BY attempt", values)
            receipts = cursor.all("SELECT * FROM receipts WHERE message_id = :id ORDER BY version", values)
        if row is None:
            return None
        return MessageDetail(
            message_of(row), tuple(map(attempt_of, attempts)), tuple(map(receipt_of, receipts))
        )

    def messages(
        self, conversation_id: UUID, *, after_position: int = 0, limit: int = 1000
    ) -> list[MessageView]:
        """The first messages of a conversation that have changed after a position, in order of coming."""
        with self._views.reading() as cursor:
            rows = cursor.all(
                "SELECT * FROM messages WHERE conversation_id = :id AND position > :after"
                " ORDER BY sequence LIMIT :limit",
                {"id": hexed(conversation_id), "after": after_position, "limit": limit},
            )
        return [message_of(row) for row in rows]

    # ── lists ──────────────────────────────────────────────────────────────────────────────────

    def search(self, filters: Filters, cursor: str | None, limit: int) -> Page[ConversationView]:
        """Conversations, the newest first. Raises Invalid for a cursor of something else."""
        wanted = {
            "customer": filters.customer,
            "number": filters.number,
            "queue": filters.queue,
            "agent": filters.agent,
            "state": filters.state,
            "outcome": filters.outcome,
            "since": micros(filters.since),
            "until": micros(filters.until),
            "text": like(filters.text) if filters.text else None,
        }
        values = {name: value for name, value in wanted.items() if value is not None}
        return self._conversations([_CONDITIONS[name] for name in values], values, cursor, limit)

    def missed(self, queues: Collection[str], cursor: str | None, limit: int) -> Page[ConversationView]:
        """Missed and refused conversations that nobody has seen to, the oldest first.

        Those of some queues; of all when none is named. Raises Invalid for a cursor of something else.
        """
        conditions = ["c.outcome IN ('missed', 'refused')", "c.closed = 0"]
        values = {"queues": list(queues)}
        if queues:
            conditions.append("c.queue IN :queues")
        return self._conversations(conditions, values, cursor, limit, newest_first=False)

    def of_customer(self, customer_address: str, limit: int) -> list[ConversationView]:
        """A customer's conversations, the newest first. Those who were forgotten have none in common."""
        if customer_address == ERASED:
            return []
        return list(self.search(Filters(customer=customer_address), None, limit).items)

    def unrouted(self, cursor: str | None, limit: int) -> Page[MessageView]:
        """Texts to numbers that no route has, the oldest first. Raises Invalid for a wrong cursor."""
        return self._messages(MessageStatus.UNROUTED, cursor, limit)

    def in_doubt(self, cursor: str | None, limit: int) -> Page[MessageView]:
        """Messages of which nobody knows whether they went, the oldest first. Raises Invalid."""
        return self._messages(MessageStatus.IN_DOUBT, cursor, limit)

    def wanted_media(self, limit: int) -> list[WantedMedia]:
        """Pictures and files that are still to be copied, of at most `limit` messages, the oldest first."""
        with self._views.reading() as cursor:
            rows = cursor.all(
                "SELECT * FROM messages WHERE media_missing > 0 ORDER BY sequence LIMIT :limit",
                {"limit": limit},
            )
        return [
            WantedMedia(
                message_id=UUID(row["id"]),
                thread_id=UUID(row["thread_id"]),
                mapping_id=UUID(row["mapping_id"]),
                customer_id=UUID(row["customer_id"]),
                index=index,
                url=url,
                content_type=media["content_type"],
            )
            for row in rows
            for index, (media, url) in enumerate(
                zip(unpacked(row["media"]), unpacked(row["media_urls"]), strict=True)
            )
            if "size" not in media
        ]

    def _conversations(
        self,
        conditions: list[str],
        values: Mapping[str, Any],
        cursor: str | None,
        limit: int,
        *,
        newest_first: bool = True,
    ) -> Page[ConversationView]:
        beyond, direction = ("<", "DESC") if newest_first else (">", "ASC")
        if cursor is not None:
            last_at, last_id = behind(cursor, (int, str))
            conditions = [*conditions, f"(c.started_at, c.id) {beyond} (:last_at, :last_id)"]
            values = {**values, "last_at": last_at, "last_id": last_id}
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        order = f"ORDER BY c.started_at {direction}, c.id {direction} LIMIT :limit"
        with self._views.reading() as reader:
            rows = reader.all(f"{_CONVERSATIONS} {where} {order}", {**values, "limit": limit + 1})
        return page(rows, limit, ("started_at", "id"), conversation_of)

    def _messages(self, status: MessageStatus, cursor: str | None, limit: int) -> Page[MessageView]:
        last_at, last_id = behind(cursor, (int, str)) if cursor is not None else (-1, "")
        # The status is written out, so that the index of these few is used.
        statement = (
            f"SELECT * FROM messages WHERE status = '{status.value}'"  # noqa: S608 - an enumeration's value
            " AND (at, id) > (:last_at, :last_id) ORDER BY at, id LIMIT :limit"
        )
        with self._views.reading() as reader:
            rows = reader.all(statement, {"last_at": last_at, "last_id": last_id, "limit": limit + 1})
        return page(rows, limit, ("at", "id"), message_of)
