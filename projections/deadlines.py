"""Deadlines: when conversations have been idle, messages expire, agents count as lost, and long texts are
given up.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from database.sql import Row, Table, hexed, micros, moment, packed, unpacked
from domain.agents import Agent, AgentStatus
from domain.conversations import Conversation
from domain.facts import DeadlineKind
from domain.long_texts import PARTS_WAIT, LongText
from domain.message_values import WAITING, MessageStatus, Resolution
from domain.messages import Message
from projections.message_status import MessageEvent, status_after
from projections.projection import Projection
from projections.rows import Rows
from projections.views import Views

_MINUTE = 60_000_000  # microseconds

IDLE = Table(
    "deadlines_idle",
    key=("conversation_id",),
    columns="""
        conversation_id TEXT NOT NULL,
        thread_id TEXT NOT NULL,
        minutes INTEGER NOT NULL,
        due_at BIGINT NOT NULL
    """,
    indexes={"deadlines_idle_due": "(due_at)"},
)

EXPIRY = Table(
    "deadlines_expiry",
    key=("message_id",),
    columns="""
        message_id TEXT NOT NULL,
        thread_id TEXT NOT NULL,
        status TEXT NOT NULL,
        expires_at BIGINT NOT NULL,
        due_at BIGINT
    """,
    indexes={"deadlines_expiry_due": "(due_at)"},
)

LOST = Table(
    "deadlines_lost",
    key=("agent_id",),
    columns="""
        agent_id TEXT NOT NULL,
        status TEXT NOT NULL,
        in_hand TEXT NOT NULL,
        lost_at BIGINT,
        due_at BIGINT
    """,
    indexes={"deadlines_lost_due": "(due_at)"},
)

PARTS = Table(
    "deadlines_parts",
    key=("long_text_id",),
    columns="""
        long_text_id TEXT NOT NULL,
        thread_id TEXT NOT NULL,
        due_at BIGINT NOT NULL
    """,
    indexes={"deadlines_parts_due": "(due_at)"},
)

_UNDECIDED = (MessageStatus.ATTEMPTING, MessageStatus.IN_DOUBT)
"""Handed over, as far as anybody knows, but it may have to wait again."""


@dataclass(frozen=True)
class Deadline:
    """Something that falls due, as the ingress log is to be told."""

    kind: DeadlineKind
    key: UUID  # the thread, or the agent
    subject_id: UUID  # conversation, message, agent or long text
    due_at: datetime


class Deadlines(Projection):
    """A row without `due_at` is one that may get a deadline again."""

    name = "deadlines"
    version = 2
    tables = (IDLE, EXPIRY, LOST, PARTS)
    by_stream = tables

    # ── idle conversations ─────────────────────────────────────────────────────────────────────

    def _began(self, rows: Rows, event: Conversation.Created, position: int) -> None:
        minutes = event.terms.chat_control.idle_timeout_minutes
        rows.put(
            IDLE,
            conversation_id=hexed(event.originator_id),
            thread_id=hexed(event.thread_id),
            minutes=minutes,
            due_at=micros(event.timestamp) + minutes * _MINUTE,
        )

    def _wrote(
        self, rows: Rows, event: Conversation.CustomerWrote | Conversation.AgentWrote, position: int
    ) -> None:
        row = rows.change(IDLE, hexed(event.originator_id))
        if row:
            # Two clocks take part: as in the aggregate, activity never goes back.
            row["due_at"] = max(row["due_at"], micros(event.timestamp) + row["minutes"] * _MINUTE)

    def _over(self, rows: Rows, event: Conversation.Ended | Conversation.Refused, position: int) -> None:
        rows.delete(IDLE, hexed(event.originator_id))

    # ── messages ───────────────────────────────────────────────────────────────────────────────

    def _requested(self, rows: Rows, event: Message.Requested, position: int) -> None:
        if not event.suppressed:
            rows.put(
                EXPIRY,
                message_id=hexed(event.originator_id),
                thread_id=hexed(event.thread_id),
                status=MessageStatus.REQUESTED.value,
                expires_at=micros(event.expires_at),
                due_at=micros(event.expires_at),
            )

    def _resolved(self, rows: Rows, event: Message.Resolved, position: int) -> None:
        if event.resolution is Resolution.RESEND:
            rows.change(EXPIRY, hexed(event.originator_id), expires_at=micros(event.expires_at))
        self._step(rows, event, position)

    def _step(self, rows: Rows, event: MessageEvent, position: int) -> None:
        message_id = hexed(event.originator_id)
        row = rows.change(EXPIRY, message_id)
        if row is None:
            return
        status = status_after(row["status"], event)
        if status in WAITING:
            row.update(status=status.value, due_at=row["expires_at"])
        elif status in _UNDECIDED:
            row.update(status=status.value, due_at=None)
        else:
            rows.delete(EXPIRY, message_id)

    # ── agents ─────────────────────────────────────────────────────────────────────────────────

    def _added(self, rows: Rows, event: Agent.Created, position: int) -> None:
        offline = AgentStatus.OFFLINE.value
        rows.put(LOST, agent_id=hexed(event.originator_id), status=offline, in_hand=packed([]))

    def _status_changed(self, rows: Rows, event: Agent.StatusChanged, position: int) -> None:
        _decide_due(rows.change(LOST, hexed(event.originator_id), status=event.status.value))

    def _removed(self, rows: Rows, event: Agent.Removed, position: int) -> None:
        _decide_due(rows.change(LOST, hexed(event.originator_id), status=AgentStatus.OFFLINE.value))

    def _took(self, rows: Rows, event: Agent.Assigned, position: int) -> None:
        row = rows.change(LOST, hexed(event.originator_id))
        if row:
            row["in_hand"] = packed([*unpacked(row["in_hand"]), hexed(event.conversation_id)])
        _decide_due(row)

    def _released(self, rows: Rows, event: Agent.Released, position: int) -> None:
        row = rows.change(LOST, hexed(event.originator_id))
        if row:
            gone = hexed(event.conversation_id)
            row["in_hand"] = packed([each for each in unpacked(row["in_hand"]) if each != gone])
        _decide_due(row)

    def _connected(self, rows: Rows, event: Agent.DeskConnected, position: int) -> None:
        _decide_due(rows.change(LOST, hexed(event.originator_id), lost_at=None))

    def _disconnected(self, rows: Rows, event: Agent.DeskDisconnected, position: int) -> None:
        _decide_due(rows.change(LOST, hexed(event.originator_id), lost_at=micros(event.lost_at)))

    # ── long texts ─────────────────────────────────────────────────────────────────────────────

    def _part_came(self, rows: Rows, event: LongText.PartReceived, position: int) -> None:
        long_text_id = hexed(event.originator_id)
        if rows.get(PARTS, long_text_id) is None:  # it is the first
            rows.put(
                PARTS,
                long_text_id=long_text_id,
                thread_id=hexed(event.thread_id),
                due_at=micros(event.timestamp + PARTS_WAIT),
            )

    def _text_over(self, rows: Rows, event: LongText.Completed | LongText.GivenUp, position: int) -> None:
        rows.delete(PARTS, hexed(event.originator_id))

    handlers = {  # noqa: RUF012 - never changed; the base class declares it
        Conversation.Created: _began,
        Conversation.CustomerWrote: _wrote,
        Conversation.AgentWrote: _wrote,
        Conversation.Ended: _over,
        Conversation.Refused: _over,
        Message.Requested: _requested,
        Message.Attempted: _step,
        Message.Accepted: _step,
        Message.Settled: _step,
        Message.Receipted: _step,
        Message.Resolved: _resolved,
        Message.Blocked: _step,
        Message.Expired: _step,
        Agent.Created: _added,
        Agent.StatusChanged: _status_changed,
        Agent.Removed: _removed,
        Agent.Assigned: _took,
        Agent.Released: _released,
        Agent.DeskConnected: _connected,
        Agent.DeskDisconnected: _disconnected,
        LongText.PartReceived: _part_came,
        LongText.Completed: _text_over,
        LongText.GivenUp: _text_over,
    }


def _decide_due(row: Row | None) -> None:
    """An agent who is offline with nothing in hand can be lost without any harm."""
    if row:
        idle = row["status"] == AgentStatus.OFFLINE.value and row["in_hand"] == packed([])
        row["due_at"] = None if idle else row["lost_at"]


class DeadlineQueries:
    """What the timers ask."""

    def __init__(self, views: Views) -> None:
        self._views = views

    def due(self, now: datetime, limit: int) -> list[Deadline]:
        """What has fallen due by now and nothing has been heard of, the most overdue first."""
        with self._views.reading() as cursor:
            rows = cursor.all(
                "SELECT * FROM ("
                " SELECT 'idle' AS kind, thread_id AS log_key, conversation_id AS subject_id, due_at"
                " FROM deadlines_idle WHERE due_at <= :now"
                " UNION ALL SELECT 'expiry', thread_id, message_id, due_at"
                " FROM deadlines_expiry WHERE due_at <= :now"
                " UNION ALL SELECT 'agent_lost', agent_id, agent_id, due_at"
                " FROM deadlines_lost WHERE due_at <= :now"
                " UNION ALL SELECT 'parts', thread_id, long_text_id, due_at"
                " FROM deadlines_parts WHERE due_at <= :now"
                ") AS found ORDER BY due_at, subject_id LIMIT :limit",
                {"now": micros(now), "limit": limit},
            )
        return [
            Deadline(
                DeadlineKind(row["kind"]),
                UUID(row["log_key"]),
                UUID(row["subject_id"]),
                moment(row["due_at"]),
            )
            for row in rows
        ]

    def next_due(self) -> datetime | None:
        """When the next one falls due, or fell; None when there is none."""
        with self._views.reading() as cursor:
            row = cursor.one(
                "SELECT MIN(due_at) AS due_at FROM (SELECT MIN(due_at) AS due_at FROM deadlines_idle"
                " UNION ALL SELECT MIN(due_at) FROM deadlines_expiry"
                " UNION ALL SELECT MIN(due_at) FROM deadlines_lost"
                " UNION ALL SELECT MIN(due_at) FROM deadlines_parts) AS found"
            )
        return moment(row["due_at"]) if row else None
