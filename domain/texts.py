"""Texts: what becomes of one that a customer wrote.

It joins the open conversation of its thread or starts one, is refused, or finds no route; and STOP, START
and HELP are heeded.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from domain.conversations import Conversation, Origin, QueueReason
from domain.facts import PartReceived, TextReceived, TextWithoutId
from domain.keywords import Keyword, classify
from domain.mapping_settings import KeywordAnswers, Route, Status
from domain.mappings import Mapping
from domain.message_values import Disposition, Envelope, Inbound, Purpose
from domain.messages import Message
from domain.sittings import Meeting, Sittings
from domain.threads import Thread
from domain.values import ERASED
from domain.world import World

PREFERRED_AGENT_FOR = timedelta(hours=24)
"""A returning customer goes to the agent of the last conversation within this time."""


@dataclass(frozen=True)
class _Incoming:
    """A text that is being taken in."""

    message_id: UUID
    fact: TextReceived
    mapping: Mapping
    meeting: Meeting
    at: datetime


class Texts:
    """Takes in texts. Changes only the world it is given."""

    def __init__(self, sittings: Sittings) -> None:
        self._ids = sittings.ids
        self._sittings = sittings

    def streams(self, fact: TextReceived | TextWithoutId | PartReceived, world: World) -> set[UUID]:
        """What has to be loaded, once its thread and mapping are, before the text can be taken in."""
        needed: set[UUID] = set()
        thread = world.get(Thread, fact.key)
        if thread:
            needed |= {each for each in (thread.open_conversation, thread.refused_conversation) if each}
        mapping = world.get(Mapping, fact.mapping_id)
        if mapping:
            meeting = self._sittings.meeting(mapping, fact.our_address, fact.customer_address)
            needed |= self._sittings.streams_of(mapping, meeting)
        return needed

    def take_in(self, fact: TextReceived, at: datetime, world: World) -> None:
        """Take in a text accepted at that time. Raises LookupError when it names no mapping."""
        message_id = self._ids.inbound(fact.scope, fact.provider_message_id)
        if world.get(Message, message_id):
            return  # the same fact again
        mapping = world.get(Mapping, fact.mapping_id)
        if mapping is None:
            raise LookupError(f"there is no mapping {fact.mapping_id}")
        meeting = self._sittings.meeting(mapping, fact.our_address, fact.customer_address)
        incoming = _Incoming(message_id, fact, mapping, meeting, at)
        keyword = self._keyword(fact, world, meeting)
        problem = self._why_unrouted(mapping, fact.our_address, world, fact.key)
        if problem:
            # Even a text that goes nowhere opts its sender out.
            self._receive(incoming, world, Disposition.UNROUTED, None, keyword, problem)
            self._heed(keyword, incoming, world, answer=False)
            return
        disposition, conversation_id = self._place(incoming, world, keyword)
        self._receive(incoming, world, disposition, conversation_id, keyword)
        # What the provider itself acted on it has answered too.
        self._heed(keyword, incoming, world, answer=fact.keyword is None)

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
        self, incoming: _Incoming, world: World, keyword: Keyword | None
    ) -> tuple[Disposition, UUID | None]:
        """Find or make the conversation that a text belongs to."""
        thread = self._sittings.thread(world, incoming.meeting, incoming.at)
        if thread.open_conversation:
            conversation = world.need(Conversation, thread.open_conversation, "open conversation")
            conversation.customer_wrote(incoming.message_id, incoming.at)
            return Disposition.JOINED, conversation.id
        if keyword:
            return Disposition.KEYWORD, None
        if self._is_full(incoming, world):
            return Disposition.REFUSED, self._refuse(incoming, world, thread)
        return Disposition.STARTED, self._start(incoming, world, thread)

    def _is_full(self, incoming: _Incoming, world: World) -> bool:
        maximum = incoming.mapping.settings.chat_control.max_chats
        if maximum is None:
            return False
        return not self._sittings.capacity(world, incoming.mapping.id, incoming.at).has_room(maximum)

    def _route(self, incoming: _Incoming) -> Route:
        route = incoming.mapping.settings.route(incoming.fact.our_address)
        if route is None:
            raise LookupError(f"no route for {incoming.fact.our_address}")
        return route

    def _start(self, incoming: _Incoming, world: World, thread: Thread) -> UUID:
        route = self._route(incoming)
        conversation_id = self._ids.caused(incoming.message_id, "conversation")
        terms = self._sittings.terms(incoming.mapping, route, incoming.meeting)
        conversation = self._sittings.start(
            world, conversation_id, incoming.meeting, Origin.CUSTOMER, terms, incoming.at
        )
        conversation.customer_wrote(incoming.message_id, incoming.at)
        if route.skill_queue:
            preferred = thread.preferred_agent(incoming.at, PREFERRED_AGENT_FOR)
            conversation.enqueue(route.skill_queue, QueueReason.NEW, incoming.at, preferred_agent=preferred)
        return conversation_id

    def _refuse(self, incoming: _Incoming, world: World, thread: Thread) -> UUID:
        """Record a refused conversation; the customer is told once an episode."""
        lasting = thread.current_refusal(incoming.at)
        if lasting:
            refused = world.need(Conversation, lasting, "refused conversation")
            refused.customer_wrote(incoming.message_id, incoming.at)
            return refused.id
        conversation_id = self._ids.caused(incoming.message_id, "conversation")
        terms = self._sittings.terms(incoming.mapping, self._route(incoming), incoming.meeting)
        conversation = world.add(
            Conversation.create(
                conversation_id, incoming.meeting.parties, Origin.CUSTOMER, terms, incoming.at
            )
        )
        conversation.customer_wrote(incoming.message_id, incoming.at)
        capacity = self._sittings.capacity(world, incoming.mapping.id, incoming.at)
        conversation.refuse(len(capacity.open), incoming.at)
        thread.refuse_conversation(conversation_id, incoming.at)
        self._sittings.tell(world, conversation, Purpose.MAX_CHATS, incoming.at)
        return conversation_id

    def _receive(
        self,
        incoming: _Incoming,
        world: World,
        disposition: Disposition,
        conversation_id: UUID | None,
        keyword: Keyword | None,
        reason: str = "",
    ) -> None:
        fact, meeting = incoming.fact, incoming.meeting
        envelope = Envelope(
            thread_id=meeting.thread_id,
            conversation_id=conversation_id,
            mapping_id=incoming.mapping.id,
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
        world.add(Message.receive(incoming.message_id, envelope, inbound, incoming.at))

    def _heed(self, keyword: Keyword | None, incoming: _Incoming, world: World, *, answer: bool) -> None:
        """Do what STOP, START or HELP asks; answer it where that is ours to do."""
        if keyword is None:
            return
        meeting, at = incoming.meeting, incoming.at
        was_out = self._sittings.has_opted_out(world, meeting)
        if keyword is Keyword.STOP:
            self._sittings.opt_out(world, meeting, meeting.consent_scope, "text", at)
        elif keyword is Keyword.START:
            self._sittings.opt_in(world, meeting, "text", at)
        purpose = _answer_to(keyword, was_out=was_out)
        control = incoming.mapping.settings.chat_control
        if answer and purpose and control.keyword_answers is KeywordAnswers.PARLEY:
            cause = world.need(Message, incoming.message_id, "message")
            self._sittings.answer_keyword(world, incoming.mapping, meeting, cause, purpose, at)

    # ── unrouted texts, after the fix ──────────────────────────────────────────────────────────

    def replay_streams(self, message: Message, mapping: Mapping, world: World) -> set[UUID]:
        """What has to be loaded before an unrouted text can be routed."""
        return self.streams(_as_fact(message, mapping), world)

    def replay(self, message: Message, mapping: Mapping, by: str, at: datetime, world: World) -> str:
        """Route an unrouted text as if it came now; why it cannot be, empty when it was."""
        if message.customer_address == ERASED:
            return "its customer has been forgotten"
        fact = _as_fact(message, mapping)
        problem = self._why_unrouted(mapping, message.our_address, world, message.thread_id)
        if problem:
            return problem
        meeting = self._sittings.meeting(mapping, message.our_address, message.customer_address)
        incoming = _Incoming(message.id, fact, mapping, meeting, at)
        keyword = self._keyword(fact, world, meeting)
        disposition, conversation_id = self._place(incoming, world, keyword)
        message.route(conversation_id, disposition, by, at)
        return ""


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
