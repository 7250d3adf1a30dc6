"""Intake: what the facts on the ingress log mean.

Decides one fact at a time upon a world of loaded aggregates. What has to be loaded is asked in two
looks: the streams that a fact names by itself, then those that the first ones lead to.
"""

from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from domain.agents import Agent, AgentStatus
from domain.conversations import Conversation, EndReason, Origin, QueueReason
from domain.facts import (
    DeadlineFell,
    DeadlineKind,
    Fact,
    MediaFetched,
    Outcome,
    ReceiptReceived,
    SendSettled,
    TextReceived,
)
from domain.ids import Identities
from domain.keywords import Keyword, classify
from domain.mapping_settings import KeywordAnswers, Route, Status
from domain.mappings import Mapping
from domain.message_values import Disposition, Envelope, Inbound, Purpose, ReceiptSeen
from domain.messages import Message
from domain.sittings import Meeting, Sittings
from domain.threads import Thread
from domain.values import ERASED
from domain.world import World

PREFERRED_AGENT_FOR = timedelta(hours=24)
"""A returning customer goes to the agent of the last conversation within this time."""


@dataclass
class Effects:
    """What a decision leaves besides events."""

    references: dict[UUID, UUID] = field(default_factory=dict)  # a provider's reference → our message
    unmatched: list[UUID] = field(default_factory=list)  # references of receipts that match nothing yet


@dataclass(frozen=True)
class _Arrival:
    """A text that is being taken in."""

    message_id: UUID
    fact: TextReceived
    mapping: Mapping
    meeting: Meeting
    at: datetime


