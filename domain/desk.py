"""What agents do: answer, start, transfer and end conversations, and come and go themselves."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from domain.addresses import AddressError, is_phone, normalise
from domain.agents import Agent, AgentStatus
from domain.commands import Actor, Commands, Done
from domain.conversations import (
    AssignmentReason,
    Conversation,
    EndReason,
    Origin,
    QueueReason,
    State,
)
from domain.errors import Clash, Forbidden, Invalid, NotFound
from domain.ids import Identities
from domain.mapping_settings import MESSAGE_CHARACTERS, Status
from domain.mappings import Claim, Mapping
from domain.message_values import REPLY_TIME, Envelope, Outbound, Purpose, Sender
from domain.messages import Message
from domain.queues import SkillQueue
from domain.sittings import Meeting, Sittings
from domain.threads import Thread
from domain.values import ERASED, DeliveryProvider
from domain.work_codes import WorkCode
from domain.world import World

R = TypeVar("R")


@dataclass(frozen=True)
class Start:
    """A conversation that an agent wants to start."""

    our_address: str
    customer: str  # as typed
    text: str
    single: bool
    media_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class Words:
    """An agent's text, as it is to be sent."""

    message_id: UUID
    login: str
    text: str
    media_ids: tuple[UUID, ...]


@dataclass(frozen=True)
class Started:
    """The conversation that was started and its first message."""

    conversation_id: UUID
    message_id: UUID


