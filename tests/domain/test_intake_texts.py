"""What becomes of customers' texts: rules 1, 3 and 5, and what happens when a mapping changes meanwhile."""

from datetime import timedelta
from uuid import UUID

import pytest

from domain.capacity import Capacity
from domain.connections import ConnectionSettings
from domain.conversations import Conversation, EndOutcome, QueueReason, State
from domain.errors import Clash
from domain.mapping_settings import Route, Status
from domain.message_values import Disposition, MessageStatus, Purpose
from domain.messages import Message
from domain.texts import PREFERRED_AGENT_FOR
from domain.threads import REFUSAL_EPISODE, Thread
from domain.values import DeliveryProvider
from tests.domain.given import (
    ADMIN,
    ANA,
    CUSTOMER,
    MINUTE,
    OTHER,
    OURS,
    OURS_TOO,
    SCOPE,
    SECOND,
    Stage,
    one,
    then,
)

BEGINNING = (
    Message.Received,
    Thread.ConversationStarted,
    Conversation.Created,
    Conversation.CustomerWrote,
    Conversation.Queued,
)
ELSEWHERE = Route("+15005550009", "Elsewhere", "SUPPORT")


# ── rule 1: one open conversation a thread ─────────────────────────────────────────────────────────


def test_a_first_text_starts_a_conversation_that_waits_in_the_routes_queue(stage: Stage) -> None:
    events = stage.text("Hello")
    then(events, *BEGINNING, Thread.Created)
    received = one(events, Message.Received)
    assert (received.text, received.disposition) == ("Hello", Disposition.STARTED)
    queued = one(events, Conversation.Queued)
    assert (queued.queue, queued.reason, queued.ahead) == ("SUPPORT", QueueReason.NEW, False)
    conversation = stage.conversation()
    assert received.conversation_id == conversation.id == stage.thread().open_conversation
    assert (conversation.state, conversation.terms.mapping_version) == (State.WAITING, 1)


def test_the_next_text_joins_the_open_conversation(stage: Stage) -> None:
    stage.text()
    events = stage.text("Are you there?")
    then(events, Message.Received, Conversation.CustomerWrote)
    assert one(events, Message.Received).disposition is Disposition.JOINED
    assert one(events, Message.Received).conversation_id == stage.conversation().id


def test_two_texts_in_one_batch_share_a_conversation(stage: Stage) -> None:
    events = stage.ingest(stage.text_fact("one"), stage.text_fact("two"), stage.text_fact("x", OTHER))
    assert [type(each) for each in events].count(Conversation.Created) == 2
    assert one(stage.text("three"), Message.Received).disposition is Disposition.JOINED


def test_after_the_end_the_next_text_starts_another(stage: Stage) -> None:
    stage.text()
    first = stage.conversation().id
    stage.clock.advance(10 * MINUTE)
    stage.idle()
    then(stage.text(), *BEGINNING)
    assert stage.conversation().id != first


def test_customers_have_threads_of_their_own(stage: Stage) -> None:
    stage.text()
    then(stage.text(customer=OTHER), *BEGINNING, Thread.Created)


def test_amazon_conversations_are_not_queued(stage: Stage) -> None:
    stage.catalogue.put_connection(ADMIN, "AWS", ConnectionSettings("AWS", "us-east-1"), new=True)
    route = Route(OURS, "Support", contact_flow="flow")
    stage.change(delivery_provider=DeliveryProvider.AMAZON, connection="AWS", routes=(route,))
    events = stage.text()
    then(events, Thread.Created, *BEGINNING[:-1])
    terms = one(events, Conversation.Created).terms
    assert (terms.delivery_provider, terms.queue) == (DeliveryProvider.AMAZON, None)
    assert terms.contact_flow == "flow"
    assert stage.conversation().state is State.CONNECT


# ── the preferred agent ────────────────────────────────────────────────────────────────────────────


def served(stage: Stage) -> None:
    stage.agent("ana")
    stage.text()
    assert stage.route() == ["ana"]
    stage.reply()
    stage.desk.end(ANA, stage.conversation().id, None)


@pytest.mark.parametrize(
    ("later", "preferred"),
    [(timedelta(), "ana"), (PREFERRED_AGENT_FOR, "ana"), (PREFERRED_AGENT_FOR + SECOND, None)],
)
def test_the_last_agent_is_preferred_for_a_while(
    stage: Stage, later: timedelta, preferred: str | None
) -> None:
    served(stage)
    stage.clock.advance(later)
    assert one(stage.text(), Conversation.Queued).preferred_agent == preferred


def test_a_missed_conversation_does_not_renew_the_preference(stage: Stage) -> None:
    served(stage)
    stage.clock.advance(PREFERRED_AGENT_FOR - MINUTE)
    stage.text()
    stage.clock.advance(10 * MINUTE)
    stage.idle()
    assert one(stage.text(), Conversation.Queued).preferred_agent is None


# ── rule 5: the same fact, one event ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize("later", [timedelta(), timedelta(days=30)])
def test_the_same_text_again_changes_nothing(stage: Stage, later: timedelta) -> None:
    fact = stage.text_fact()
    stage.ingest(fact)
    stage.clock.advance(later)
    then(stage.ingest(fact))
    then(stage.ingest(fact, fact))


