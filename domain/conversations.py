"""Conversations: one sitting on a thread, from its start to its end."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self
from uuid import UUID

from domain.aggregate import Aggregate
from domain.errors import Clash
from domain.mapping_settings import ChatControl
from domain.values import DeliveryProvider


class Origin(StrEnum):
    """Who began it."""

    CUSTOMER = "customer"
    AGENT = "agent"
    SINGLE = "single"  # an agent's single message: ended as soon as it began


class State(StrEnum):
    """Where it stands."""

    WAITING = "waiting"  # in a skill queue
    ASSIGNED = "assigned"  # in an agent's hands
    CONNECT = "connect"  # in Amazon Connect
    ENDED = "ended"
    REFUSED = "refused"  # never opened: the mapping's maximum was reached


class QueueReason(StrEnum):
    """Why a conversation entered a queue."""

    NEW = "new"
    TRANSFER = "transfer"
    AGENT_LOST = "agent_lost"
    AGENT_LEFT = "agent_left"


class AssignmentReason(StrEnum):
    """Why an agent has a conversation."""

    ROUTED = "routed"
    TRANSFER = "transfer"
    STARTED = "started"  # the agent began it


class EndReason(StrEnum):
    """Why it ended."""

    IDLE = "idle"
    AGENT = "agent"
    SINGLE = "single"
    CONNECT = "connect"  # the chat ended in Amazon Connect


class EndOutcome(StrEnum):
    """What came of it."""

    HANDLED = "handled"
    MISSED = "missed"  # no agent answered
    REFUSED = "refused"
    SINGLE = "single"


@dataclass(frozen=True)
class Terms:
    """What a conversation keeps as it began, whatever is modified afterwards."""

    mapping_id: UUID
    mapping_code: str
    mapping_version: int
    delivery_provider: DeliveryProvider
    queue: str | None  # the route's skill queue (symbee)
    contact_flow: str | None  # the route's contact flow (amazon)
    chat_control: ChatControl
    counted: bool  # against the mapping's maximum
    consent_id: UUID
    consent_scope: str


@dataclass(frozen=True)
class Parties:
    """Between whom it is."""

    thread_id: UUID
    customer_id: UUID
    customer_address: str
    our_address: str


@dataclass(frozen=True)
class Candidate:
    """An agent whom the router considered: seconds without a new conversation, and the verdict."""

    agent: str
    idle_seconds: int
    verdict: str


class Conversation(Aggregate):
    """Who wrote when, who has it, how it ended."""

    TOPIC = "parley.conversation.v1"

    class Created(Aggregate.Created):
        """It began."""

        TOPIC = "parley.conversation.created.v1"
        thread_id: UUID
        customer_id: UUID
        customer_address: str
        our_address: str
        origin: Origin
        terms: Terms

        def apply(self, aggregate: "Conversation") -> None:
            aggregate.thread_id = self.thread_id
            aggregate.customer_id = self.customer_id
            aggregate.customer_address = self.customer_address
            aggregate.our_address = self.our_address
            aggregate.origin = self.origin
            aggregate.terms = self.terms
            aggregate.state = State.CONNECT
            aggregate.queue = self.terms.queue
            aggregate.agent = None
            aggregate.outcome = None
            aggregate.answered = False
            aggregate.last_activity_at = self.timestamp
            aggregate.closed = False

    class CustomerWrote(Aggregate.Event):
        """A text of the customer's belongs to it."""

        TOPIC = "parley.conversation.customer-wrote.v1"
        message_id: UUID

        def apply(self, aggregate: "Conversation") -> None:
            # Agents' commands are timed by another clock reading: activity never goes back.
            aggregate.last_activity_at = max(aggregate.last_activity_at, self.timestamp)

    class AgentWrote(Aggregate.Event):
        """A text of an agent's belongs to it."""

        TOPIC = "parley.conversation.agent-wrote.v1"
        message_id: UUID
        agent: str

        def apply(self, aggregate: "Conversation") -> None:
            aggregate.answered = True
            aggregate.last_activity_at = max(aggregate.last_activity_at, self.timestamp)

    class Queued(Aggregate.Event):
        """It waits in a skill queue."""

        TOPIC = "parley.conversation.queued.v1"
        queue: str
        reason: QueueReason
        ahead: bool  # it goes to the head of the queue
        preferred_agent: str | None
        by: str | None

        def apply(self, aggregate: "Conversation") -> None:
            aggregate.state = State.WAITING
            aggregate.queue = self.queue
            aggregate.agent = None

    class Assigned(Aggregate.Event):
        """An agent has it."""

        TOPIC = "parley.conversation.assigned.v1"
        agent: str
        reason: AssignmentReason
        by: str | None
        waited_seconds: int
        considered: tuple[Candidate, ...]

        def apply(self, aggregate: "Conversation") -> None:
            aggregate.state = State.ASSIGNED
            aggregate.agent = self.agent

    class Refused(Aggregate.Event):
        """The mapping's maximum was reached: it is not queued and not open."""

        TOPIC = "parley.conversation.refused.v1"
        open_conversations: int

        def apply(self, aggregate: "Conversation") -> None:
            aggregate.state = State.REFUSED
            aggregate.outcome = EndOutcome.REFUSED

    class Ended(Aggregate.Event):
        """It is over."""

        TOPIC = "parley.conversation.ended.v1"
        reason: EndReason
        outcome: EndOutcome
        by: str | None
        work_code: str | None

        def apply(self, aggregate: "Conversation") -> None:
            aggregate.state = State.ENDED
            aggregate.outcome = self.outcome

    class Dismissed(Aggregate.Event):
        """Somebody decided that a missed or refused one needs no answer."""

        TOPIC = "parley.conversation.dismissed.v1"
        by: str

        def apply(self, aggregate: "Conversation") -> None:
            aggregate.closed = True

    class FollowedUp(Aggregate.Event):
        """Somebody wrote back after it was missed or refused."""

        TOPIC = "parley.conversation.followed-up.v1"
        conversation_id: UUID
        by: str

        def apply(self, aggregate: "Conversation") -> None:
            aggregate.closed = True

    def __init__(self) -> None:
        """Declares the state; `Created` fills it."""
        self.thread_id: UUID
        self.customer_id: UUID
        self.customer_address: str
        self.our_address: str
        self.origin: Origin
        self.terms: Terms
        self.state: State
        self.queue: str | None
        self.agent: str | None
        self.outcome: EndOutcome | None
        self.answered: bool
        self.last_activity_at: datetime
        self.closed: bool  # a missed or refused one that is off the list

    @classmethod
    def create(
        cls, conversation_id: UUID, parties: Parties, origin: Origin, terms: Terms, at: datetime
    ) -> Self:
        """Begin a conversation."""
        return cls._begin(cls.Created, conversation_id, at, **vars(parties), origin=origin, terms=terms)

    @property
    def consent_id(self) -> UUID:
        """The customer's consent towards the sender scope that it began with."""
        return self.terms.consent_id

    @property
    def is_open(self) -> bool:
        """Whether texts may still join it."""
        return self.state in (State.WAITING, State.ASSIGNED, State.CONNECT)

    @property
    def idle_due_at(self) -> datetime:
        """When it ends unless somebody writes."""
        return self.last_activity_at + timedelta(minutes=self.terms.chat_control.idle_timeout_minutes)

    @property
    def needs_follow_up(self) -> bool:
        """Whether it stands on the list of the missed and refused."""
        return self.outcome in (EndOutcome.MISSED, EndOutcome.REFUSED) and not self.closed

    def customer_wrote(self, message_id: UUID, at: datetime) -> None:
        """A text of the customer's joins it."""
        self._record(self.CustomerWrote, at, message_id=message_id)

    def agent_wrote(self, message_id: UUID, agent: str, at: datetime) -> None:
        """A text of an agent's joins it."""
        self._record(self.AgentWrote, at, message_id=message_id, agent=agent)

    def enqueue(
        self,
        queue: str,
        reason: QueueReason,
        at: datetime,
        *,
        preferred_agent: str | None = None,
        by: str | None = None,
    ) -> None:
        """Let it wait in a skill queue, at its head when an agent was lost or left."""
        ahead = reason in (QueueReason.AGENT_LOST, QueueReason.AGENT_LEFT)
        self._record(
            self.Queued, at, queue=queue, reason=reason, ahead=ahead, preferred_agent=preferred_agent, by=by
        )

    def assign(
        self,
        agent: str,
        reason: AssignmentReason,
        at: datetime,
        *,
        by: str | None = None,
        waited_seconds: int = 0,
        considered: tuple[Candidate, ...] = (),
    ) -> None:
        """Put it in an agent's hands. Raises Clash when it is over."""
        if not self.is_open:
            raise Clash("the conversation has ended")
        self._record(
            self.Assigned,
            at,
            agent=agent,
            reason=reason,
            by=by,
            waited_seconds=waited_seconds,
            considered=considered,
        )

    def refuse(self, open_conversations: int, at: datetime) -> None:
        """Refuse it: the mapping's maximum was reached."""
        self._record(self.Refused, at, open_conversations=open_conversations)

    def end(
        self, reason: EndReason, at: datetime, *, by: str | None = None, work_code: str | None = None
    ) -> None:
        """End it. Raises Clash when it is over already."""
        if not self.is_open:
            raise Clash("the conversation has ended")
        self._record(
            self.Ended, at, reason=reason, outcome=self._outcome_of(reason), by=by, work_code=work_code
        )

    def _outcome_of(self, reason: EndReason) -> EndOutcome:
        if reason is EndReason.SINGLE:
            return EndOutcome.SINGLE
        return EndOutcome.HANDLED if self.answered else EndOutcome.MISSED

    def dismiss(self, by: str, at: datetime) -> None:
        """Take a missed or refused one off the list. Raises Clash when it is not on it."""
        if not self.needs_follow_up:
            raise Clash("the conversation is not on the list of the missed and refused")
        self._record(self.Dismissed, at, by=by)

    def follow_up(self, conversation_id: UUID, by: str, at: datetime) -> None:
        """Somebody writes back in another conversation."""
        if self.needs_follow_up:
            self._record(self.FollowedUp, at, conversation_id=conversation_id, by=by)
