"""Intake: what the facts on the ingress log mean.

Decides one fact at a time upon a world of loaded aggregates. What has to be loaded is asked in three
looks: the streams that a fact names by itself, then those that the first ones lead to, then those that the
second ones do (which few facts need).
"""

from collections.abc import Mapping as MappingOf
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from domain.agents import Agent, AgentStatus
from domain.conversations import Conversation, EndReason, QueueReason
from domain.facts import (
    DeadlineFell,
    DeadlineKind,
    Fact,
    MediaFetched,
    Outcome,
    PartReceived,
    ReceiptReceived,
    SendSettled,
    TextReceived,
    TextWithoutId,
)
from domain.ids import Identities
from domain.long_texts import LongText
from domain.mappings import Mapping
from domain.message_values import ReceiptSeen
from domain.messages import Message
from domain.ports import Arrival
from domain.sittings import Sittings
from domain.texts import Texts
from domain.world import World


@dataclass(frozen=True)
class Known:
    """What was looked up besides aggregates."""

    messages: MappingOf[UUID, UUID] = field(default_factory=dict)  # a provider's reference → our message
    arrivals: Sequence[Arrival] = ()  # of texts that may have come before


@dataclass
class Effects:
    """What a decision leaves besides events."""

    references: dict[UUID, UUID] = field(default_factory=dict)  # a provider's reference → our message
    unmatched: list[UUID] = field(default_factory=list)  # references of receipts that match nothing yet
    arrivals: list[Arrival] = field(default_factory=list)  # of texts without an id that were taken in


