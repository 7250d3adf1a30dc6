"""Conversations that agents start: rule 10."""

import pytest

from domain.agents import Agent, AgentStatus
from domain.commands import Actor
from domain.connections import ConnectionSettings
from domain.conversations import AssignmentReason, Conversation, EndOutcome, EndReason, Origin, State
from domain.desk import Start
from domain.errors import Clash, Forbidden, Invalid
from domain.mapping_settings import Route, Status
from domain.message_values import Disposition, Purpose
from domain.messages import Message
from domain.threads import Thread
from domain.values import DeliveryProvider
from tests.domain.given import ADMIN, ANA, BEN, CUSTOMER, MINUTE, OTHER, OURS, OURS_TOO, Stage, one, then

MACHINE = Actor("key-1", frozenset({"agent"}))


@pytest.fixture
def ready(stage: Stage) -> Stage:
    """Ana is offline, which does not keep her from starting conversations."""
    stage.agent("ana", room=1, status=AgentStatus.OFFLINE)
    return stage


# ── a full conversation ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", list(AgentStatus))
def test_an_agent_starts_a_conversation_in_any_status(ready: Stage, status: AgentStatus) -> None:
    ready.desk.change_status(ANA, "ana", status, requeue=False)
    events = ready.when(ready.start)
    then(
        events,
        Thread.Created,
        Thread.ConversationStarted,
        Conversation.Created,
        Conversation.Assigned,
        Conversation.AgentWrote,
        Agent.Assigned,
        Message.Requested,
    )
    assert one(events, Conversation.Created).origin is Origin.AGENT
    assert one(events, Conversation.Assigned).reason is AssignmentReason.STARTED
    assert one(events, Message.Requested).text == "Hello from us"
    conversation = ready.conversation()
    assert (conversation.state, conversation.agent) == (State.ASSIGNED, "ana")
    assert ready.agent_now().in_hand == (conversation.id,)


def test_an_agent_may_start_more_than_there_is_room_for(ready: Stage) -> None:
    ready.start(customer=CUSTOMER, key="1")
    ready.start(customer=OTHER, key="2")
    assert len(ready.agent_now().in_hand) == 2


def test_a_customers_answer_joins_it(ready: Stage) -> None:
    ready.start()
    then(ready.text(), Message.Received, Conversation.CustomerWrote)


def test_an_idle_one_is_handled_not_missed(ready: Stage) -> None:
    ready.start()
    ready.clock.advance(10 * MINUTE)
    assert one(ready.idle(), Conversation.Ended).outcome is EndOutcome.HANDLED


# ── a single message ───────────────────────────────────────────────────────────────────────────────


def test_a_single_message_ends_at_once_and_says_nothing_else(ready: Stage) -> None:
    events = ready.when(lambda: ready.start(single=True))
    then(
        events,
        Thread.Created,
        Conversation.Created,
        Conversation.AgentWrote,
        Conversation.Ended,
        Message.Requested,
    )
    ended = one(events, Conversation.Ended)
    assert (ended.reason, ended.outcome) == (EndReason.SINGLE, EndOutcome.SINGLE)
    assert one(events, Message.Requested).purpose is Purpose.REPLY
    ready.clock.advance(10 * MINUTE)
    then(ready.idle())


def test_a_reply_to_a_single_message_starts_a_new_conversation(ready: Stage) -> None:
    single = ready.start(single=True).conversation_id
    received = one(ready.text(), Message.Received)
    assert received.disposition is Disposition.STARTED
    assert received.conversation_id != single
    assert ready.conversation().origin is Origin.CUSTOMER


def test_who_is_no_agent_can_only_send_single_messages(ready: Stage) -> None:
    with pytest.raises(Forbidden, match="send a single message instead"):
        ready.start(MACHINE)
    ready.start(MACHINE, single=True)
    ready.catalogue.remove_agent(ADMIN, "ana")
    with pytest.raises(Forbidden):
        ready.start(customer=OTHER)


