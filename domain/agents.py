"""Agents: who answers, with what skills, and for how many at once."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self
from uuid import UUID

from domain.aggregate import Aggregate
from domain.errors import Clash
from domain.values import conversations


class AgentStatus(StrEnum):
    """Whether an agent takes conversations."""

    AVAILABLE = "available"
    AWAY = "away"  # keeps those in hand, takes no new ones
    OFFLINE = "offline"  # has none in hand


@dataclass(frozen=True)
class AgentSettings:
    """What an admin decides about an agent."""

    name: str
    skills: tuple[str, ...]  # codes of skill queues
    room: int  # most conversations at once
    wrap_up_seconds: int  # after a conversation, before the next


class Agent(Aggregate):
    """An agent's status and the conversations in hand. Never more of them than there is room for."""

    TOPIC = "parley.agent.v1"

    class Created(Aggregate.Created):
        """Somebody added the agent."""

        TOPIC = "parley.agent.created.v1"
        login: str
        settings: AgentSettings
        by: str

        def apply(self, aggregate: "Agent") -> None:
            aggregate.login = self.login
            aggregate.settings = self.settings
            aggregate.removed = False
            aggregate.status = AgentStatus.OFFLINE
            aggregate.in_hand = ()
            aggregate.wrap_up_until = None
            aggregate.idle_since = self.timestamp
            aggregate.connected = False
            aggregate.lost_at = None

    class Modified(Aggregate.Event):
        """Name, skills, room or wrap-up changed, or the agent was added again after a removal."""

        TOPIC = "parley.agent.modified.v1"
        settings: AgentSettings
        by: str

        def apply(self, aggregate: "Agent") -> None:
            aggregate.settings = self.settings
            aggregate.removed = False

    class StatusChanged(Aggregate.Event):
        """The agent, or what happened to the agent, changed the status."""

        TOPIC = "parley.agent.status-changed.v1"
        status: AgentStatus
        reason: str

        def apply(self, aggregate: "Agent") -> None:
            if self.status is AgentStatus.AVAILABLE and aggregate.status is not AgentStatus.AVAILABLE:
                aggregate.idle_since = self.timestamp
            aggregate.status = self.status

    class Assigned(Aggregate.Event):
        """A conversation was put in the agent's hands."""

        TOPIC = "parley.agent.assigned.v1"
        conversation_id: UUID

        def apply(self, aggregate: "Agent") -> None:
            aggregate.in_hand = (*aggregate.in_hand, self.conversation_id)
            aggregate.idle_since = self.timestamp

    class Released(Aggregate.Event):
        """A conversation left the agent's hands."""

        TOPIC = "parley.agent.released.v1"
        conversation_id: UUID
        wrap_up_until: datetime | None

        def apply(self, aggregate: "Agent") -> None:
            aggregate.in_hand = tuple(each for each in aggregate.in_hand if each != self.conversation_id)
            aggregate.wrap_up_until = self.wrap_up_until
            aggregate.idle_since = self.wrap_up_until or self.timestamp

    class WrapUpFinished(Aggregate.Event):
        """The agent was ready before the wrap-up time was over."""

        TOPIC = "parley.agent.wrap-up-finished.v1"

        def apply(self, aggregate: "Agent") -> None:
            aggregate.wrap_up_until = None
            aggregate.idle_since = self.timestamp

    class DeskConnected(Aggregate.Event):
        """The agent's desk listens again."""

        TOPIC = "parley.agent.desk-connected.v1"

        def apply(self, aggregate: "Agent") -> None:
            aggregate.connected = True
            aggregate.lost_at = None

    class DeskDisconnected(Aggregate.Event):
        """The last of the agent's desks went away; a grace period begins."""

        TOPIC = "parley.agent.desk-disconnected.v1"
        lost_at: datetime  # when the grace period ends

        def apply(self, aggregate: "Agent") -> None:
            aggregate.lost_at = self.lost_at
            aggregate.connected = False

    class Removed(Aggregate.Event):
        """The agent works here no more."""

        TOPIC = "parley.agent.removed.v1"
        by: str

        def apply(self, aggregate: "Agent") -> None:
            aggregate.removed = True
            aggregate.status = AgentStatus.OFFLINE

    def __init__(self) -> None:
        """Declares the state; `Created` fills it."""
        self.login: str
        self.settings: AgentSettings
        self.removed: bool
        self.status: AgentStatus
        self.in_hand: tuple[UUID, ...]
        self.wrap_up_until: datetime | None
        self.idle_since: datetime
        self.connected: bool  # a desk of the agent's is listening
        self.lost_at: datetime | None  # when the agent counts as lost, unless a desk returns

    @classmethod
    def create(cls, agent_id: UUID, login: str, settings: AgentSettings, by: str, at: datetime) -> Self:
        """Add an agent, offline."""
        return cls._begin(cls.Created, agent_id, at, login=login, settings=settings, by=by)

    def modify(self, settings: AgentSettings, by: str, at: datetime) -> None:
        """Replace what the admin decides, or add the agent again."""
        if self.removed or settings != self.settings:
            self._record(self.Modified, at, settings=settings, by=by)

    def why_not(self, queue: str, at: datetime) -> str | None:
        """Why a conversation of this queue cannot be put in the agent's hands now; None when it can."""
        if queue not in self.settings.skills:
            return f"lacks the skill {queue}"
        return self.why_busy(at)

    def why_busy(self, at: datetime) -> str | None:
        """Why the agent takes no conversation at all now; None when one would be taken."""
        if self.removed or self.status is not AgentStatus.AVAILABLE:
            return f"is {AgentStatus.OFFLINE if self.removed else self.status}"
        if len(self.in_hand) >= self.settings.room:
            return f"has no room: {len(self.in_hand)} of {self.settings.room} in hand"
        if self.wrap_up_until is not None and at < self.wrap_up_until:
            return "is wrapping up"
        return None

    def assign(self, conversation_id: UUID, at: datetime) -> None:
        """Put a conversation in the agent's hands. Raises Clash when there is no room."""
        if len(self.in_hand) >= self.settings.room:
            raise Clash(f"{self.login} {self.why_busy(at) or 'has no room'}")
        self._record(self.Assigned, at, conversation_id=conversation_id)

    def hold(self, conversation_id: UUID, at: datetime) -> None:
        """Put a conversation that the agent started in the agent's hands, whatever the room."""
        self._record(self.Assigned, at, conversation_id=conversation_id)

    def release(self, conversation_id: UUID, at: datetime, *, wrap_up: bool) -> None:
        """Take a conversation out of the agent's hands; with a wrap-up time where one is set."""
        if conversation_id not in self.in_hand:
            return
        running = self.wrap_up_until if self.wrap_up_until and self.wrap_up_until > at else None
        pause = timedelta(seconds=self.settings.wrap_up_seconds if wrap_up else 0)
        until = at + pause if pause else running
        self._record(self.Released, at, conversation_id=conversation_id, wrap_up_until=until)

    def change_status(self, status: AgentStatus, reason: str, at: datetime) -> None:
        """Become available, away or offline. Raises Clash when going offline with work in hand."""
        if status is AgentStatus.OFFLINE and self.in_hand:
            raise Clash(
                f"{self.login} has {conversations(len(self.in_hand))} in hand; "
                "end or transfer them first, or log off with requeue",
                "status",
            )
        if status is not self.status:
            self._record(self.StatusChanged, at, status=status, reason=reason)

    def finish_wrap_up(self, at: datetime) -> None:
        """Be ready for the next conversation at once."""
        if self.wrap_up_until is not None:
            self._record(self.WrapUpFinished, at)

    def connect_desk(self, at: datetime) -> None:
        """A desk of the agent's listens."""
        if not self.connected:
            self._record(self.DeskConnected, at)

    def disconnect_desk(self, grace: timedelta, at: datetime) -> None:
        """The last desk went away; the agent is lost unless one returns within the grace period."""
        if self.connected:
            self._record(self.DeskDisconnected, at, lost_at=at + grace)

    def is_lost(self, due_at: datetime, at: datetime) -> bool:
        """Whether the grace period that was to end then is the present one, is over, and nobody is back."""
        return self.lost_at == due_at <= at

    def remove(self, by: str, at: datetime) -> None:
        """Take the agent off the list. Raises Clash while conversations are in hand."""
        if self.in_hand:
            raise Clash(f"agent {self.login} has {conversations(len(self.in_hand))} in hand")
        self._record(self.Removed, at, by=by)