class Intake:
    """Decides facts."""

    def __init__(self, ids: Identities, sittings: Sittings) -> None:
        self._ids = ids
        self._sittings = sittings
        self.texts = Texts(sittings)

    def reference(self, scope: str, provider_message_id: str) -> UUID:
        """What a provider's own id of a message is kept under."""
        return self._ids.of("provider-message", scope, provider_message_id)

    # ── what to load ───────────────────────────────────────────────────────────────────────────

    def first_look(self, fact: Fact) -> set[UUID]:
        """The streams that the fact names by itself."""
        match fact:
            case TextReceived():
                return {self._ids.inbound(fact.scope, fact.provider_message_id), fact.mapping_id, fact.key}
            case TextWithoutId():
                return {self._ids.inbound(fact.scope, fact.delivery_id), fact.mapping_id, fact.key}
            case PartReceived():
                return {self._long_text_id(fact), fact.mapping_id, fact.key}
            case DeadlineFell():
                return {fact.subject_id}
            case ReceiptReceived():
                return {fact.message_id} if fact.message_id else set()
            case SendSettled() | MediaFetched():
                return {fact.message_id}

    def second_look(self, fact: Fact, world: World) -> set[UUID]:
        """The streams that those of the first look lead to."""
        match fact:
            case TextReceived() | TextWithoutId() | PartReceived():
                return self.texts.streams(fact, world)
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
            case DeadlineFell(kind=DeadlineKind.PARTS):
                text = self._remains(fact, world)
                return {text.key, text.mapping_id} if text else set()
        return set()

    def third_look(self, fact: Fact, world: World) -> set[UUID]:
        """The streams that those of the second look lead to."""
        if isinstance(fact, DeadlineFell) and fact.kind is DeadlineKind.PARTS:
            text = self._remains(fact, world)
            return self.texts.streams(text, world) if text else set()
        return set()

    # ── deciding ───────────────────────────────────────────────────────────────────────────────

    def decide(self, fact: Fact, at: datetime, world: World, effects: Effects, known: Known) -> None:
        """Decide a fact accepted at that time. Raises LookupError when it names what is not there."""
        match fact:
            case TextReceived():
                self.texts.take_in(fact, at, world)
            case TextWithoutId():
                self._text_without_id(fact, at, world, effects, known)
            case PartReceived():
                self._part(fact, at, world)
            case ReceiptReceived():
                self._receipt(fact, at, world, effects, known)
            case SendSettled():
                self._settled(fact, at, world, effects, known)
            case DeadlineFell():
                self._deadline(fact, at, world)
            case MediaFetched():
                message = world.get(Message, fact.message_id)
                if message:
                    message.store_media(fact, at)

    # ── texts that SMPP brings ─────────────────────────────────────────────────────────────────

    def _text_without_id(
        self, fact: TextWithoutId, at: datetime, world: World, effects: Effects, known: Known
    ) -> None:
        message_id = self._ids.inbound(fact.scope, fact.delivery_id)
        if world.get(Message, message_id):
            return  # the same fact again
        if fact.repeats_since is not None:
            since, content = fact.repeats_since, fact.content
            before = [
                each
                for each in (*known.arrivals, *effects.arrivals)
                if each.content == content and each.accepted_at >= since
            ]
            if len(before) >= fact.occurrence:
                return  # the same text again
        self.texts.take_in(_with_id(fact), at, world)
        effects.arrivals.append(Arrival(fact.content, message_id, at))

    def _long_text_id(self, fact: PartReceived) -> UUID:
        return self._ids.long_text(
            fact.scope, fact.our_address, fact.customer_address, fact.reference, fact.total
        )

    def _part(self, fact: PartReceived, at: datetime, world: World) -> None:
        # A part of which no text can come is parked now, not when its time is over.
        world.need(Mapping, fact.mapping_id, f"mapping {fact.mapping_id}")
        long_text_id = self._long_text_id(fact)
        long_text = world.get(LongText, long_text_id) or world.add(LongText.create(long_text_id, fact, at))
        text = long_text.take(fact, self._ids.customer(fact.customer_address), at)
        if text:
            self.texts.take_in(text, at, world)

    @staticmethod
    def _remains(fact: DeadlineFell, world: World) -> TextReceived | None:
        long_text = world.get(LongText, fact.subject_id)
        return long_text.remains() if long_text else None

    # ── outcomes and receipts ──────────────────────────────────────────────────────────────────

    def _receipt(
        self,
        fact: ReceiptReceived,
        at: datetime,
        world: World,
        effects: Effects,
        known: Known,
    ) -> None:
        reference = self.reference(fact.scope, fact.provider_message_id)
        message_id = fact.message_id or effects.references.get(reference) or known.messages.get(reference)
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
        known: Known,
    ) -> None:
        message = world.need(Message, fact.message_id, "message with that id")
        if fact.outcome is Outcome.ACCEPTED:
            named = fact.provider_message_id or ""
            reference = self.reference(fact.scope, named)
            owner = effects.references.get(reference) or known.messages.get(reference)
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

    def _deadline(self, fact: DeadlineFell, at: datetime, world: World) -> None:
        match fact.kind:
            case DeadlineKind.IDLE:
                self._idle(fact, at, world)
            case DeadlineKind.EXPIRY:
                message = world.get(Message, fact.subject_id)
                if message:
                    message.expire(at)
            case DeadlineKind.AGENT_LOST:
                self._agent_lost(fact, at, world)
            case DeadlineKind.PARTS:
                self._parts_overdue(fact, at, world)

    def _idle(self, fact: DeadlineFell, at: datetime, world: World) -> None:
        conversation = world.get(Conversation, fact.subject_id)
        # Texts accepted before the deadline fell due come earlier on the log: they have moved it.
        if conversation and conversation.is_open and conversation.idle_due_at <= at:
            self._sittings.end(world, conversation, EndReason.IDLE, at)

    def _parts_overdue(self, fact: DeadlineFell, at: datetime, world: World) -> None:
        long_text = world.get(LongText, fact.subject_id)
        text = long_text.expire(at) if long_text else None
        if text:
            self.texts.take_in(text, at, world)

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


def _with_id(fact: TextWithoutId) -> TextReceived:
    return TextReceived(
        key=fact.key,
        mapping_id=fact.mapping_id,
        scope=fact.scope,
        provider_message_id=fact.delivery_id,
        our_address=fact.our_address,
        customer_address=fact.customer_address,
        text=fact.text,
        media=(),
        keyword=None,
        raw=fact.raw,
    )