class Intake:
    """Decides facts."""

    def __init__(self, ids: Identities, sittings: Sittings) -> None:
        self._ids = ids
        self._sittings = sittings

    def reference(self, scope: str, provider_message_id: str) -> UUID:
        """What a provider's own id of a message is kept under."""
        return self._ids.of("provider-message", scope, provider_message_id)

    # ── what to load ───────────────────────────────────────────────────────────────────────────

    def first_look(self, fact: Fact) -> set[UUID]:
        """The streams that the fact names by itself."""
        match fact:
            case TextReceived():
                return {self._ids.inbound(fact.scope, fact.provider_message_id), fact.mapping_id, fact.key}
            case DeadlineFell():
                return {fact.subject_id}
            case ReceiptReceived():
                return {fact.message_id} if fact.message_id else set()
            case SendSettled() | MediaFetched():
                return {fact.message_id}

    def second_look(self, fact: Fact, world: World) -> set[UUID]:
        """The streams that those of the first look lead to."""
        match fact:
            case TextReceived():
                return self._around_text(fact, world)
            case SendSettled():
                message = world.get(Message, fact.message_id)
                if message is None or fact.outcome is not Outcome.OPTED_OUT:
                    return set()
                around = {message.conversation_id} if message.conversation_id else set()
                return around | set(self._sittings.consents(message))
            case DeadlineFell(kind=DeadlineKind.IDLE):
                conversation = world.get(Conversation, fact.subject_id)
                return self._sittings.streams_to_end(conversation) if conversation else set()
            case DeadlineFell(kind=DeadlineKind.AGENT_LOST):
                agent = world.get(Agent, fact.subject_id)
                return set(agent.in_hand) if agent else set()
        return set()

    def _around_text(self, fact: TextReceived, world: World) -> set[UUID]:
        needed: set[UUID] = set()
        thread = world.get(Thread, fact.key)
        if thread:
            needed |= {each for each in (thread.open_conversation, thread.refused_conversation) if each}
        mapping = world.get(Mapping, fact.mapping_id)
        if mapping:
            meeting = self._sittings.meeting(mapping, fact.our_address, fact.customer_address)
            needed |= self._sittings.streams_of(mapping, meeting)
        return needed

    # ── deciding ───────────────────────────────────────────────────────────────────────────────

    def decide(
        self, fact: Fact, at: datetime, world: World, effects: Effects, known: MappingOf[UUID, UUID]
    ) -> None:
        """Decide a fact accepted at that time. `known` leads from providers' references to messages."""
        match fact:
            case TextReceived():
                self._text(fact, at, world)
            case ReceiptReceived():
                self._receipt(fact, at, world, effects, known)
            case SendSettled():
                self._settled(fact, at, world, effects, known)
            case DeadlineFell(kind=DeadlineKind.IDLE):
                self._idle(fact, at, world)
            case DeadlineFell(kind=DeadlineKind.EXPIRY):
                message = world.get(Message, fact.subject_id)
                if message:
                    message.expire(at)
            case DeadlineFell(kind=DeadlineKind.AGENT_LOST):
                self._agent_lost(fact, at, world)
            case MediaFetched():
                message = world.get(Message, fact.message_id)
                if message:
                    message.store_media(fact, at)

    # ── texts ──────────────────────────────────────────────────────────────────────────────────

    def _text(self, fact: TextReceived, at: datetime, world: World) -> None:
        message_id = self._ids.inbound(fact.scope, fact.provider_message_id)
        if world.get(Message, message_id):
            return  # the same fact again
        mapping = world.get(Mapping, fact.mapping_id)
        if mapping is None:
            raise LookupError(f"there is no mapping {fact.mapping_id}")
        meeting = self._sittings.meeting(mapping, fact.our_address, fact.customer_address)
        arrival = _Arrival(message_id, fact, mapping, meeting, at)
        keyword = self._keyword(fact, world, meeting)
        problem = self._why_unrouted(mapping, fact.our_address, world, fact.key)
        if problem:
            # Even a text that goes nowhere opts its sender out.
            self._receive(arrival, world, Disposition.UNROUTED, None, keyword, problem)
            self._heed(keyword, arrival, world, answer=False)
            return
        disposition, conversation_id = self._place(arrival, world, keyword)
        self._receive(arrival, world, disposition, conversation_id, keyword)
        # What the provider itself acted on it has answered too.
        self._heed(keyword, arrival, world, answer=fact.keyword is None)

    def _keyword(self, fact: TextReceived, world: World, meeting: Meeting) -> Keyword | None:
        if fact.keyword:
            return Keyword(fact.keyword)
        opted_out = self._sittings.has_opted_out(world, meeting)
        return classify(fact.text, opted_out=opted_out)

    @staticmethod
    def _why_unrouted(mapping: Mapping, our_address: str, world: World, thread_id: UUID) -> str:
        settings = mapping.settings
        thread = world.get(Thread, thread_id)
        if thread and thread.open_conversation:
            return ""  # an open conversation keeps what it began with
        if mapping.deleted:
            return f"mapping {settings.code} has been deleted"
        if settings.route(our_address) is None:
            return f"mapping {settings.code} has no route with the address {our_address}"
        if settings.status is not Status.ACTIVE:
            return f"mapping {settings.code} is {settings.status}"
        return ""

    def _place(
        self, arrival: _Arrival, world: World, keyword: Keyword | None
    ) -> tuple[Disposition, UUID | None]:
        """Find or make the conversation that a text belongs to."""
        thread = self._sittings.thread(world, arrival.meeting, arrival.at)
        if thread.open_conversation:
            conversation = world.need(Conversation, thread.open_conversation, "open conversation")
            conversation.customer_wrote(arrival.message_id, arrival.at)
            return Disposition.JOINED, conversation.id
        if keyword:
            return Disposition.KEYWORD, None
        if self._is_full(arrival, world):
            return Disposition.REFUSED, self._refuse(arrival, world, thread)
        return Disposition.STARTED, self._start(arrival, world, thread)

    def _is_full(self, arrival: _Arrival, world: World) -> bool:
        maximum = arrival.mapping.settings.chat_control.max_chats
        if maximum is None:
            return False
        return not self._sittings.capacity(world, arrival.mapping.id, arrival.at).has_room(maximum)

    def _route(self, arrival: _Arrival) -> Route:
        route = arrival.mapping.settings.route(arrival.fact.our_address)
        if route is None:
            raise LookupError(f"no route for {arrival.fact.our_address}")
        return route

    def _start(self, arrival: _Arrival, world: World, thread: Thread) -> UUID:
        route = self._route(arrival)
        conversation_id = self._ids.caused(arrival.message_id, "conversation")
        terms = self._sittings.terms(arrival.mapping, route, arrival.meeting)
        conversation = self._sittings.start(
            world, conversation_id, arrival.meeting, Origin.CUSTOMER, terms, arrival.at
        )
        conversation.customer_wrote(arrival.message_id, arrival.at)
        if route.skill_queue:
            preferred = thread.preferred_agent(arrival.at, PREFERRED_AGENT_FOR)
            conversation.enqueue(route.skill_queue, QueueReason.NEW, arrival.at, preferred_agent=preferred)
        return conversation_id

    def _refuse(self, arrival: _Arrival, world: World, thread: Thread) -> UUID:
        """Record a refused conversation; the customer is told once an episode."""
        lasting = thread.current_refusal(arrival.at)
        if lasting:
            refused = world.need(Conversation, lasting, "refused conversation")
            refused.customer_wrote(arrival.message_id, arrival.at)
            return refused.id
        conversation_id = self._ids.caused(arrival.message_id, "conversation")
        terms = self._sittings.terms(arrival.mapping, self._route(arrival), arrival.meeting)
        conversation = world.add(
            Conversation.create(conversation_id, arrival.meeting.parties, Origin.CUSTOMER, terms, arrival.at)
        )
        conversation.customer_wrote(arrival.message_id, arrival.at)
        capacity = self._sittings.capacity(world, arrival.mapping.id, arrival.at)
        conversation.refuse(len(capacity.open), arrival.at)
        thread.refuse_conversation(conversation_id, arrival.at)
        self._sittings.tell(world, conversation, Purpose.MAX_CHATS, arrival.at)
        return conversation_id

    def _receive(
        self,
        arrival: _Arrival,
        world: World,
        disposition: Disposition,
        conversation_id: UUID | None,
        keyword: Keyword | None,
        reason: str = "",
    ) -> None:
        fact, meeting = arrival.fact, arrival.meeting
        envelope = Envelope(
            thread_id=meeting.thread_id,
            conversation_id=conversation_id,
            mapping_id=arrival.mapping.id,
            customer_id=meeting.customer_id,
            our_address=meeting.our_address,
            customer_address=meeting.customer_address,
            text=fact.text,
        )
        inbound = Inbound(
            scope=fact.scope,
            provider_message_id=fact.provider_message_id,
            media=fact.media,
            keyword=keyword,
            disposition=disposition,
            reason=reason,
        )
        world.add(Message.receive(arrival.message_id, envelope, inbound, arrival.at))

    def _heed(self, keyword: Keyword | None, arrival: _Arrival, world: World, *, answer: bool) -> None:
        """Do what STOP, START or HELP asks; answer it where that is ours to do."""
        if keyword is None:
            return
        meeting, at = arrival.meeting, arrival.at
        was_out = self._sittings.has_opted_out(world, meeting)
        if keyword is Keyword.STOP:
            self._sittings.opt_out(world, meeting, meeting.consent_scope, "text", at)
        elif keyword is Keyword.START:
            self._sittings.opt_in(world, meeting, "text", at)
        purpose = _answer_to(keyword, was_out=was_out)
        control = arrival.mapping.settings.chat_control
        if answer and purpose and control.keyword_answers is KeywordAnswers.PARLEY:
            cause = world.need(Message, arrival.message_id, "message")
            self._sittings.answer_keyword(world, arrival.mapping, meeting, cause, purpose, at)

    # ── unrouted texts, after the fix ──────────────────────────────────────────────────────────

    def replay_streams(self, message: Message, mapping: Mapping, world: World) -> set[UUID]:
        """What has to be loaded before an unrouted text can be routed."""
        return self._around_text(_as_fact(message, mapping), world)

    def replay(self, message: Message, mapping: Mapping, by: str, at: datetime, world: World) -> str:
        """Route an unrouted text as if it came now; why it cannot be, empty when it was."""
        if message.customer_address == ERASED:
            return "its customer has been forgotten"
        fact = _as_fact(message, mapping)
        problem = self._why_unrouted(mapping, message.our_address, world, message.thread_id)
        if problem:
            return problem
        meeting = self._sittings.meeting(mapping, message.our_address, message.customer_address)
        arrival = _Arrival(message.id, fact, mapping, meeting, at)
        keyword = self._keyword(fact, world, meeting)
        disposition, conversation_id = self._place(arrival, world, keyword)
        message.route(conversation_id, disposition, by, at)
        return ""

    # ── outcomes and receipts ──────────────────────────────────────────────────────────────────

    def _receipt(
        self,
        fact: ReceiptReceived,
        at: datetime,
        world: World,
        effects: Effects,
        known: MappingOf[UUID, UUID],
    ) -> None:
        reference = self.reference(fact.scope, fact.provider_message_id)
        message_id = fact.message_id or effects.references.get(reference) or known.get(reference)
        message = world.get(Message, message_id) if message_id else None
        if message is None or message.attempt == 0:
            effects.unmatched.append(reference)
            return
        attempt = fact.attempt or message.accepted_as.get(fact.provider_message_id, message.attempt)
        if fact.provider_message_id not in message.accepted_as:
            effects.references[reference] = message.id
        message.accept(attempt, fact.scope, fact.provider_message_id, at, reconciled=True)
        message.receipt(ReceiptSeen(attempt, fact.status, fact.provider_status, fact.error_code), at)

    def _settled(
        self,
        fact: SendSettled,
        at: datetime,
        world: World,
        effects: Effects,
        known: MappingOf[UUID, UUID],
    ) -> None:
        message = world.need(Message, fact.message_id, "message with that id")
        if fact.outcome is Outcome.ACCEPTED:
            named = fact.provider_message_id or ""
            reference = self.reference(fact.scope, named)
            owner = effects.references.get(reference) or known.get(reference)
            if fact.reconciled and owner not in (None, fact.message_id):
                return  # the record that was found turned out to be of another message with an equal text
            if named:
                effects.references[reference] = fact.message_id
            message.accept(fact.attempt, fact.scope, named, at, reconciled=fact.reconciled)
        elif message.settle(fact, at) and fact.outcome is Outcome.OPTED_OUT:
            conversation = (
                world.get(Conversation, message.conversation_id) if message.conversation_id else None
            )
            is_theirs = conversation is not None and conversation.consent_id == message.consent_id
            scope = conversation.terms.consent_scope if conversation and is_theirs else ""
            self._sittings.opt_out(world, message, scope, "the provider's opt-out list", at)

    # ── deadlines ──────────────────────────────────────────────────────────────────────────────

    def _idle(self, fact: DeadlineFell, at: datetime, world: World) -> None:
        conversation = world.get(Conversation, fact.subject_id)
        # Texts accepted before the deadline fell due come earlier on the log: they have moved it.
        if conversation and conversation.is_open and conversation.idle_due_at <= at:
            self._sittings.end(world, conversation, EndReason.IDLE, at)

    def _agent_lost(self, fact: DeadlineFell, at: datetime, world: World) -> None:
        agent = world.get(Agent, fact.subject_id)
        if agent is None or not agent.is_lost(fact.due_at, at):
            return
        for conversation_id in agent.in_hand:
            conversation = world.get(Conversation, conversation_id)
            agent.release(conversation_id, at, wrap_up=False)
            if conversation and conversation.is_open and conversation.queue:
                conversation.enqueue(conversation.queue, QueueReason.AGENT_LOST, at)
        agent.change_status(AgentStatus.OFFLINE, "lost", at)


def _answer_to(keyword: Keyword, *, was_out: bool) -> Purpose | None:
    if keyword is Keyword.HELP:
        return Purpose.HELP
    if keyword is Keyword.STOP:
        return None if was_out else Purpose.OPTED_OUT
    return Purpose.OPTED_IN if was_out else None


def _as_fact(message: Message, mapping: Mapping) -> TextReceived:
    return TextReceived(
        key=message.thread_id,
        mapping_id=mapping.id,
        scope="",
        provider_message_id="",
        our_address=message.our_address,
        customer_address=message.customer_address,
        text=message.text,
        media=message.media,
        keyword=None,
        raw="",
    )