class AgentDesk:
    """The agents' commands. Every one returns the position from which the views show it."""

    def __init__(self, commands: Commands, sittings: Sittings) -> None:
        self._commands = commands
        self._sittings = sittings
        self._ids: Identities = sittings.ids

    # ── texts ──────────────────────────────────────────────────────────────────────────────────

    def reply(
        self, actor: Actor, conversation_id: UUID, text: str, media_ids: tuple[UUID, ...], key: str
    ) -> Done[UUID]:
        """Send a text in a conversation; the message's id. The same key again changes nothing.

        Raises Invalid, NotFound, Forbidden (not the agent's), Clash (ended, opted out, key used otherwise).
        """
        _check_text(text, media_ids)
        message_id = self._ids.outbound(actor.login, key)
        words = Words(message_id, actor.login, text, media_ids)

        def decide(world: World, at: datetime) -> UUID:
            world.load({message_id, conversation_id})
            conversation = world.need(Conversation, conversation_id, "conversation with that id")
            if self._is_repeat(world, words, conversation_id):
                return message_id
            self._own(actor, conversation)
            if not conversation.is_open:
                raise Clash("the conversation has ended; start a new one")
            if conversation.customer_address == ERASED:
                raise Clash("the customer has been forgotten; end the conversation")
            world.load({conversation.thread_id, *self._sittings.consents(conversation)})
            self._sittings.refuse_opted_out(world, conversation)
            self._speak(world, conversation, words, at)
            return message_id

        return self._commands.run(decide)

    def start(self, actor: Actor, start: Start, key: str) -> Done[Started]:
        """Start a conversation with a customer, or send a single message. The same key again changes nothing.

        Raises Invalid (fields), Clash (a conversation is open already, opted out), NotFound.
        """
        _check_text(start.text, start.media_ids)
        message_id = self._ids.outbound(actor.login, key)
        started = Started(self._ids.caused(message_id, "conversation"), message_id)
        words = Words(message_id, actor.login, start.text, start.media_ids)

        def decide(world: World, at: datetime) -> Started:
            world.load({message_id, started.conversation_id, self._ids.agent(actor.login)})
            if self._is_repeat(world, words, started.conversation_id):
                self._refuse_other_parties(world, words, start)
                return started
            mapping, meeting = self._meeting(world, start)
            self._sittings.refuse_opted_out(world, meeting)
            thread = self._sittings.thread(world, meeting, at)
            if thread.open_conversation:
                self._refuse_open(world, thread.open_conversation)
            self._begin(world, start, words, mapping, meeting, at)
            return started

        return self._commands.run(decide)

    def _meeting(self, world: World, start: Start) -> tuple[Mapping, Meeting]:
        world.load({self._ids.claim(start.our_address)})
        claim = world.get(Claim, self._ids.claim(start.our_address))
        if claim is None or claim.owner is None:
            raise Invalid.field("our_address", f"no mapping has the number {start.our_address}")
        mapping_id = self._ids.mapping(claim.owner)
        world.load({mapping_id})
        mapping = world.need(Mapping, mapping_id, f"mapping {claim.owner}")
        settings = mapping.settings
        if settings.status is not Status.ACTIVE:
            raise Clash(f"mapping {settings.code} is {settings.status}", "our_address")
        if settings.delivery_provider is DeliveryProvider.AMAZON:
            raise Clash(
                "this number is delivered by Amazon Connect, whose adapter is not installed here",
                "our_address",
            )
        meeting = self._sittings.meeting(mapping, start.our_address, _customer(start, mapping))
        world.load(self._sittings.streams_of(mapping, meeting))
        return mapping, meeting

    def _begin(
        self, world: World, start: Start, words: Words, mapping: Mapping, meeting: Meeting, at: datetime
    ) -> None:
        route = mapping.settings.route(start.our_address)
        if route is None:
            raise Invalid.field("our_address", f"no mapping has the number {start.our_address}")
        origin = Origin.SINGLE if start.single else Origin.AGENT
        conversation_id = self._ids.caused(words.message_id, "conversation")
        terms = self._sittings.terms(mapping, route, meeting)
        conversation = self._sittings.start(world, conversation_id, meeting, origin, terms, at)
        if not start.single:
            agent = world.get(Agent, self._ids.agent(words.login))
            if agent is None or agent.removed:
                raise Forbidden("only an agent can hold a conversation; send a single message instead")
            agent.hold(conversation.id, at)
            conversation.assign(words.login, AssignmentReason.STARTED, at)
        self._speak(world, conversation, words, at)
        if start.single:
            conversation.end(EndReason.SINGLE, at, by=words.login)

    def _speak(self, world: World, conversation: Conversation, words: Words, at: datetime) -> None:
        envelope = Envelope(
            thread_id=conversation.thread_id,
            conversation_id=conversation.id,
            mapping_id=conversation.terms.mapping_id,
            customer_id=conversation.customer_id,
            our_address=conversation.our_address,
            customer_address=conversation.customer_address,
            text=words.text,
        )
        outbound = Outbound(
            sender=Sender.AGENT,
            agent=words.login,
            purpose=Purpose.REPLY,
            consent_id=conversation.consent_id,
            expires_at=at + REPLY_TIME,
            media_ids=words.media_ids,
        )
        world.add(Message.request(words.message_id, envelope, outbound, at))
        conversation.agent_wrote(words.message_id, words.login, at)
        self._follow_up(world, conversation, words.login, at)

    def _follow_up(self, world: World, conversation: Conversation, login: str, at: datetime) -> None:
        """Writing to a customer takes what was missed or refused on the thread off the list."""
        thread = world.need(Thread, conversation.thread_id, "thread of the conversation")
        world.load(set(thread.unanswered))
        for each in thread.unanswered:
            missed = world.get(Conversation, each)
            if missed:
                missed.follow_up(conversation.id, login, at)
        thread.follow_up(thread.unanswered, at)

    # ── conversations ──────────────────────────────────────────────────────────────────────────

    def transfer_to_queue(self, actor: Actor, conversation_id: UUID, queue: str) -> Done[None]:
        """Put a conversation back into a skill queue. Raises Clash, Forbidden, NotFound."""

        def decide(world: World, at: datetime) -> None:
            conversation = self._in_hand(world, actor, conversation_id)
            world.load({self._ids.queue(queue)})
            found = world.get(SkillQueue, self._ids.queue(queue))
            if found is None or found.removed:
                raise Invalid.field("queue", f"there is no queue {queue}")
            self._release(world, conversation, at)
            conversation.enqueue(queue, QueueReason.TRANSFER, at, by=actor.login)
            self._sittings.tell(world, conversation, Purpose.TRANSFERRED, at)

        return self._commands.run(decide)

    def transfer_to_agent(self, actor: Actor, conversation_id: UUID, login: str) -> Done[None]:
        """Hand a conversation to an agent who is available and has room. Raises Clash with the reason."""

        def decide(world: World, at: datetime) -> None:
            conversation = self._in_hand(world, actor, conversation_id)
            agent_id = self._ids.agent(login)
            world.load({agent_id})
            agent = world.get(Agent, agent_id)
            if agent is None or agent.removed:
                raise Invalid.field("agent", f"there is no agent {login}")
            if conversation.agent == login:
                raise Clash(f"{login} has the conversation already", "agent")
            reason = agent.why_busy(at)
            if reason:
                raise Clash(f"{login} {reason}", "agent")
            self._release(world, conversation, at)
            agent.assign(conversation_id, at)
            conversation.assign(login, AssignmentReason.TRANSFER, at, by=actor.login)
            self._sittings.tell(world, conversation, Purpose.AGENT_JOINED, at, agent=agent.settings.name)

        return self._commands.run(decide)

    def end(self, actor: Actor, conversation_id: UUID, work_code: str | None) -> Done[None]:
        """End a conversation, saying how it was disposed of. Raises Clash, Forbidden, Invalid, NotFound."""

        def decide(world: World, at: datetime) -> None:
            conversation = self._in_hand(world, actor, conversation_id)
            if work_code is not None:
                world.load({self._ids.work_code(work_code)})
                found = world.get(WorkCode, self._ids.work_code(work_code))
                if found is None or found.removed:
                    raise Invalid.field("work_code", f"there is no work code {work_code}")
            self._release(world, conversation, at, wrap_up=True)
            self._sittings.end(world, conversation, EndReason.AGENT, at, by=actor.login, work_code=work_code)

        return self._commands.run(decide)

    # ── the agent ──────────────────────────────────────────────────────────────────────────────

    def change_status(self, actor: Actor, login: str, status: AgentStatus, *, requeue: bool) -> Done[None]:
        """Become available, away or offline; with `requeue`, work in hand returns to its queues first."""
        if actor.login != login and not actor.is_admin:
            raise Forbidden("another agent's status is for admins to change")

        def decide(world: World, at: datetime) -> None:
            agent = self._agent(world, login)
            if requeue and status is AgentStatus.OFFLINE:
                self._give_back(world, agent, at)
            agent.change_status(status, f"by {actor.login}", at)

        return self._commands.run(decide)

    def _give_back(self, world: World, agent: Agent, at: datetime) -> None:
        world.load(set(agent.in_hand))
        for conversation_id in agent.in_hand:
            conversation = world.get(Conversation, conversation_id)
            agent.release(conversation_id, at, wrap_up=False)
            if conversation and conversation.is_open and conversation.queue:
                world.load(self._sittings.streams_to_end(conversation))
                conversation.enqueue(conversation.queue, QueueReason.AGENT_LEFT, at, by=agent.login)
                self._sittings.tell(world, conversation, Purpose.AGENT_LEFT, at, agent=agent.settings.name)

    def finish_wrap_up(self, login: str) -> Done[None]:
        """Be ready for the next conversation at once."""
        return self._with_agent(login, lambda agent, at: agent.finish_wrap_up(at))

    def connect(self, login: str) -> Done[None]:
        """A desk of the agent's listens."""
        return self._with_agent(login, lambda agent, at: agent.connect_desk(at))

    def disconnect(self, login: str, grace: timedelta) -> Done[None]:
        """The agent's last desk went away."""
        return self._with_agent(login, lambda agent, at: agent.disconnect_desk(grace, at))

    def _with_agent(self, login: str, change: Callable[[Agent, datetime], None]) -> Done[None]:
        return self._commands.run(lambda world, at: change(self._agent(world, login), at))

    # ── shared ─────────────────────────────────────────────────────────────────────────────────

    def _agent(self, world: World, login: str) -> Agent:
        world.load({self._ids.agent(login)})
        agent = world.need(Agent, self._ids.agent(login), f"agent {login}")
        if agent.removed:
            raise NotFound(f"there is no agent {login}")
        return agent

    def _in_hand(self, world: World, actor: Actor, conversation_id: UUID) -> Conversation:
        """An open conversation that the actor may deal with, with all that ending it needs."""
        world.load({conversation_id})
        conversation = world.need(Conversation, conversation_id, "conversation with that id")
        self._own(actor, conversation)
        if not conversation.is_open:
            raise Clash("the conversation has ended")
        needed = self._sittings.streams_to_end(conversation)
        if conversation.agent:
            needed.add(self._ids.agent(conversation.agent))
        world.load(needed)
        return conversation

    def _release(
        self, world: World, conversation: Conversation, at: datetime, *, wrap_up: bool = False
    ) -> None:
        if conversation.state is State.ASSIGNED and conversation.agent:
            agent = world.get(Agent, self._ids.agent(conversation.agent))
            if agent:
                agent.release(conversation.id, at, wrap_up=wrap_up)

    @staticmethod
    def _own(actor: Actor, conversation: Conversation) -> None:
        if not actor.is_admin and conversation.agent != actor.login:
            raise Forbidden("the conversation is not in your hands")

    @staticmethod
    def _refuse_open(world: World, conversation_id: UUID) -> None:
        world.load({conversation_id})
        conversation = world.need(Conversation, conversation_id, "open conversation")
        queue = f"queue {conversation.queue}" if conversation.queue else "Amazon Connect"
        holder = conversation.agent or queue
        raise Clash(f"a conversation with this customer is open already; {holder} has it", "customer")

    @staticmethod
    def _is_repeat(world: World, words: Words, conversation_id: UUID) -> bool:
        """Whether the idempotency key was used before, for the same. Raises Clash when for something else."""
        earlier = world.get(Message, words.message_id)
        if earlier is None:
            return False
        same = (words.text, words.media_ids, conversation_id)
        if (earlier.text, earlier.media_ids, earlier.conversation_id) != same:
            raise _used_otherwise()
        return True

    @staticmethod
    def _refuse_other_parties(world: World, words: Words, start: Start) -> None:
        earlier = world.need(Message, words.message_id, "message with that id")
        world.load({earlier.mapping_id})
        mapping = world.need(Mapping, earlier.mapping_id, "mapping of the message")
        parties = (start.our_address, _customer(start, mapping))
        if (earlier.our_address, earlier.customer_address) != parties:
            raise _used_otherwise()


def _used_otherwise() -> Clash:
    return Clash("this Idempotency-Key was used for another message; use a new one", "Idempotency-Key")


def _customer(start: Start, mapping: Mapping) -> str:
    """The customer's number, read as somebody in the mapping's country would. Raises Invalid."""
    try:
        customer = normalise(start.customer, mapping.settings.default_country)
    except AddressError as error:
        raise Invalid.field("customer", str(error)) from error
    if not is_phone(customer):
        raise Invalid.field("customer", "must be a phone number, such as +15005550006")
    return customer


def _check_text(text: str, media_ids: tuple[UUID, ...]) -> None:
    if not text.strip() and not media_ids:
        raise Invalid.field("text", "write something, or add a picture or file")
    if len(text) > MESSAGE_CHARACTERS:
        raise Invalid.field("text", f"at most {MESSAGE_CHARACTERS} characters, not {len(text)}")
    if "\0" in text:
        raise Invalid.field("text", "must not contain NUL characters")
