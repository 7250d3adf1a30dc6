"""Lanes: the outbound messages that dispatch still has to deal with, by sending address."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from database.sql import Row, Table, hexed, micros, moment, unhexed
from domain.message_values import MessageStatus, Resolution
from domain.messages import Message
from projections.message_status import MessageEvent, status_after
from projections.projection import Projection
from projections.rows import Rows
from projections.views import Views

OUTBOUND = Table(
    "outbound",
    key=("message_id",),
    columns="""
        message_id TEXT NOT NULL,
        lane TEXT NOT NULL,
        thread_id TEXT NOT NULL,
        conversation_id TEXT,
        mapping_id TEXT NOT NULL,
        consent_id TEXT NOT NULL,
        sequence BIGINT NOT NULL,
        status TEXT NOT NULL,
        retry_at BIGINT,
        attempt INTEGER NOT NULL,
        send_by BIGINT,
        in_doubt_since BIGINT,
        expires_at BIGINT NOT NULL
    """,
    indexes={
        "outbound_by_lane": "(lane, status, sequence)",
        "outbound_by_thread": "(thread_id, status, sequence)",
        "outbound_by_status": "(status, sequence)",
    },
)

_LISTED = (
    MessageStatus.REQUESTED,
    MessageStatus.POSTPONED,
    MessageStatus.ATTEMPTING,
    MessageStatus.IN_DOUBT,
)


@dataclass(frozen=True)
class Outgoing:
    """An outbound message that waits, is being handed over, or is in doubt."""

    message_id: UUID
    lane: str  # our address
    thread_id: UUID  # whose messages keep their order
    conversation_id: UUID | None
    mapping_id: UUID
    consent_id: UUID
    sequence: int  # the position of its request
    status: MessageStatus
    retry_at: datetime | None  # of a postponed one: not before
    attempt: int  # the last one's number, 0 before the first
    send_by: datetime | None  # of the last attempt: not a byte leaves after this
    in_doubt_since: datetime | None
    expires_at: datetime


class Lanes(Projection):
    """A row lives until its message has been accepted, given up or decided upon."""

    name = "lanes"
    version = 1
    tables = (OUTBOUND,)
    by_stream = tables

    def _requested(self, rows: Rows, event: Message.Requested, position: int) -> None:
        if not event.suppressed:
            rows.put(
                OUTBOUND,
                message_id=hexed(event.originator_id),
                lane=event.our_address,
                thread_id=hexed(event.thread_id),
                conversation_id=hexed(event.conversation_id),
                mapping_id=hexed(event.mapping_id),
                consent_id=hexed(event.consent_id),
                sequence=position,
                status=MessageStatus.REQUESTED.value,
                attempt=0,
                expires_at=micros(event.expires_at),
            )

    def _attempted(self, rows: Rows, event: Message.Attempted, position: int) -> None:
        values = {"attempt": event.attempt, "send_by": micros(event.send_by), "retry_at": None}
        rows.change(OUTBOUND, hexed(event.originator_id), **values)
        self._step(rows, event, position)

    def _settled(self, rows: Rows, event: Message.Settled, position: int) -> None:
        rows.change(OUTBOUND, hexed(event.originator_id), retry_at=micros(event.retry_at))
        self._step(rows, event, position)

    def _resolved(self, rows: Rows, event: Message.Resolved, position: int) -> None:
        if event.resolution is Resolution.RESEND:
            rows.change(OUTBOUND, hexed(event.originator_id), expires_at=micros(event.expires_at))
        self._step(rows, event, position)

    def _step(self, rows: Rows, event: MessageEvent, position: int) -> None:
        message_id = hexed(event.originator_id)
        row = rows.change(OUTBOUND, message_id)
        if row is None:
            return
        status = status_after(row["status"], event)
        if status not in _LISTED:
            rows.delete(OUTBOUND, message_id)
            return
        in_doubt = status is MessageStatus.IN_DOUBT
        row.update(status=status.value, in_doubt_since=micros(event.timestamp) if in_doubt else None)

    handlers = {  # noqa: RUF012 - never changed; the base class declares it
        Message.Requested: _requested,
        Message.Attempted: _attempted,
        Message.Accepted: _step,
        Message.Settled: _settled,
        Message.Receipted: _step,
        Message.Resolved: _resolved,
        Message.Blocked: _step,
        Message.Expired: _step,
    }


class LaneQueries:
    """What dispatch asks."""

    def __init__(self, views: Views) -> None:
        self._views = views

    def lanes(self) -> list[str]:
        """The lanes with anything in them."""
        with self._views.reading() as cursor:
            return [row["lane"] for row in cursor.all("SELECT DISTINCT lane FROM outbound ORDER BY lane")]

    def depths(self) -> dict[tuple[str, MessageStatus], int]:
        """How many messages each lane holds, by status."""
        with self._views.reading() as cursor:
            rows = cursor.all("SELECT lane, status, count(*) AS many FROM outbound GROUP BY lane, status")
        return {(row["lane"], MessageStatus(row["status"])): row["many"] for row in rows}

    def ready(self, lane: str, now: datetime, limit: int) -> list[Outgoing]:
        """What may be handed over now: the first of each thread that waits, the oldest request first.

        Nothing of a thread is ready while one of its messages is being handed over or an earlier one waits,
        even until it is tried again. One in doubt holds nothing back. One whose time is over is not ready
        and, until it has expired, holds the later ones back.
        """
        return self._find(
            "SELECT * FROM outbound o WHERE o.lane = :lane AND o.status IN ('requested', 'postponed')"
            " AND (o.retry_at IS NULL OR o.retry_at <= :now) AND o.expires_at > :now"
            " AND NOT EXISTS (SELECT 1 FROM outbound e WHERE e.thread_id = o.thread_id"
            " AND (e.status = 'attempting'"
            " OR (e.status IN ('requested', 'postponed') AND e.sequence < o.sequence)))"
            " ORDER BY o.sequence LIMIT :limit",
            {"lane": lane, "now": micros(now), "limit": limit},
        )

    def attempting(self, lane: str) -> list[Outgoing]:
        """What is being handed over: for a new owner of the lane to wait out. The oldest request first."""
        return self._find(
            "SELECT * FROM outbound WHERE lane = :lane AND status = 'attempting' ORDER BY sequence",
            {"lane": lane},
        )

    def overdue(self, lane: str, send_by: datetime) -> list[Outgoing]:
        """What is being handed over and was to have begun before a moment. The oldest request first."""
        return self._find(
            "SELECT * FROM outbound WHERE lane = :lane AND status = 'attempting' AND send_by < :send_by"
            " ORDER BY sequence",
            {"lane": lane, "send_by": micros(send_by)},
        )

    def in_doubt(self, since: datetime, limit: int) -> list[Outgoing]:
        """What has been in doubt since then or later, the newest first: to be looked up with the provider."""
        return self._find(
            "SELECT * FROM outbound WHERE status = 'in_doubt' AND in_doubt_since >= :since"
            " ORDER BY in_doubt_since DESC, sequence LIMIT :limit",
            {"since": micros(since), "limit": limit},
        )

    def _find(self, statement: str, values: dict[str, Any]) -> list[Outgoing]:
        with self._views.reading() as cursor:
            return [_outgoing(row) for row in cursor.all(statement, values)]


def _outgoing(row: Row) -> Outgoing:
    return Outgoing(
        message_id=UUID(row["message_id"]),
        lane=row["lane"],
        thread_id=UUID(row["thread_id"]),
        conversation_id=unhexed(row["conversation_id"]),
        mapping_id=UUID(row["mapping_id"]),
        consent_id=UUID(row["consent_id"]),
        sequence=row["sequence"],
        status=MessageStatus(row["status"]),
        retry_at=moment(row["retry_at"]),
        attempt=row["attempt"],
        send_by=moment(row["send_by"]),
        in_doubt_since=moment(row["in_doubt_since"]),
        expires_at=moment(row["expires_at"]),
    )