def test_the_same_text_twice_in_one_batch_is_one(stage: Stage) -> None:
    fact = stage.text_fact()
    then(stage.ingest(fact, fact), *BEGINNING, Thread.Created)


def test_a_repeat_after_the_end_starts_nothing(stage: Stage) -> None:
    fact = stage.text_fact()
    stage.ingest(fact)
    stage.clock.advance(10 * MINUTE)
    stage.idle()
    then(stage.ingest(fact))


def test_equal_words_under_another_id_are_another_text(stage: Stage) -> None:
    stage.text("ok")
    then(stage.text("ok"), Message.Received, Conversation.CustomerWrote)


def test_an_id_is_unique_within_its_scope_only(stage: Stage) -> None:
    stage.text(provider_message_id="1")
    then(
        stage.text(provider_message_id="1", scope=f"{SCOPE}/2"), Message.Received, Conversation.CustomerWrote
    )


def test_a_text_for_a_mapping_that_never_was_is_an_error(stage: Stage) -> None:
    with pytest.raises(LookupError, match="no mapping"):
        stage.text(mapping_id=UUID(int=1))


# ── rule 3: maximum chats ──────────────────────────────────────────────────────────────────────────


def full(stage: Stage) -> None:
    stage.control(max_chats=1)
    stage.text(customer=OTHER)


def test_a_mapping_without_a_cap_pays_nothing(stage: Stage) -> None:
    assert not [event for event in stage.text() if type(event) in (Capacity.Created, Capacity.Taken)]


def test_a_conversation_is_counted_from_start_to_end(stage: Stage) -> None:
    stage.control(max_chats=2)
    then(stage.text(), *BEGINNING, Thread.Created, Capacity.Created, Capacity.Taken)
    assert stage.capacity().open == {stage.conversation().id}
    stage.clock.advance(10 * MINUTE)
    stage.idle()
    assert stage.capacity().open == frozenset()


def test_at_the_cap_a_text_is_recorded_answered_and_not_queued(stage: Stage) -> None:
    full(stage)
    events = stage.text()
    then(
        events,
        Message.Received,
        Thread.Created,
        Conversation.Created,
        Conversation.CustomerWrote,
        Conversation.Refused,
        Thread.ConversationRefused,
        Message.Requested,
        Thread.AutomaticTextSent,
    )
    assert one(events, Message.Received).disposition is Disposition.REFUSED
    assert one(events, Conversation.Refused).open_conversations == 1
    told = one(events, Message.Requested)
    assert (told.purpose, told.text) == (Purpose.MAX_CHATS, "Too many just now")
    conversation = stage.conversation()
    assert (conversation.state, conversation.outcome) == (State.REFUSED, EndOutcome.REFUSED)
    assert conversation.needs_follow_up
    assert not conversation.is_open


def test_who_has_a_conversation_is_not_refused(stage: Stage) -> None:
    stage.control(max_chats=1)
    stage.text()
    then(stage.text(), Message.Received, Conversation.CustomerWrote)


def test_the_message_is_sent_once_an_episode(stage: Stage) -> None:
    full(stage)
    stage.text()
    refused = stage.conversation().id
    events = stage.text("Still there?")
    then(events, Message.Received, Conversation.CustomerWrote)
    assert one(events, Message.Received).conversation_id == refused
    stage.clock.advance(REFUSAL_EPISODE - SECOND)
    then(stage.text(), Message.Received, Conversation.CustomerWrote)
    stage.clock.advance(SECOND)
    assert one(stage.text(), Message.Requested).purpose is Purpose.MAX_CHATS


def test_a_dismissed_refusal_ends_the_episode(stage: Stage) -> None:
    full(stage)
    stage.text()
    stage.attention.dismiss(ANA, stage.conversation().id)
    assert one(stage.text(), Message.Requested).purpose is Purpose.MAX_CHATS


def test_when_there_is_room_again_the_refused_get_a_conversation(stage: Stage) -> None:
    full(stage)
    stage.text()
    stage.clock.advance(10 * MINUTE)
    stage.idle(stage.conversation(OTHER).id)
    then(stage.text(), *BEGINNING, Capacity.Taken)


def test_a_conversation_in_between_ends_the_episode(stage: Stage) -> None:
    full(stage)
    stage.text()
    stage.clock.advance(10 * MINUTE)
    stage.idle(stage.conversation(OTHER).id)
    stage.text()
    stage.clock.advance(10 * MINUTE)
    stage.idle()
    stage.text(customer=OTHER)
    assert one(stage.text(), Message.Requested).purpose is Purpose.MAX_CHATS


def test_a_blank_message_sends_none(stage: Stage) -> None:
    stage.control(max_chats=1, max_chats_message="  ")
    stage.text(customer=OTHER)
    stage.text()
    assert stage.conversation().state is State.REFUSED
    assert stage.automatic() == []


