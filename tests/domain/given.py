"""Given, when, then, upon the whole domain and a store in memory.

Given: a `Stage` and what is done on it. When: one more thing is done; it returns the events it recorded.
Then: `then(events, Conversation.Ended, …)`, or a look at the aggregates.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from eventsourcing.domain import Aggregate, AggregateEvent

from domain.administration import MappingAdministration, MappingDraft
from domain.agents import Agent, AgentSettings, AgentStatus
from domain.attention import Attention
from domain.capacity import Capacity
from domain.catalogue import Catalogue
from domain.commands import Actor, Commands
from domain.consent import Consent
from domain.conversations import Conversation, State
from domain.desk import AgentDesk, Start, Started
from domain.facts import (
    DeadlineFell,
    DeadlineKind,
    Fact,
    Outcome,
    ReceiptReceived,
    ReceiptStatus,
    SendSettled,
    TextReceived,
    TextWithoutId,
)
from domain.ids import Identities
from domain.intake import Effects, Intake, Known
from domain.mapping_settings import ChatControl, Kind, MappingSettings, Route, Status
from domain.mappings import Mapping
from domain.message_values import Sender
from domain.messages import Message
from domain.ports import Unit
from domain.providers import Provider
from domain.routing import Routing, Waiting, choose
from domain.sittings import Sittings
from domain.threads import Thread
from domain.values import DeliveryProvider
from domain.world import World
from tests.fakes.clock import FakeClock
from tests.fakes.event_store import InMemoryCustomerKeys, InMemoryEventStore, Shelf
from tests.fakes.lookups import StoreLookups
from tests.fakes.provider import FakeProvider
from tests.fakes.secrets import FakeSecrets

A = TypeVar("A", bound=Aggregate)
Events = list[AggregateEvent]

OURS, OURS_TOO = "+15005550006", "+15005550007"
CUSTOMER, OTHER = "+14155550123", "+14155550124"
SCOPE = "fake/account"
LANE = "lane"
ADMIN = Actor("root", frozenset({"admin"}))
ANA, BEN = Actor("ana", frozenset({"agent"})), Actor("ben", frozenset({"agent"}))
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)

MAPPING = MappingSettings(
    kind=Kind.REST,
    code="TW",
    description="Support, US",
    status=Status.ACTIVE,
    default_country="US",
    provider="fake",
    credentials={"user_name": "AC1"},
    chat_control=ChatControl(idle_timeout_message="Bye for now", max_chats_message="Too many just now"),
    routes=(Route(OURS, "Support", "SUPPORT"),),
)


def then(events: Iterable[AggregateEvent], *kinds: type[Any]) -> None:
    """Exactly these kinds of event were recorded, each so often, in whatever order."""
    recorded = sorted(type(event).__qualname__ for event in events)
    assert recorded == sorted(kind.__qualname__ for kind in kinds)


def one(events: Iterable[AggregateEvent], kind: type[Any]) -> Any:
    """The one event of this kind."""
    found = [event for event in events if type(event) is kind]
    assert len(found) == 1, [type(event).__qualname__ for event in events]
    return found[0]


@dataclass
class Stage:
    """The domain put together upon fakes. Time stands still unless a test moves it."""

    mapping: MappingSettings | None = MAPPING
    clock: FakeClock = field(default_factory=FakeClock)
    shelf: Shelf = field(default_factory=Shelf)
    provider: FakeProvider = field(default_factory=FakeProvider)
    secrets: FakeSecrets = field(default_factory=FakeSecrets)
    unmatched: list[ReceiptReceived] = field(default_factory=list)
    texts: int = 0
    deliveries: frozenset[DeliveryProvider] = frozenset(DeliveryProvider)

    def __post_init__(self) -> None:
        self.store = InMemoryEventStore(self.shelf, self.clock)
        self.ids = Identities(bytes(32))
        self.lookups = StoreLookups(self.store)
        providers: dict[str, Provider] = {
            "fake": self.provider,
            "smpp": self.provider,
            "aws_eum:eum_sns": self.provider,
        }
        self.sittings = Sittings(self.ids, providers)
        self.intake = Intake(self.ids, self.sittings)
        commands = Commands(self.store, self.clock)
        self.desk = AgentDesk(commands, self.sittings)
        self.attention = Attention(commands, self.sittings, self.intake)
        self.routing = Routing(commands, self.sittings)
        self.catalogue = Catalogue(commands, self.ids, self.lookups, InMemoryCustomerKeys(self.shelf))
        self.administration = MappingAdministration(
            commands, self.ids, self.secrets, providers, self.lookups, self.deliveries
        )
        self.catalogue.put_queue(ADMIN, "SUPPORT", "Support", new=True)
        self.catalogue.put_queue(ADMIN, "SALES", "Sales", new=True)
        if self.mapping:
            self.administration.add(ADMIN, MappingDraft(self.mapping, {"password": "secret"}))

    # ── given ──────────────────────────────────────────────────────────────────────────────────

    def change(self, **settings: Any) -> None:
        """Modify the mapping."""
        now = self.get(Mapping, self.ids.mapping("TW")).settings
        self.administration.modify(ADMIN, MappingDraft(replace(now, **settings)), None)

    def control(self, **settings: Any) -> None:
        """Modify the mapping's chat control."""
        now = self.get(Mapping, self.ids.mapping("TW")).settings.chat_control
        self.change(chat_control=replace(now, **settings))

    def agent(
        self,
        login: str = "ana",
        *,
        room: int = 2,
        skills: tuple[str, ...] = ("SUPPORT",),
        wrap_up: int = 0,
        status: AgentStatus = AgentStatus.AVAILABLE,
    ) -> Actor:
        """Add an agent in this status."""
        settings = AgentSettings(login.title(), skills, room, wrap_up)
        self.catalogue.put_agent(ADMIN, login, settings, new=True)
        self.desk.change_status(ADMIN, login, status, requeue=False)
        return Actor(login, frozenset({"agent"}))

    # ── when ───────────────────────────────────────────────────────────────────────────────────

    def when(self, act: Callable[[], object]) -> Events:
        """What doing this records."""
        before = self.store.head()
        act()
        return [each.event for each in self.store.read(before, self.store.head())]

    def ingest(self, *facts: Fact) -> Events:
        """One batch of the ingress log, as the ingest worker takes it."""
        return self.when(lambda: self._ingest(facts))

    def _ingest(self, facts: Iterable[Fact]) -> None:
        world, effects = World(self.store), Effects()
        receipts = [fact for fact in facts if isinstance(fact, ReceiptReceived)]
        references = self.store.messages_by_reference({self._reference(each) for each in receipts})
        contents = {fact.content for fact in facts if isinstance(fact, TextWithoutId) and fact.repeats_since}
        known = Known(references, self.store.arrivals(contents))
        for fact in facts:
            world.load(self.intake.first_look(fact))
        world.load(references.values())
        for fact in facts:
            world.load(self.intake.second_look(fact, world))
        for fact in facts:
            world.load(self.intake.third_look(fact, world))
        for fact in facts:
            self.intake.decide(fact, self.clock.now(), world, effects, known)
        self.unmatched += [each for each in receipts if self._reference(each) in effects.unmatched]
        self.store.save(Unit(world.changed(), references=effects.references, arrivals=effects.arrivals))
        matched = [each for each in self.unmatched if self._reference(each) in effects.references]
        self.unmatched = [each for each in self.unmatched if each not in matched]
        if matched:
            self._ingest(matched)

    def _reference(self, receipt: ReceiptReceived) -> UUID:
        return self.intake.reference(receipt.scope, receipt.provider_message_id)

    def text(self, text: str = "Hello", customer: str = CUSTOMER, **fields: Any) -> Events:
        """A customer texts us."""
        return self.ingest(self.text_fact(text, customer, **fields))

    def text_fact(
        self, text: str = "Hello", customer: str = CUSTOMER, ours: str = OURS, **fields: Any
    ) -> TextReceived:
        """A text of its own, unless a `provider_message_id` is given."""
        self.texts += 1
        fact = TextReceived(
            key=self.ids.thread(ours, customer),
            mapping_id=self.ids.mapping("TW"),
            scope=SCOPE,
            provider_message_id=f"SM{self.texts}",
            our_address=ours,
            customer_address=customer,
            text=text,
            media=(),
            keyword=None,
            raw="",
        )
        return replace(fact, **fields)

    def deadline(self, kind: DeadlineKind, subject_id: UUID, due_at: datetime | None = None) -> Events:
        """A deadline falls due, now or as given."""
        return self.ingest(DeadlineFell(subject_id, kind, subject_id, due_at or self.clock.now()))

    def lost(self, login: str = "ana") -> Events:
        """The end of the grace period that the agent is in, if any, falls due."""
        return self.deadline(DeadlineKind.AGENT_LOST, self.ids.agent(login), self.agent_now(login).lost_at)

    def idle(self, conversation_id: UUID | None = None) -> Events:
        """The conversation's idle deadline falls due now."""
        return self.deadline(DeadlineKind.IDLE, conversation_id or self.conversation().id)

    def settled(self, message_id: UUID, outcome: Outcome, attempt: int = 1, **fields: Any) -> Events:
        """The outcome of an attempt."""
        accepted = outcome is Outcome.ACCEPTED
        fact = SendSettled(
            key=message_id,
            message_id=message_id,
            attempt=attempt,
            outcome=outcome,
            scope=SCOPE,
            provider_message_id=f"OUT{attempt}" if accepted else None,
            error_code=None,
            detail="",
            retry_at=None,
            reconciled=False,
        )
        return self.ingest(replace(fact, **fields))

    def receipt(self, status: ReceiptStatus, **fields: Any) -> Events:
        """The provider says what became of the message that it calls OUT1, unless told otherwise."""
        fact = ReceiptReceived(
            key=UUID(int=0),
            mapping_id=self.ids.mapping("TW"),
            scope=SCOPE,
            provider_message_id="OUT1",
            message_id=None,
            attempt=None,
            status=status,
            provider_status=status.value.upper(),
            error_code=None,
            raw="",
        )
        return self.ingest(replace(fact, **fields))

    def route(self) -> list[str]:
        """The router: the oldest waiting to the longest idle, until nobody fits; who got something."""
        got = []
        for waiting in self.waiting():
            match = choose(waiting, self.agents(), self.clock.now())
            if match and self.routing.assign(match).result:
                got.append(match.agent)
        return got

    def release(self) -> None:
        """The router again: what has ended leaves the agents' hands."""
        for agent in self.agents():
            for conversation_id in agent.in_hand:
                if not self.get(Conversation, conversation_id).is_open:
                    self.routing.release(agent.login, conversation_id)

    def reply(self, text: str = "How can I help?", actor: Actor = ANA, key: str = "k1") -> UUID:
        """An agent replies in the open conversation; the message's id."""
        return self.desk.reply(actor, self.conversation().id, text, (), key).result

    def start(
        self,
        actor: Actor = ANA,
        *,
        single: bool = False,
        customer: str = CUSTOMER,
        key: str = "k1",
        text: str = "Hello from us",
    ) -> Started:
        """An agent starts a conversation."""
        return self.desk.start(actor, Start(OURS, customer, text, single), key).result

    def forget(self, customer: str = CUSTOMER) -> int:
        """The customer's conversations end, then they are forgotten; how many keys were destroyed."""
        for each in self.lookups.conversations():
            if each.is_open and each.customer_id == self.ids.customer(customer):
                self.desk.end(ADMIN, each.id, None)
        return self.catalogue.forget(ADMIN, customer).result

    def forget_meanwhile(self, customer: str = CUSTOMER) -> Events:
        """They are forgotten although a conversation is open, which the views have not shown yet."""
        behind = StoreLookups(InMemoryEventStore(Shelf(), self.clock))
        commands, keys = Commands(self.store, self.clock), InMemoryCustomerKeys(self.shelf)
        catalogue = Catalogue(commands, self.ids, behind, keys)
        return self.when(lambda: catalogue.forget(ADMIN, customer))

    def attempt(self, message_id: UUID) -> int:
        """The dispatcher records its intent to send a message."""
        message = self.message(message_id)
        number = message.attempt_sending(LANE, self.clock.now() + MINUTE, self.clock.now())
        self.store.save(Unit([message]))
        return number

    # ── then ───────────────────────────────────────────────────────────────────────────────────

    def get(self, kind: type[A], stream_id: UUID) -> A:
        """An aggregate as it is now."""
        found = self.store.load({stream_id})[stream_id]
        assert isinstance(found, kind)
        return found

    def find(self, kind: type[A], stream_id: UUID) -> A | None:
        """An aggregate as it is now, if it exists."""
        return self.get(kind, stream_id) if self.store.stream(stream_id) else None

    def thread(self, customer: str = CUSTOMER) -> Thread:
        """The thread of a customer with our number."""
        return self.get(Thread, self.ids.thread(OURS, customer))

    def conversation(self, customer: str = CUSTOMER) -> Conversation:
        """The customer's newest conversation."""
        mine = [each for each in self.lookups.conversations() if each.customer_address == customer]
        return mine[-1]

    def message(self, message_id: UUID) -> Message:
        """A message as it is now."""
        return self.get(Message, message_id)

    def automatic(self) -> list[Message]:
        """Parley's own texts, the oldest first."""
        everything = [each.event for each in self.store.read(0, self.store.head())]
        asked = [each for each in everything if isinstance(each, Message.Requested)]
        return [self.message(each.originator_id) for each in asked if each.sender is Sender.SYSTEM]

    def opted_out(self, customer: str = CUSTOMER, scope: str = OURS) -> bool:
        """Whether the customer has opted out of a sender scope."""
        consent = self.find(Consent, self.ids.consent(scope, customer))
        return consent is not None and consent.opted_out

    def capacity(self) -> Capacity:
        """The count of the mapping's open conversations."""
        return self.get(Capacity, self.ids.capacity(self.ids.mapping("TW")))

    def agent_now(self, login: str = "ana") -> Agent:
        """An agent as it is now."""
        return self.get(Agent, self.ids.agent(login))

    def agents(self) -> list[Agent]:
        """Every agent."""
        everything = self.store.read(0, self.store.head())
        added = [each.event for each in everything if isinstance(each.event, Agent.Created)]
        return [self.get(Agent, each.originator_id) for each in added]

    def waiting(self) -> list[Waiting]:
        """What waits in queues: what was put at a head first, then by age."""
        rows = []
        for each in self.lookups.conversations():
            if each.state is State.WAITING:
                queued = [
                    recorded.event
                    for recorded in self.store.stream(each.id)
                    if isinstance(recorded.event, Conversation.Queued)
                ][-1]
                row = Waiting(each.id, queued.queue, queued.timestamp, queued.preferred_agent)
                rows.append((not queued.ahead, queued.timestamp, row))
        return [row for _, _, row in sorted(rows, key=lambda each: each[:2])]

    def now(self) -> datetime:
        """The present moment."""
        return self.clock.now()
