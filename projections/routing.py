"""Routing: what waits in the queues, who might take it, and what has to be taken out of agents' hands."""

from collections.abc import Collection
from uuid import UUID

from database.sql import Table, hexed, micros, moment
from domain.agents import Agent
from domain.conversations import Conversation
from domain.routing import Waiting
from projections.projection import Projection
from projections.rows import Rows
from projections.views import Views

WAITING = Table(
    "waiting",
    key=("conversation_id",),
    columns="""
        conversation_id TEXT NOT NULL,
        queue TEXT NOT NULL,
        since BIGINT NOT NULL,
        ahead INTEGER NOT NULL,
        preferred_agent TEXT
    """,
    indexes={"waiting_in_order": "(queue, ahead DESC, since, conversation_id)"},
)

HANDS = Table(
    "hands",
    key=("conversation_id",),
    columns="""
        conversation_id TEXT NOT NULL,
        agent_id TEXT NOT NULL,
        ended INTEGER NOT NULL
    """,
    indexes={"hands_to_release": "(conversation_id) WHERE ended = 1"},
)
"""In whose hands a conversation is, by the agent's own stream, and whether it has ended."""

ROUTABLE = Table(
    "routable",
    key=("agent_id",),
    columns="""
        agent_id TEXT NOT NULL,
        login TEXT NOT NULL,
        removed INTEGER NOT NULL
    """,
    indexes={},
)


class Routing(Projection):
    """Small: a row lives only while something waits or is in hand."""

    name = "routing"
    version = 1
    tables = (WAITING, HANDS, ROUTABLE)
    by_stream = tables

    def _queued(self, rows: Rows, event: Conversation.Queued, position: int) -> None:
        rows.put(
            WAITING,
            conversation_id=hexed(event.originator_id),
            queue=event.queue,
            since=micros(event.timestamp),
            ahead=int(event.ahead),
            preferred_agent=event.preferred_agent,
        )

    def _assigned(self, rows: Rows, event: Conversation.Assigned, position: int) -> None:
        rows.delete(WAITING, hexed(event.originator_id))

    def _ended(self, rows: Rows, event: Conversation.Ended, position: int) -> None:
        rows.delete(WAITING, hexed(event.originator_id))
        rows.change(HANDS, hexed(event.originator_id), ended=1)

    def _took(self, rows: Rows, event: Agent.Assigned, position: int) -> None:
        agent_id = hexed(event.originator_id)
        rows.put(HANDS, conversation_id=hexed(event.conversation_id), agent_id=agent_id, ended=0)

    def _released(self, rows: Rows, event: Agent.Released, position: int) -> None:
        row = rows.get(HANDS, hexed(event.conversation_id))
        # It may be in the next agent's hands already: both change in one transaction, in either order.
        if row and row["agent_id"] == hexed(event.originator_id):
            rows.delete(HANDS, hexed(event.conversation_id))

    def _added(self, rows: Rows, event: Agent.Created, position: int) -> None:
        rows.put(ROUTABLE, agent_id=hexed(event.originator_id), login=event.login, removed=0)

    def _modified(self, rows: Rows, event: Agent.Modified, position: int) -> None:
        rows.change(ROUTABLE, hexed(event.originator_id), removed=0)

    def _removed(self, rows: Rows, event: Agent.Removed, position: int) -> None:
        rows.change(ROUTABLE, hexed(event.originator_id), removed=1)

    handlers = {  # noqa: RUF012 - never changed; the base class declares it
        Conversation.Queued: _queued,
        Conversation.Assigned: _assigned,
        Conversation.Ended: _ended,
        Agent.Assigned: _took,
        Agent.Released: _released,
        Agent.Created: _added,
        Agent.Modified: _modified,
        Agent.Removed: _removed,
    }


class RoutingQueries:
    """What the router asks."""

    def __init__(self, views: Views) -> None:
        self._views = views

    def waiting(self, queues: Collection[str], limit: int) -> list[Waiting]:
        """What waits longest in these queues: heads of queues first, then the oldest."""
        with self._views.reading() as cursor:
            found = [
                row
                for queue in sorted(queues)
                for row in cursor.all(
                    "SELECT * FROM waiting WHERE queue = :queue"
                    " ORDER BY ahead DESC, since, conversation_id LIMIT :limit",
                    {"queue": queue, "limit": limit},
                )
            ]
        rows = sorted(found, key=lambda row: (-row["ahead"], row["since"], row["conversation_id"]))[:limit]
        return [
            Waiting(UUID(row["conversation_id"]), row["queue"], moment(row["since"]), row["preferred_agent"])
            for row in rows
        ]

    def agent_logins(self) -> list[str]:
        """All agents who have not been removed, by login."""
        with self._views.reading() as cursor:
            rows = cursor.all("SELECT login FROM routable WHERE removed = 0 ORDER BY login")
        return [row["login"] for row in rows]

    def to_release(self) -> list[tuple[str, UUID]]:
        """Agents' logins and the conversations that have ended while still in their hands."""
        with self._views.reading() as cursor:
            rows = cursor.all(
                "SELECT r.login, h.conversation_id FROM hands h JOIN routable r ON r.agent_id = h.agent_id"
                " WHERE h.ended = 1 ORDER BY r.login, h.conversation_id"
            )
        return [(row["login"], UUID(row["conversation_id"])) for row in rows]
