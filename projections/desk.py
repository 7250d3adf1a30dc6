"""The desk: the agents as they are, and which conversations they have or had in their hands."""

from database.sql import Row, Table, hexed, micros, packed, unpacked
from domain.agents import Agent, AgentSettings, AgentStatus
from domain.conversations import Conversation
from projections.projection import Projection
from projections.rows import Rows

AGENTS = Table(
    "agents",
    key=("id",),
    columns="""
        id TEXT NOT NULL,
        login TEXT NOT NULL,
        name TEXT NOT NULL,
        skills TEXT NOT NULL,
        room INTEGER NOT NULL,
        wrap_up_seconds INTEGER NOT NULL,
        removed INTEGER NOT NULL,
        status TEXT NOT NULL,
        in_hand TEXT NOT NULL,
        wrap_up_until BIGINT,
        idle_since BIGINT NOT NULL,
        connected INTEGER NOT NULL,
        lost_at BIGINT,
        position BIGINT NOT NULL
    """,
    indexes={"agents_by_login": "(login)"},
)

HOLDERS = Table(
    "holders",
    key=("conversation_id",),
    columns="""
        conversation_id TEXT NOT NULL,
        login TEXT
    """,
    indexes={},
)
"""Who has a conversation now."""

INVOLVEMENTS = Table(
    "involvements",
    key=("conversation_id", "login"),
    columns="""
        conversation_id TEXT NOT NULL,
        login TEXT NOT NULL,
        since BIGINT NOT NULL,
        until BIGINT
    """,
    indexes={
        "involvements_by_start": "(login, since)",
        "involvements_by_end": "(login, until)",
    },
)
"""From and until which position an agent has or had a conversation; one that ended is still the agent's."""


class Desk(Projection):
    """Agents mirror their streams; an involvement ends when a conversation goes to another or to a queue."""

    name = "desk"
    version = 1
    tables = (AGENTS, HOLDERS, INVOLVEMENTS)
    by_stream = tables

    # ── agents ─────────────────────────────────────────────────────────────────────────────────

    def _added(self, rows: Rows, event: Agent.Created, position: int) -> None:
        rows.put(
            AGENTS,
            id=hexed(event.originator_id),
            login=event.login,
            **_settings(event.settings),
            status=AgentStatus.OFFLINE.value,
            in_hand=packed([]),
            idle_since=micros(event.timestamp),
            connected=0,
            position=position,
        )

    def _modified(self, rows: Rows, event: Agent.Modified, position: int) -> None:
        rows.change(AGENTS, hexed(event.originator_id), **_settings(event.settings), position=position)

    def _status_changed(self, rows: Rows, event: Agent.StatusChanged, position: int) -> None:
        row = rows.change(AGENTS, hexed(event.originator_id), position=position)
        if row:
            available = AgentStatus.AVAILABLE.value
            if event.status.value == available and row["status"] != available:
                row["idle_since"] = micros(event.timestamp)
            row["status"] = event.status.value

    def _took(self, rows: Rows, event: Agent.Assigned, position: int) -> None:
        row = rows.change(AGENTS, hexed(event.originator_id), position=position)
        if row:
            row["in_hand"] = packed([*unpacked(row["in_hand"]), hexed(event.conversation_id)])

    def _released(self, rows: Rows, event: Agent.Released, position: int) -> None:
        until = micros(event.wrap_up_until)
        row = rows.change(AGENTS, hexed(event.originator_id), wrap_up_until=until, position=position)
        if row:
            gone = hexed(event.conversation_id)
            row["in_hand"] = packed([each for each in unpacked(row["in_hand"]) if each != gone])
            row["idle_since"] = until or micros(event.timestamp)

    def _wrapped_up(self, rows: Rows, event: Agent.WrapUpFinished, position: int) -> None:
        at = micros(event.timestamp)
        agent_id = hexed(event.originator_id)
        rows.change(AGENTS, agent_id, wrap_up_until=None, idle_since=at, position=position)

    def _connected(self, rows: Rows, event: Agent.DeskConnected, position: int) -> None:
        rows.change(AGENTS, hexed(event.originator_id), connected=1, lost_at=None, position=position)

    def _disconnected(self, rows: Rows, event: Agent.DeskDisconnected, position: int) -> None:
        lost_at = micros(event.lost_at)
        rows.change(AGENTS, hexed(event.originator_id), connected=0, lost_at=lost_at, position=position)

    def _removed(self, rows: Rows, event: Agent.Removed, position: int) -> None:
        offline = AgentStatus.OFFLINE.value
        rows.change(AGENTS, hexed(event.originator_id), removed=1, status=offline, position=position)

    # ── involvement ────────────────────────────────────────────────────────────────────────────

    def _assigned(self, rows: Rows, event: Conversation.Assigned, position: int) -> None:
        self._hand_over(rows, hexed(event.originator_id), event.agent, position)

    def _queued(self, rows: Rows, event: Conversation.Queued, position: int) -> None:
        self._hand_over(rows, hexed(event.originator_id), None, position)

    def _hand_over(self, rows: Rows, conversation_id: str, login: str | None, position: int) -> None:
        holder = rows.get(HOLDERS, conversation_id)
        before = holder["login"] if holder else None
        if before == login:
            return
        if before is not None:
            rows.change(INVOLVEMENTS, conversation_id, before, until=position)
        if login is not None:
            rows.put(INVOLVEMENTS, conversation_id=conversation_id, login=login, since=position)
        rows.put(HOLDERS, conversation_id=conversation_id, login=login)

    handlers = {  # noqa: RUF012 - never changed; the base class declares it
        Agent.Created: _added,
        Agent.Modified: _modified,
        Agent.StatusChanged: _status_changed,
        Agent.Assigned: _took,
        Agent.Released: _released,
        Agent.WrapUpFinished: _wrapped_up,
        Agent.DeskConnected: _connected,
        Agent.DeskDisconnected: _disconnected,
        Agent.Removed: _removed,
        Conversation.Assigned: _assigned,
        Conversation.Queued: _queued,
    }


def _settings(settings: AgentSettings) -> Row:
    return {
        "name": settings.name,
        "skills": packed(settings.skills),
        "room": settings.room,
        "wrap_up_seconds": settings.wrap_up_seconds,
        "removed": 0,
    }