def test_agents_own_conversations_count_but_are_never_refused(stage: Stage) -> None:
    full(stage)
    stage.agent("ana")
    stage.start()
    assert len(stage.capacity().open) == 2
    assert stage.conversation().is_open


def test_a_single_message_takes_no_place(stage: Stage) -> None:
    stage.control(max_chats=1)
    stage.start(single=True)
    then(stage.text(customer=OTHER), *BEGINNING, Thread.Created, Capacity.Created, Capacity.Taken)


def test_a_conversation_that_was_counted_is_freed_when_the_cap_has_gone(stage: Stage) -> None:
    stage.control(max_chats=1)
    stage.text()
    stage.control(max_chats=None)
    stage.clock.advance(10 * MINUTE)
    stage.idle()
    assert stage.capacity().open == frozenset()


# ── when things change ─────────────────────────────────────────────────────────────────────────────


def test_an_open_conversation_keeps_the_rules_it_began_with(stage: Stage) -> None:
    stage.text()
    stage.control(idle_timeout_minutes=60, idle_timeout_message="changed")
    stage.clock.advance(10 * MINUTE)
    stage.idle()
    assert stage.automatic()[-1].text == "Bye for now"
    stage.text()
    assert stage.conversation().terms.chat_control.idle_timeout_minutes == 60


@pytest.mark.parametrize("status", [Status.PAUSED, Status.DRAFT])
def test_a_paused_mapping_finishes_the_open_and_takes_no_new_ones(stage: Stage, status: Status) -> None:
    stage.text()
    stage.change(status=status)
    then(stage.text(), Message.Received, Conversation.CustomerWrote)
    events = stage.text(customer=OTHER)
    then(events, Message.Received)
    received = one(events, Message.Received)
    assert (received.disposition, received.reason) == (Disposition.UNROUTED, f"mapping TW is {status}")


def test_a_text_to_a_number_without_a_route_is_kept(stage: Stage) -> None:
    events = stage.text(ours=OURS_TOO)
    then(events, Message.Received)
    received = one(events, Message.Received)
    assert received.conversation_id is None
    assert received.reason == f"mapping TW has no route with the address {OURS_TOO}"
    assert stage.message(received.originator_id).status is MessageStatus.UNROUTED
    then(stage.ingest(stage.text_fact(ours=OURS_TOO, provider_message_id="SM1")))


def test_a_text_after_the_deletion_of_its_mapping_is_kept(stage: Stage) -> None:
    stage.administration.delete(ADMIN, "TW", None)
    assert one(stage.text(), Message.Received).reason == "mapping TW has been deleted"


def unrouted(stage: Stage) -> UUID:
    stage.change(routes=(ELSEWHERE,))
    stream_id: UUID = one(stage.text("Hello"), Message.Received).originator_id
    return stream_id


def test_an_unrouted_text_is_replayed_after_the_fix(stage: Stage) -> None:
    message_id = unrouted(stage)
    stage.change(routes=(Route(OURS, "Support", "SALES"), ELSEWHERE))
    events = stage.when(lambda: stage.attention.route_again(ADMIN, message_id))
    then(events, *BEGINNING[1:], Message.Routed, Thread.Created)
    routed = one(events, Message.Routed)
    assert (routed.disposition, routed.by) == (Disposition.STARTED, "root")
    assert one(events, Conversation.Queued).queue == "SALES"
    assert stage.message(message_id).status is MessageStatus.RECEIVED
    assert stage.message(message_id).conversation_id == stage.conversation().id


def test_a_replay_joins_the_conversation_that_is_open_by_then(stage: Stage) -> None:
    message_id = unrouted(stage)
    stage.change(routes=(Route(OURS, "Support", "SUPPORT"), ELSEWHERE))
    stage.text()
    events = stage.when(lambda: stage.attention.route_again(ADMIN, message_id))
    then(events, Message.Routed, Conversation.CustomerWrote)


def test_a_replay_without_a_fix_is_refused_with_the_reason(stage: Stage) -> None:
    message_id = unrouted(stage)
    with pytest.raises(Clash, match=f"no mapping has the number \\{OURS} yet"):
        stage.attention.route_again(ADMIN, message_id)
    stage.change(routes=(Route(OURS, "Support", "SUPPORT"),), status=Status.PAUSED)
    with pytest.raises(Clash, match="mapping TW is paused"):
        stage.attention.route_again(ADMIN, message_id)


def test_a_text_is_replayed_once(stage: Stage) -> None:
    message_id = unrouted(stage)
    stage.change(routes=(Route(OURS, "Support", "SUPPORT"), ELSEWHERE))
    stage.attention.route_again(ADMIN, message_id)
    with pytest.raises(Clash, match="not unrouted"):
        stage.attention.route_again(ADMIN, message_id)


def test_a_text_of_a_customer_who_was_forgotten_is_not_replayed(stage: Stage) -> None:
    message_id = unrouted(stage)
    stage.change(routes=(Route(OURS, "Support", "SUPPORT"), ELSEWHERE))
    stage.catalogue.forget(ADMIN, CUSTOMER)
    with pytest.raises(Clash, match="has been forgotten"):
        stage.attention.route_again(ADMIN, message_id)
