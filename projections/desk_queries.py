"""What agents' desks ask, and the live stream of what concerns one agent."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from database.sql import Cursor, Row, moment, unpacked
from domain.agents import AgentStatus
from projections.desk import Desk
from projections.history import History
from projections.history_documents import (
    CONVERSATION_COLUMNS,
    CONVERSATION_JOINS,
    ConversationView,
    MessageView,
    conversation_of,
    message_of,
)
from projections.views import Views

# An agent is told of a conversation's changes while it is theirs, and once more when it has left their
# hands: that counts as a change at the moment of leaving, whatever has happened to the conversation since.
_CONVERSATIONS = """
    SELECT c.id, c.position AS changed FROM conversations c JOIN involvements i ON i.conversation_id = c.id
        WHERE i.login = :login AND i.until IS NULL
        AND c.position >= i.since AND c.position > :after AND c.position <= :upto
    UNION ALL
    SELECT i.conversation_id, i.until FROM involvements i
        WHERE i.login = :login AND i.until > :after AND i.until <= :upto
"""

# Of messages: an agent's own texts, whoever has the conversation by then; and others' while it is theirs:
# what changes, and all there was before when they get it.
_MESSAGES = """
    SELECT m.id, m.position AS changed FROM messages m
        WHERE m.agent = :login AND m.position > :after AND m.position <= :upto
    UNION ALL
    SELECT m.id, m.position FROM messages m JOIN involvements i ON i.conversation_id = m.conversation_id
        WHERE i.login = :login AND i.until IS NULL AND (m.agent IS NULL OR m.agent <> :login)
        AND m.position > i.since AND m.position > :after AND m.position <= :upto
    UNION ALL
    SELECT m.id, i.since FROM involvements i JOIN messages m ON m.conversation_id = i.conversation_id
        WHERE i.login = :login AND i.until IS NULL AND (m.agent IS NULL OR m.agent <> :login)
        AND i.since > :after AND i.since <= :upto AND m.position <= i.since
"""


# Whoever has, gets or loses something that has changed after a position; too many rather than too few.
_CONCERNED = """
    SELECT i.login FROM conversations c JOIN involvements i ON i.conversation_id = c.id
        WHERE c.position > :after AND (i.until IS NULL OR i.until > :after)
    UNION SELECT i.login FROM messages m JOIN involvements i ON i.conversation_id = m.conversation_id
        WHERE m.position > :after AND i.until IS NULL
    UNION SELECT m.agent FROM messages m WHERE m.position > :after AND m.agent IS NOT NULL
    UNION SELECT login FROM agents WHERE position > :after
