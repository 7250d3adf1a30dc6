"""Threads: what lasts between one of our addresses and one customer address."""

from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from domain.aggregate import Aggregate

AUTOMATIC_TEXTS_AN_HOUR = 4
"""Two robots that answer each other stop after this many texts of ours."""

REFUSAL_EPISODE = timedelta(hours=12)
"""Within one episode a refused customer is told so once."""


class Thread(Aggregate):
    """The open conversation between two addresses, if any, and the automatic texts of the last hour.

    It changes only when a conversation starts, ends or is refused and when Parley itself texts.
    """

    TOPIC = "parley.thread.v1"

    class Created(Aggregate.Created):
        """The two addresses met for the first time."""

        TOPIC = "parley.thread.created.v1"
        our_address: str
        customer_id: UUID

        def apply(self, aggregate: "Thread") -> None:
            aggregate.our_address = self.our_address
            aggregate.customer_id = self.customer_id
            aggregate.open_conversation = None
            aggregate.refused_conversation = None
            aggregate.refused_at = None
            aggregate.unanswered = ()
            aggregate.last_agent = None
            aggregate.last_served_at = None
            aggregate.automatic_texts = ()

    class ConversationStarted(Aggregate.Event):
        """A sitting began."""

        TOPIC = "parley.thread.conversation-started.v1"
        conversation_id: UUID

        def apply(self, aggregate: "Thread") -> None:
            aggregate.open_conversation = self.conversation_id
            aggregate.refused_conversation = None

    class ConversationEnded(Aggregate.Event):
        """The sitting is over."""

        TOPIC = "parley.thread.conversation-ended.v1"
        conversation_id: UUID
        agent: str | None  # who had it last
        missed: bool  # no agent answered, and somebody has to see to it

        def apply(self, aggregate: "Thread") -> None:
            aggregate.open_conversation = None
            if self.missed:
                aggregate.unanswered = (*aggregate.unanswered, self.conversation_id)
            if self.agent:
                aggregate.last_agent = self.agent
                aggregate.last_served_at = self.timestamp

    class ConversationRefused(Aggregate.Event):
        """A customer's text found the mapping's maximum reached: an episode of refusal began."""

        TOPIC = "parley.thread.conversation-refused.v1"
        conversation_id: UUID

        def apply(self, aggregate: "Thread") -> None:
            aggregate.refused_conversation = self.conversation_id
            aggregate.unanswered = (*aggregate.unanswered, self.conversation_id)
            aggregate.refused_at = self.timestamp

    class FollowedUp(Aggregate.Event):
        """Somebody dismissed missed or refused conversations, or wrote back."""

        TOPIC = "parley.thread.followed-up.v1"
        conversation_ids: tuple[UUID, ...]

        def apply(self, aggregate: "Thread") -> None:
            done = set(self.conversation_ids)
            aggregate.unanswered = tuple(each for each in aggregate.unanswered if each not in done)
            if aggregate.refused_conversation in done:
                aggregate.refused_conversation = None

    class AutomaticTextSent(Aggregate.Event):
        """Parley itself texted."""

        TOPIC = "parley.thread.automatic-text-sent.v1"
        message_id: UUID

        def apply(self, aggregate: "Thread") -> None:
            recent = self.timestamp - timedelta(hours=1)
            kept = tuple(at for at in aggregate.automatic_texts if at > recent)
            aggregate.automatic_texts = (*kept, self.timestamp)

    def __init__(self) -> None:
        """Declares the state; `Created` fills it."""
        self.our_address: str
        self.customer_id: UUID
        self.open_conversation: UUID | None
        self.refused_conversation: UUID | None
        self.refused_at: datetime | None
        self.unanswered: tuple[UUID, ...]  # missed or refused, not yet seen to
        self.last_agent: str | None
        self.last_served_at: datetime | None  # when that agent's conversation ended
        self.automatic_texts: tuple[datetime, ...]

    @classmethod
    def create(cls, thread_id: UUID, our_address: str, customer_id: UUID, at: datetime) -> Self:
        """The thread of two addresses that have not met before."""
        return cls._begin(cls.Created, thread_id, at, our_address=our_address, customer_id=customer_id)

    def start_conversation(self, conversation_id: UUID, at: datetime) -> None:
        """Open a conversation; the caller has made sure that none is open."""
        self._record(self.ConversationStarted, at, conversation_id=conversation_id)

    def end_conversation(
        self, conversation_id: UUID, agent: str | None, at: datetime, *, missed: bool
    ) -> None:
        """Close the open conversation."""
        if self.open_conversation == conversation_id:
            self._record(
                self.ConversationEnded, at, conversation_id=conversation_id, agent=agent, missed=missed
            )

    def refuse_conversation(self, conversation_id: UUID, at: datetime) -> None:
        """Begin an episode of refusal."""
        self._record(self.ConversationRefused, at, conversation_id=conversation_id)

    def follow_up(self, conversation_ids: tuple[UUID, ...], at: datetime) -> None:
        """Missed or refused conversations have been seen to; the next refusal is answered again."""
        done = tuple(each for each in conversation_ids if each in self.unanswered)
        if done:
            self._record(self.FollowedUp, at, conversation_ids=done)

    def current_refusal(self, at: datetime) -> UUID | None:
        """The refused conversation whose episode still lasts."""
        if self.refused_at is None or at - self.refused_at >= REFUSAL_EPISODE:
            return None
        return self.refused_conversation

    def may_text_automatically(self, at: datetime) -> bool:
        """Whether the hour's cap on automatic texts leaves room for one more."""
        recent = [each for each in self.automatic_texts if each > at - timedelta(hours=1)]
        return len(recent) < AUTOMATIC_TEXTS_AN_HOUR

    def note_automatic_text(self, message_id: UUID, at: datetime) -> None:
        """Count an automatic text against the cap."""
        self._record(self.AutomaticTextSent, at, message_id=message_id)

    def preferred_agent(self, at: datetime, within: timedelta) -> str | None:
        """Who had the last conversation that an agent had, when that ended recently."""
        if self.last_served_at is None or at - self.last_served_at > within:
            return None
        return self.last_agent
