"""Statistics: counts by the hour (UTC), mapping, number, queue and agent."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from database.sql import Row, Table, hexed, micros, moment
from domain.conversations import Conversation, EndOutcome, EndReason, Origin
from domain.messages import Message
from projections.projection import Projection
from projections.rows import Rows
from projections.views import Views

_SECOND = 1_000_000  # microseconds
_HOUR = 3600 * _SECOND

HOURS = Table(
    "hours",
    key=("hour", "mapping_id", "number", "queue", "agent"),
    columns="""
        hour BIGINT NOT NULL,
        mapping_id TEXT NOT NULL,
        number TEXT NOT NULL,
        queue TEXT NOT NULL,
        agent TEXT NOT NULL,
        inbound BIGINT NOT NULL,
        outbound BIGINT NOT NULL,
        started BIGINT NOT NULL,
        assigned BIGINT NOT NULL,
        waited_seconds BIGINT NOT NULL,
        responded BIGINT NOT NULL,
        response_seconds BIGINT NOT NULL,
        handled BIGINT NOT NULL,
        missed BIGINT NOT NULL,
        refused BIGINT NOT NULL,
        idle_ended BIGINT NOT NULL,
        handling_seconds BIGINT NOT NULL
    """,
    indexes={},
)

SITTINGS = Table(
    "hours_sittings",
    key=("conversation_id",),
    columns="""
        conversation_id TEXT NOT NULL,
        mapping_id TEXT NOT NULL,
        number TEXT NOT NULL,
        queue TEXT NOT NULL,
        agent TEXT NOT NULL,
        by_customer INTEGER NOT NULL,
        started_at BIGINT NOT NULL,
        assigned_at BIGINT,
        responded INTEGER NOT NULL
    """,
    indexes={},
)
"""What has to be known of a conversation to count what happens in it."""

_COUNTS = tuple(name for name in HOURS.names if name not in HOURS.key)


class Dimension(StrEnum):
    """What counts can be told apart by."""

    HOUR = "hour"
    MAPPING = "mapping_id"
    NUMBER = "number"
    QUEUE = "queue"
    AGENT = "agent"


@dataclass(frozen=True)
class Counted:
    """Which counts are wanted; what is None does not matter."""

    since: datetime | None = None  # hours that begin then or later
    until: datetime | None = None  # hours that begin before
    mapping_id: UUID | None = None
    number: str | None = None
    queue: str | None = None
    agent: str | None = None


@dataclass(frozen=True)
class Counts:
    """Counts of one group. What it was not grouped by is None; an empty queue or agent means there was none.

    Each is counted in the hour in which it happened.
    """

    hour: datetime | None  # its beginning, UTC
    mapping_id: UUID | None
    number: str | None
    queue: str | None
    agent: str | None
    inbound: int  # customers' texts
    outbound: int  # texts requested, by agents or the system, not suppressed
    started: int  # conversations, refused ones too
    assigned: int  # conversations that the router gave an agent
    waited_seconds: int  # of those, in queues
    responded: int  # customers' conversations that got their first answer
    response_seconds: int  # of those, from the start to the answer
    handled: int
    missed: int
    refused: int
    idle_ended: int  # handled or missed ones that ended by idle timeout
    handling_seconds: int  # in agents' hands


class Statistics(Projection):
    """Adds to the row of the hour."""

    name = "statistics"
    version = 1
    tables = (HOURS, SITTINGS)
    by_stream = (SITTINGS,)

    def _began(self, rows: Rows, event: Conversation.Created, position: int) -> None:
        sitting = rows.put(
            SITTINGS,
            conversation_id=hexed(event.originator_id),
            mapping_id=hexed(event.terms.mapping_id),
            number=event.our_address,
            queue=event.terms.queue or "",
            agent="",
            by_customer=int(event.origin is Origin.CUSTOMER),
            started_at=micros(event.timestamp),
            responded=0,
        )
        _count(rows, sitting, event.timestamp, started=1)

    def _queued(self, rows: Rows, event: Conversation.Queued, position: int) -> None:
        sitting = self._leave_hands(rows, event)
        if sitting:
            sitting["queue"] = event.queue

    def _assigned(self, rows: Rows, event: Conversation.Assigned, position: int) -> None:
        sitting = self._leave_hands(rows, event)
        if sitting:
            sitting.update(agent=event.agent, assigned_at=micros(event.timestamp))
            if event.reason == "routed":
                _count(rows, sitting, event.timestamp, assigned=1, waited_seconds=event.waited_seconds)

    def _answered(self, rows: Rows, event: Conversation.AgentWrote, position: int) -> None:
        sitting = rows.get(SITTINGS, hexed(event.originator_id))
        if sitting and sitting["by_customer"] and not sitting["responded"]:
            rows.change(SITTINGS, hexed(event.originator_id), responded=1)
            seconds = (micros(event.timestamp) - sitting["started_at"]) // _SECOND
            _count(rows, sitting, event.timestamp, responded=1, response_seconds=max(0, seconds))

    def _refused(self, rows: Rows, event: Conversation.Refused, position: int) -> None:
        sitting = rows.get(SITTINGS, hexed(event.originator_id))
        if sitting:
            _count(rows, sitting, event.timestamp, refused=1)

    def _ended(self, rows: Rows, event: Conversation.Ended, position: int) -> None:
        sitting = rows.get(SITTINGS, hexed(event.originator_id))
        if sitting:
            counts = {
                "handled": int(event.outcome is EndOutcome.HANDLED),
                "missed": int(event.outcome is EndOutcome.MISSED),
                "idle_ended": int(event.reason is EndReason.IDLE),
            }
            _count(rows, sitting, event.timestamp, **counts)
            self._leave_hands(rows, event)

    def _leave_hands(
        self, rows: Rows, event: Conversation.Queued | Conversation.Assigned | Conversation.Ended
    ) -> Row | None:
        """Count the time that the agent had it. Notices after the end still count for the queue."""
        sitting = rows.change(SITTINGS, hexed(event.originator_id))
        if sitting and sitting["assigned_at"] is not None:
            seconds = (micros(event.timestamp) - sitting["assigned_at"]) // _SECOND
            _count(rows, sitting, event.timestamp, handling_seconds=max(0, seconds))
            sitting.update(agent="", assigned_at=None)
        return sitting

    def _received(self, rows: Rows, event: Message.Received, position: int) -> None:
        sitting = self._sitting_of(rows, event)
        _count(rows, sitting, event.timestamp, inbound=1)

    def _requested(self, rows: Rows, event: Message.Requested, position: int) -> None:
        if not event.suppressed:
            sitting = {**self._sitting_of(rows, event), "agent": event.agent or ""}
            _count(rows, sitting, event.timestamp, outbound=1)

    def _sitting_of(self, rows: Rows, event: Message.Received | Message.Requested) -> Row:
        known = rows.get(SITTINGS, hexed(event.conversation_id)) if event.conversation_id else None
        nobody = {"queue": "", "agent": ""}
        return known or {"mapping_id": hexed(event.mapping_id), "number": event.our_address, **nobody}

    handlers = {  # noqa: RUF012 - never changed; the base class declares it
        Conversation.Created: _began,
        Conversation.Queued: _queued,
        Conversation.Assigned: _assigned,
        Conversation.AgentWrote: _answered,
        Conversation.Refused: _refused,
        Conversation.Ended: _ended,
        Message.Received: _received,
        Message.Requested: _requested,
    }


def _count(rows: Rows, sitting: Row, at: datetime, **counts: int) -> None:
    hour = micros(at) // _HOUR * _HOUR
    key = (hour, *(sitting[name] for name in HOURS.key[1:]))
    row = rows.change(HOURS, *key)
    if row is None:
        row = rows.put(HOURS, **dict(zip(HOURS.key, key, strict=True)), **dict.fromkeys(_COUNTS, 0))
    for name, number in counts.items():
        row[name] += number


class StatisticsQueries:
    """What analysts ask."""

    def __init__(self, views: Views) -> None:
        self._views = views

    def by_hour(self, filters: Counted, group: Collection[Dimension]) -> list[Counts]:
        """The counts, told apart by some dimensions, in their order."""
        wanted = {
            "hour >= :since": ("since", micros(filters.since)),
            "hour < :until": ("until", micros(filters.until)),
            "mapping_id = :mapping_id": ("mapping_id", hexed(filters.mapping_id)),
            "number = :number": ("number", filters.number),
            "queue = :queue": ("queue", filters.queue),
            "agent = :agent": ("agent", filters.agent),
        }
        given = {condition: value for condition, value in wanted.items() if value[1] is not None}
        by = [each.value for each in Dimension if each in group]
        sums = ", ".join([*by, *(f"SUM({name}) AS {name}" for name in _COUNTS)])
        statement = f"SELECT {sums} FROM hours"  # noqa: S608 - names from our own DDL
        statement += f" WHERE {' AND '.join(given)}" if given else ""
        statement += f" GROUP BY {', '.join(by)} ORDER BY {', '.join(by)}" if by else ""
        with self._views.reading() as cursor:
            rows = cursor.all(statement, dict(given.values()))
        return [_counts(row) for row in rows if row["started"] is not None]


def _counts(row: Row) -> Counts:
    mapping_id = row.get("mapping_id")
    return Counts(
        hour=moment(row.get("hour")),
        mapping_id=UUID(mapping_id) if mapping_id else None,
        number=row.get("number"),
        queue=row.get("queue"),
        agent=row.get("agent"),
        **{name: int(row[name]) for name in _COUNTS},
    )