# ── an open conversation ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("single", [True, False])
def test_with_a_conversation_open_the_answer_is_who_holds_it(ready: Stage, single: bool) -> None:
    ready.text()
    with pytest.raises(Clash, match="queue SUPPORT has it") as caught:
        ready.start(single=single)
    assert caught.value.field == "customer"
    ready.agent("ben")
    ready.route()
    with pytest.raises(Clash, match="ben has it"):
        ready.start(single=single)


def test_a_number_that_amazon_delivers_is_refused_with_the_reason(ready: Stage) -> None:
    to_amazon(ready)
    with pytest.raises(Clash, match="delivered by Amazon Connect") as caught:
        ready.start()
    assert caught.value.field == "our_address"


def test_a_conversation_in_amazon_connect_is_held_there(ready: Stage) -> None:
    to_amazon(ready)
    ready.text()
    back = (Route(OURS, "Support", "SUPPORT"),)
    ready.change(delivery_provider=DeliveryProvider.SYMBEE, connection=None, routes=back)
    with pytest.raises(Clash, match="Amazon Connect has it"):
        ready.start()


def to_amazon(stage: Stage) -> None:
    stage.catalogue.put_connection(ADMIN, "AWS", ConnectionSettings("AWS", "us-east-1"), new=True)
    route = Route(OURS, "Support", contact_flow="flow")
    stage.change(delivery_provider=DeliveryProvider.AMAZON, connection="AWS", routes=(route,))


# ── idempotency keys ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("single", [True, False])
def test_the_same_key_again_starts_nothing_more(ready: Stage, single: bool) -> None:
    first = ready.start(single=single)
    then(ready.when(lambda: ready.start(single=single)))
    assert ready.start(single=single) == first
    assert ready.start(single=single, customer="(415) 555-0123") == first


def test_the_same_key_for_another_customer_is_refused(ready: Stage) -> None:
    ready.start(single=True)
    for change in ({"customer": OTHER}, {"text": "Something else"}):
        with pytest.raises(Clash, match="Idempotency-Key"):
            ready.start(single=True, **change)  # type: ignore[arg-type]  # only texts among them
    with pytest.raises(Clash, match="Idempotency-Key"):
        ready.desk.start(ANA, Start(OURS_TOO, CUSTOMER, "Hello from us", single=True), "k1")


def test_equal_keys_of_two_agents_are_two_messages(ready: Stage) -> None:
    ready.agent("ben")
    assert ready.start(single=True) != ready.start(BEN, single=True)


# ── the fields ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("typed", ["+1 415 555 0123", "(415) 555-0123", "415.555.0123", "\u200e+14155550123"])
def test_the_customer_is_read_with_the_mappings_country(ready: Stage, typed: str) -> None:
    ready.start(customer=typed)
    assert ready.conversation().customer_address == CUSTOMER


@pytest.mark.parametrize("typed", ["", "12", "nobody", "12345", "+1", "x" * 100])
def test_a_customer_is_a_phone_number(ready: Stage, typed: str) -> None:
    with pytest.raises(Invalid, match="phone number") as caught:
        ready.start(customer=typed)
    assert [error.field for error in caught.value.errors] == ["customer"]


def test_the_origin_is_a_number_of_ours(ready: Stage) -> None:
    with pytest.raises(Invalid, match=f"our_address: no mapping has the number \\{OURS_TOO}"):
        ready.desk.start(ANA, Start(OURS_TOO, CUSTOMER, "Hi", single=True), "k")
    ready.administration.delete(ADMIN, "TW", None)
    with pytest.raises(Invalid, match="no mapping has the number"):
        ready.start()


@pytest.mark.parametrize("status", [Status.PAUSED, Status.DRAFT])
def test_an_inactive_mapping_starts_nothing(ready: Stage, status: Status) -> None:
    ready.change(status=status)
    with pytest.raises(Clash, match=f"mapping TW is {status}"):
        ready.start()


def test_a_start_needs_words(ready: Stage) -> None:
    with pytest.raises(Invalid, match="text: write something"):
        ready.start(text=" ")