"""


@dataclass(frozen=True)
class AgentView:
    """An agent as of now."""

    id: UUID
    login: str
    name: str
    skills: tuple[str, ...]
    room: int
    wrap_up_seconds: int
    status: AgentStatus
    in_hand: tuple[UUID, ...]
    wrap_up_until: datetime | None
    idle_since: datetime
    connected: bool
    lost_at: datetime | None
    position: int  # of the last change


@dataclass(frozen=True)
class Changes:
    """What has changed for an agent; asking again from `position` loses nothing, and nothing comes twice.

    A conversation whose agent is another by now, or none, has left the agent's hands: it comes as it is now.
    When it comes back, so do the others' messages in it. The agent's own always come, at every change.
    """

    agent: AgentView | None  # when the agent's own status, room or hands changed
    conversations: tuple[ConversationView, ...]
    messages: tuple[MessageView, ...]
    position: int


class DeskQueries:
    """Answers as of the desk's position, with the history's documents."""

    def __init__(self, views: Views) -> None:
        self._views = views

    def agents(self) -> list[AgentView]:
        """All agents who have not been removed, by login."""
        with self._views.reading() as cursor:
            rows = cursor.all("SELECT * FROM agents WHERE removed = 0 ORDER BY login")
        return [_agent_of(row) for row in rows]

    def agent(self, login: str) -> AgentView | None:
        """The agent with this login; None when there is none or they were removed."""
        with self._views.reading() as cursor:
            row = cursor.one("SELECT * FROM agents WHERE login = :login AND removed = 0", {"login": login})
        return _agent_of(row) if row else None

    def in_hand(self, login: str) -> tuple[list[ConversationView], int]:
        """The agent's open conversations, the oldest first, and the position to ask for changes from."""
        with self._views.reading() as cursor:
            rows = cursor.all(
                f"SELECT {CONVERSATION_COLUMNS} FROM conversations c {CONVERSATION_JOINS}"  # noqa: S608 - our own names
                " WHERE c.agent = :login AND c.state = 'assigned' ORDER BY c.started_at, c.id",
                {"login": login},
            )
            return [conversation_of(row) for row in rows], self._complete(cursor)

    def changes(self, login: str, after_position: int, limit: int) -> Changes:
        """What has changed for this agent after a position: the first `limit` changes or a few more."""
        with self._views.reading() as cursor:
            span: dict[str, Any] = {
                "login": login,
                "after": after_position,
                "upto": max(after_position, self._complete(cursor)),
            }
            found = cursor.all(
                f"SELECT changed FROM ({_CONVERSATIONS} UNION ALL {_MESSAGES}) AS changes"  # noqa: S608 - ours
                " ORDER BY changed LIMIT :limit",
                {**span, "limit": limit},
            )
            if len(found) == limit:
                span["upto"] = found[-1]["changed"]  # and all that changed by the same event
            agent = cursor.one(
                "SELECT * FROM agents WHERE login = :login AND position > :after AND position <= :upto", span
            )
            conversations = cursor.all(
                f"SELECT {CONVERSATION_COLUMNS} FROM ({_CONVERSATIONS}) AS changes"  # noqa: S608 - our own names
                f" JOIN conversations c ON c.id = changes.id {CONVERSATION_JOINS} ORDER BY changed, c.id",
                span,
            )
            messages = cursor.all(
                f"SELECT m.* FROM ({_MESSAGES}) AS changes JOIN messages m ON m.id = changes.id"  # noqa: S608 - ours
                " ORDER BY m.sequence",
                span,
            )
        return Changes(
            agent=_agent_of(agent) if agent else None,
            conversations=tuple(map(conversation_of, conversations)),
            messages=tuple(map(message_of, messages)),
            position=span["upto"],
        )

    def concerned(self, after_position: int) -> tuple[set[str], int]:
        """The logins for whom `changes` may have something new, and the position up to which that holds."""
        with self._views.reading() as cursor:
            rows = cursor.all(_CONCERNED, {"after": after_position})
            return {row["login"] for row in rows}, max(after_position, self._complete(cursor))

    def was_in_hands(self, login: str, conversation_id: UUID) -> bool:
        """Whether the agent has or ever had the conversation."""
        with self._views.reading() as cursor:
            row = cursor.one(
                "SELECT 1 AS found FROM involvements WHERE conversation_id = :id AND login = :login",
                {"id": conversation_id.hex, "login": login},
            )
        return row is not None

    def _complete(self, cursor: Cursor) -> int:
        """How far both views have come whose rows are put together here."""
        return min(self._views.position_in(cursor, each) for each in (Desk.name, History.name))


def _agent_of(row: Row) -> AgentView:
    return AgentView(
        id=UUID(row["id"]),
        login=row["login"],
        name=row["name"],
        skills=tuple(unpacked(row["skills"])),
        room=row["room"],
        wrap_up_seconds=row["wrap_up_seconds"],
        status=AgentStatus(row["status"]),
        in_hand=tuple(UUID(each) for each in unpacked(row["in_hand"])),
        wrap_up_until=moment(row["wrap_up_until"]),
        idle_since=moment(row["idle_since"]),
        connected=bool(row["connected"]),
        lost_at=moment(row["lost_at"]),
        position=row["position"],
    )
