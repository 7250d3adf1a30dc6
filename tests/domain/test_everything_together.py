"""Customers, agents, the provider and the clock in any order: what must hold after every single step."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import groupby
from typing import TypeVar
from uuid import UUID

from eventsourcing.domain import Aggregate, AggregateEvent
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from domain.agents import Agent, AgentStatus
from domain.capacity import Capacity
from domain.consent import Consent
from domain.conversations import AssignmentReason, Conversation, State
from domain.desk import Start
from domain.errors import Refused
from domain.facts import DeadlineFell, DeadlineKind, Fact, Outcome, ReceiptStatus
from domain.long_texts import LongText
from domain.mapping_settings import KeywordAnswers
from domain.message_values import MessageStatus, Resolution, Sender
from domain.messages import Message
from domain.threads import AUTOMATIC_TEXTS_AN_HOUR, Thread
from tests.domain.given import ADMIN, ANA, BEN, CUSTOMER, MINUTE, OTHER, OURS, Stage
from tests.domain.given_smpp import part, without_id

A = TypeVar("A", bound=Aggregate)

SUBJECTS: dict[DeadlineKind, type[Aggregate]] = {
    DeadlineKind.IDLE: Conversation,
    DeadlineKind.EXPIRY: Message,
    DeadlineKind.PARTS: LongText,
}
AGENTS = {"ana": ANA, "ben": BEN}
HOUR, INSTANT = timedelta(hours=1), timedelta(milliseconds=1)
KNOWN_TO_THE_PROVIDER = ["accepted", "queued", "sent", "undelivered", "failed", "delivered", "read"]
FINAL = {MessageStatus.RECEIVED, MessageStatus.SUPPRESSED, MessageStatus.BLOCKED, MessageStatus.EXPIRED}

customers = st.sampled_from([CUSTOMER, OTHER, "+14155550125"])
words = st.sampled_from(["Hello", "Hello", "STOP", "START", "HELP", "yes"])
logins = st.sampled_from(sorted(AGENTS))
picks = st.integers(min_value=0, max_value=1000)


def rank(status: MessageStatus) -> int:
    """How far the provider has told us that a message got; 0 for not yet."""
    if status in ("undelivered", "failed", "delivered"):
        return KNOWN_TO_THE_PROVIDER.index("delivered")
    return KNOWN_TO_THE_PROVIDER.index(status) + 1 if status in KNOWN_TO_THE_PROVIDER else 0


class Everything(RuleBasedStateMachine):
    """One mapping with a maximum of two, one number, two agents with room for one and two."""

    def __init__(self) -> None:
        super().__init__()
        self.stage = Stage()
        self.stage.control(max_chats=2, keyword_answers=KeywordAnswers.PARLEY)
        self.stage.agent("ana", room=1, wrap_up=60)
        self.stage.agent("ben", room=2, skills=("SUPPORT", "SALES"))
        self.facts: list[Fact] = []
        self.keys = 0
        self.statuses: dict[UUID, MessageStatus] = {}

    # ── what happens ───────────────────────────────────────────────────────────────────────────

    @rule(customer=customers, text=words)
    def a_customer_texts(self, customer: str, text: str) -> None:
        self._ingest(self.stage.text_fact(text, customer))

    @rule(customer=customers, texts=st.lists(words, min_size=2, max_size=3))
    def a_customer_texts_quickly(self, customer: str, texts: list[str]) -> None:
        self._ingest(*[self.stage.text_fact(text, customer) for text in texts])

    @precondition(lambda self: self.facts)
    @rule(pick=picks)
    def a_fact_comes_again(self, pick: int) -> None:
        self._ingest(self.facts[pick % len(self.facts)])

    @rule(minutes=st.sampled_from([1, 5, 10, 60]))
    def time_passes(self, minutes: int) -> None:
        self.stage.clock.advance(minutes * MINUTE)

    @rule(customer=customers, text=words, again=st.booleans())
    def a_customer_texts_without_an_id(self, customer: str, text: str, again: bool) -> None:
        suspicion = {"repeats_since": self.stage.now() - HOUR, "occurrence": 1} if again else {}
        self._ingest(without_id(self.stage, text, customer, self._key(), **suspicion))

    @rule(customer=customers, numbers=st.lists(st.sampled_from([1, 2]), min_size=1), text=words)
    def parts_come(self, customer: str, numbers: list[int], text: str) -> None:
        self._ingest(*[part(self.stage, each, text, total=2, customer=customer) for each in numbers])

    @rule(pick=picks, kind=st.sampled_from([DeadlineKind.IDLE, DeadlineKind.EXPIRY, DeadlineKind.PARTS]))
    def a_deadline_falls_due(self, pick: int, kind: DeadlineKind) -> None:
        subject = self._pick(SUBJECTS[kind], pick)
        if subject:
            self._ingest(DeadlineFell(subject.id, kind, subject.id, self.stage.now()))

    @rule(login=logins)
    def an_agent_is_lost(self, login: str) -> None:
        self.stage.desk.connect(login)
        self.stage.desk.disconnect(login, timedelta())
        agent_id, due_at = self.stage.ids.agent(login), self.stage.now()
        self._ingest(DeadlineFell(agent_id, DeadlineKind.AGENT_LOST, agent_id, due_at))

    @rule()
    def the_router_works(self) -> None:
        self.stage.clock.advance(INSTANT)
        self.stage.route()
        self.stage.release()

    @rule(login=logins, status=st.sampled_from(AgentStatus), requeue=st.booleans())
    def an_agent_changes_status(self, login: str, status: AgentStatus, requeue: bool) -> None:
        self._try(lambda: self.stage.desk.change_status(AGENTS[login], login, status, requeue=requeue))

    @rule(login=logins, pick=picks)
    def an_agent_replies(self, login: str, pick: int) -> None:
        conversation = self._pick(Conversation, pick)
        if conversation:
            self._try(lambda: self.stage.desk.reply(AGENTS[login], conversation.id, "Hi", (), self._key()))

    @rule(login=logins, customer=customers, single=st.booleans())
    def an_agent_starts(self, login: str, customer: str, single: bool) -> None:
        start = Start(OURS, customer, "Hi", single)
        self._try(lambda: self.stage.desk.start(AGENTS[login], start, self._key()))

    @rule(pick=picks, to=st.sampled_from(["SUPPORT", "SALES"]))
    def a_conversation_goes_to_a_queue(self, pick: int, to: str) -> None:
        conversation = self._pick(Conversation, pick)
        if conversation:
            self._try(lambda: self.stage.desk.transfer_to_queue(ADMIN, conversation.id, to))

    @rule(pick=picks, to=logins)
    def a_conversation_goes_to_an_agent(self, pick: int, to: str) -> None:
        conversation = self._pick(Conversation, pick)
        if conversation:
            self._try(lambda: self.stage.desk.transfer_to_agent(ADMIN, conversation.id, to))

    @rule(pick=picks)
    def a_conversation_is_ended(self, pick: int) -> None:
        conversation = self._pick(Conversation, pick)
        if conversation:
            self._try(lambda: self.stage.desk.end(ADMIN, conversation.id, None))

    @rule(pick=picks)
    def a_conversation_is_dismissed(self, pick: int) -> None:
        conversation = self._pick(Conversation, pick)
        if conversation:
            self._try(lambda: self.stage.attention.dismiss(ADMIN, conversation.id))

    @rule(outcome=st.none() | st.sampled_from(Outcome))
    def the_dispatcher_works(self, outcome: Outcome | None) -> None:
        for message in self._all(Message):
            if message.may_go(self.stage.now()):
                attempt = self.stage.attempt(message.id)
                if outcome:
                    self._settle(message.id, outcome, attempt)

    @rule(pick=picks, outcome=st.sampled_from(Outcome), attempt=st.integers(1, 3))
    def an_outcome_comes(self, pick: int, outcome: Outcome, attempt: int) -> None:
        message = self._pick(Message, pick, lambda each: each.attempt > 0)
        if message:
            self._settle(message.id, outcome, attempt)

    def _settle(self, message_id: UUID, outcome: Outcome, attempt: int) -> None:
        named = f"{message_id}/{attempt}" if outcome is Outcome.ACCEPTED else None
        self.stage.clock.advance(INSTANT)
        self.stage.settled(message_id, outcome, attempt, provider_message_id=named)

    @rule(pick=picks, status=st.sampled_from(ReceiptStatus), attempt=st.integers(1, 3), early=st.booleans())
    def a_receipt_comes(self, pick: int, status: ReceiptStatus, attempt: int, early: bool) -> None:
        message = self._pick(Message, pick, lambda each: each.attempt > 0)
        if message:
            known = message.id if early else None
            self.stage.receipt(status, provider_message_id=f"{message.id}/{attempt}", message_id=known)

    @rule(pick=picks, resolution=st.sampled_from(Resolution))
    def a_doubt_is_resolved(self, pick: int, resolution: Resolution) -> None:
        message = self._pick(Message, pick, lambda each: each.status is MessageStatus.IN_DOUBT)
        if message:
            self._try(lambda: self.stage.attention.resolve(ADMIN, message.id, resolution, "because"))

    @rule(customer=customers, really=st.sampled_from([False, False, False, True]))
    def a_customer_is_forgotten(self, customer: str, really: bool) -> None:
        if really:
            self._try(lambda: self.stage.catalogue.forget(ADMIN, customer))

    @rule(customer=customers, really=st.sampled_from([False, False, False, True]))
    def a_customer_is_forgotten_meanwhile(self, customer: str, really: bool) -> None:
        if really:
            self.stage.forget_meanwhile(customer)

    # ── what must hold ─────────────────────────────────────────────────────────────────────────

    @invariant()
    def a_thread_has_one_open_conversation_at_most(self) -> None:
        found = Counter(each.thread_id for each in self._all(Conversation) if each.is_open)
        assert set(found.values()) <= {1}
        known = {each.id for each in self._all(Thread) if each.open_conversation}
        assert known == set(found)

    @invariant()
    def agents_have_no_more_than_their_room_but_what_they_started(self) -> None:
        started = {
            event.originator_id
            for event in self._events()
            if isinstance(event, Conversation.Assigned) and event.reason is AssignmentReason.STARTED
        }
        for agent in self._all(Agent):
            assert len(set(agent.in_hand)) == len(agent.in_hand)
            assert len(set(agent.in_hand) - started) <= agent.settings.room

    @invariant()
    def who_has_a_conversation_and_what_an_agent_has_agree(self) -> None:
        held = {(each.login, conversation) for each in self._all(Agent) for conversation in each.in_hand}
        for conversation in self._all(Conversation):
            holders = {login for login, held_id in held if held_id == conversation.id}
            if conversation.is_open:
                assigned = conversation.state is State.ASSIGNED
                assert holders == ({conversation.agent} if assigned else set())

    @invariant()
    def the_capacity_counts_the_open_conversations(self) -> None:
        open_now = {each.id for each in self._all(Conversation) if each.is_open and each.terms.counted}
        assert {each for capacity in self._all(Capacity) for each in capacity.open} == open_now

    @invariant()
    def statuses_never_go_back(self) -> None:
        for message in self._all(Message):
            before = self.statuses.get(message.id)
            self.statuses[message.id] = message.status
            if before in FINAL:
                # What was given up may turn out to have gone after all, when an attempt had been made.
                assert message.status is before or rank(message.status)
            elif before:
                assert rank(message.status) >= rank(before)

    @invariant()
    def after_an_opt_out_nothing_goes_but_its_confirmation(self) -> None:
        out: set[UUID] = set()
        confirmed, confirmations = 0, 0
        # Of what is decided at one moment only the result is known: texts of one batch are in one.
        for _, moment in groupby(self._events(), lambda each: each.timestamp):
            now = list(moment)
            into = {each.originator_id for each in now if isinstance(each, Consent.OptedIn)}
            silent = out - into
            for event in now:
                if isinstance(event, Message.Requested):
                    confirmations += event.exempt
                    assert event.exempt or event.consent_id not in silent
                elif isinstance(event, Consent.OptedIn):
                    out.discard(event.originator_id)
                elif isinstance(event, Consent.Created | Consent.OptedOut):
                    confirmed += event.source == "text"
                    out.add(event.originator_id)
        assert confirmations <= confirmed

    @invariant()
    def automatic_texts_are_capped_per_thread_and_hour(self) -> None:
        sent: dict[UUID, list[datetime]] = {}
        for event in self._events():
            if not isinstance(event, Message.Requested) or event.suppressed or event.exempt:
                continue
            if event.sender is Sender.SYSTEM:
                recent = [at for at in sent.get(event.thread_id, []) if at > event.timestamp - HOUR]
                sent[event.thread_id] = [*recent, event.timestamp]
                assert len(recent) < AUTOMATIC_TEXTS_AN_HOUR

    @invariant()
    def missed_and_refused_ones_are_on_their_threads_lists(self) -> None:
        listed = {each for thread in self._all(Thread) for each in thread.unanswered}
        assert listed == {each.id for each in self._all(Conversation) if each.needs_follow_up}

    # ── shared ─────────────────────────────────────────────────────────────────────────────────

    def _ingest(self, *facts: Fact) -> None:
        self.stage.clock.advance(INSTANT)
        self.facts += facts
        self.stage.ingest(*facts)

    def _try(self, act: Callable[[], object]) -> None:
        self.stage.clock.advance(INSTANT)
        with suppress(Refused):
            act()

    def _key(self) -> str:
        self.keys += 1
        return str(self.keys)

    def _events(self) -> Iterator[AggregateEvent]:
        return (each.event for each in self.stage.store.read(0, self.stage.store.head()))

    def _all(self, kind: type[A]) -> list[A]:
        ids = dict.fromkeys(each.originator_id for each in self._events())
        loaded = self.stage.store.load(ids)
        return [each for each in loaded.values() if isinstance(each, kind)]

    def _pick(self, kind: type[A], pick: int, fits: Callable[[A], bool] = lambda _: True) -> A | None:
        """One of the newest that fit."""
        found = [each for each in self._all(kind) if fits(each)]
        return found[-1 - (pick % min(len(found), 4))] if found else None


TestEverything = Everything.TestCase
TestEverything.settings = settings(
    max_examples=30, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
