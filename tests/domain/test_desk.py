"""What agents do with conversations: reply, transfer, end, dismiss, change status."""

from collections.abc import Callable
from uuid import UUID

import pytest

from domain.agents import Agent, AgentStatus
from domain.commands import Actor
from domain.conversations import (
    AssignmentReason,
    Conversation,
    EndOutcome,
    EndReason,
    QueueReason,
    State,
)
from domain.errors import Clash, Forbidden, Invalid, NotFound, Refused
from domain.message_values import REPLY_TIME, MessageStatus, Purpose, Sender
from domain.messages import Message
from domain.threads import Thread
from tests.domain.given import ADMIN, ANA, BEN, MINUTE, OTHER, Stage, one, then

NOTICE = (Message.Requested, Thread.AutomaticTextSent)
ELSEWHERE = UUID(int=1)


@pytest.fixture
def busy(stage: Stage) -> Stage:
    """Ana has one conversation in hand."""
    stage.agent("ana")
    stage.text()
    assert stage.route() == ["ana"]
    return stage


# ── reply ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_reply_is_requested_and_moves_the_conversation(busy: Stage) -> None:
    events = busy.when(lambda: busy.reply("How can I help?"))
    then(events, Message.Requested, Conversation.AgentWrote)
    asked = one(events, Message.Requested)
    assert (asked.text, asked.sender, asked.agent) == ("How can I help?", Sender.AGENT, "ana")
    assert (asked.purpose, asked.exempt, asked.suppressed) == (Purpose.REPLY, False, False)
    assert asked.expires_at == busy.now() + REPLY_TIME
    assert busy.message(asked.originator_id).status is MessageStatus.REQUESTED
    assert busy.conversation().answered


def test_the_same_key_again_sends_nothing_more(busy: Stage) -> None:
    first = busy.reply("Hi", key="k")
    then(busy.when(lambda: busy.reply("Hi", key="k")))
    assert busy.reply("Hi", key="k") == first
    assert busy.reply("Hi", key="another") != first


def test_the_same_key_after_the_end_still_answers_as_before(busy: Stage) -> None:
    conversation_id, first = busy.conversation().id, busy.reply("Hi")
    busy.desk.end(ANA, conversation_id, None)
    assert busy.desk.reply(ANA, conversation_id, "Hi", (), "k1").result == first


def test_a_key_belongs_to_whoever_used_it(busy: Stage) -> None:
    first = busy.reply("Hi", key="k")
    assert busy.reply("Hi", actor=ADMIN, key="k") != first


@pytest.mark.parametrize("change", ["text", "conversation", "media"])
def test_a_key_used_for_something_else_is_refused(busy: Stage, change: str) -> None:
    busy.text(customer=OTHER)
    busy.route()
    busy.reply("Hi")
    customer = {"conversation": OTHER}.get(change)
    conversation = busy.conversation(customer) if customer else busy.conversation()
    text, media = ("Ho" if change == "text" else "Hi"), ((ELSEWHERE,) if change == "media" else ())
    with pytest.raises(Clash, match="Idempotency-Key") as caught:
        busy.desk.reply(ANA, conversation.id, text, media, "k1")
    assert caught.value.field == "Idempotency-Key"


@pytest.mark.parametrize(("text", "message"), [(" ", "write something"), ("x" * 1601, "1600"), ("\0", "NUL")])
def test_a_reply_needs_words_within_bounds(busy: Stage, text: str, message: str) -> None:
    with pytest.raises(Invalid, match=message) as caught:
        busy.reply(text)
    assert [error.field for error in caught.value.errors] == ["text"]


def test_a_picture_needs_no_words(busy: Stage) -> None:
    message_id = busy.desk.reply(ANA, busy.conversation().id, "", (ELSEWHERE,), "k").result
    assert busy.message(message_id).media_ids == (ELSEWHERE,)


def test_only_who_has_it_replies(busy: Stage) -> None:
    busy.agent("ben")
    with pytest.raises(Forbidden):
        busy.reply(actor=BEN)
    busy.reply(actor=ADMIN)
    with pytest.raises(NotFound):
        busy.desk.reply(ANA, ELSEWHERE, "Hi", (), "k2")


def test_nobody_replies_after_the_end(busy: Stage) -> None:
    conversation_id = busy.conversation().id
    busy.clock.advance(10 * MINUTE)
    busy.idle()
    with pytest.raises(Clash, match="has ended"):
        busy.desk.reply(ANA, conversation_id, "Hi", (), "k")


# ── transfer ───────────────────────────────────────────────────────────────────────────────────────


def test_a_transfer_to_a_queue_waits_there_in_turn(busy: Stage) -> None:
    events = busy.when(lambda: busy.desk.transfer_to_queue(ANA, busy.conversation().id, "SALES"))
    then(events, Agent.Released, Conversation.Queued, *NOTICE)
    queued = one(events, Conversation.Queued)
    assert (queued.queue, queued.reason, queued.ahead, queued.by) == (
        "SALES",
        QueueReason.TRANSFER,
        False,
        "ana",
    )
    assert one(events, Message.Requested).purpose is Purpose.TRANSFERRED
    assert busy.route() == []  # nobody has the skill
    busy.agent("ben", skills=("SALES",))
    assert busy.route() == ["ben"]


@pytest.mark.parametrize("queue", ["NOPE", "OLD"])
def test_a_transfer_to_an_unknown_queue_is_refused(busy: Stage, queue: str) -> None:
    busy.catalogue.put_queue(ADMIN, "OLD", "Old", new=True)
    busy.catalogue.remove_queue(ADMIN, "OLD")
    with pytest.raises(Invalid, match=f"queue: there is no queue {queue}"):
        busy.desk.transfer_to_queue(ANA, busy.conversation().id, queue)
    assert busy.conversation().agent == "ana"


def test_a_transfer_to_an_agent_is_immediate(busy: Stage) -> None:
    busy.agent("ben", skills=())  # a person may hand over to whom the router would not
    events = busy.when(lambda: busy.desk.transfer_to_agent(ANA, busy.conversation().id, "ben"))
    then(events, Agent.Released, Agent.Assigned, Conversation.Assigned, *NOTICE)
    assigned = one(events, Conversation.Assigned)
    assert (assigned.agent, assigned.reason, assigned.by) == ("ben", AssignmentReason.TRANSFER, "ana")
    assert one(events, Message.Requested).text == "Ben has joined the conversation."
    assert (busy.agent_now("ana").in_hand, busy.agent_now("ben").in_hand) == ((), (busy.conversation().id,))


@pytest.mark.parametrize("status", [AgentStatus.AWAY, AgentStatus.OFFLINE])
def test_a_transfer_to_who_is_not_there_is_refused(busy: Stage, status: AgentStatus) -> None:
    busy.agent("ben", status=status)
    with pytest.raises(Clash, match=f"ben is {status}"):
        busy.desk.transfer_to_agent(ANA, busy.conversation().id, "ben")


def test_a_transfer_to_a_full_agent_is_refused(busy: Stage) -> None:
    busy.agent("ben", room=1)
    busy.text(customer=OTHER)
    busy.clock.advance(MINUTE)
    busy.desk.change_status(ANA, "ana", AgentStatus.AWAY, requeue=False)
    assert busy.route() == ["ben"]
    with pytest.raises(Clash, match="ben has no room: 1 of 1 in hand"):
        busy.desk.transfer_to_agent(ANA, busy.conversation().id, "ben")


def test_a_transfer_to_nobody_or_oneself_is_refused(busy: Stage) -> None:
    busy.agent("ben")
    busy.catalogue.remove_agent(ADMIN, "ben")
    for login in ("ben", "carl"):
        with pytest.raises(Invalid, match=f"agent: there is no agent {login}"):
            busy.desk.transfer_to_agent(ANA, busy.conversation().id, login)
    with pytest.raises(Clash, match="ana has the conversation already"):
        busy.desk.transfer_to_agent(ANA, busy.conversation().id, "ana")


def test_an_admin_may_hand_out_what_waits(stage: Stage) -> None:
    stage.agent("ben")
    stage.text()
    stage.desk.transfer_to_agent(ADMIN, stage.conversation().id, "ben")
    assert stage.conversation().agent == "ben"


# ── end and follow up ──────────────────────────────────────────────────────────────────────────────


def test_an_agent_ends_a_conversation_with_a_work_code(busy: Stage) -> None:
    busy.catalogue.put_work_code(ADMIN, "SOLVED", "Solved", new=True)
    busy.reply()
    events = busy.when(lambda: busy.desk.end(ANA, busy.conversation().id, "SOLVED"))
    then(events, Agent.Released, Conversation.Ended, Thread.ConversationEnded, *NOTICE)
    ended = one(events, Conversation.Ended)
    assert (ended.reason, ended.outcome, ended.by, ended.work_code) == (
        EndReason.AGENT,
        EndOutcome.HANDLED,
        "ana",
        "SOLVED",
    )
    assert one(events, Message.Requested).purpose is Purpose.ENDED


def test_whoever_ends_a_missed_one_by_hand_has_dealt_with_it(busy: Stage) -> None:
    events = busy.when(lambda: busy.desk.end(ANA, busy.conversation().id, None))
    then(
        events,
        Agent.Released,
        Conversation.Ended,
        Conversation.Dismissed,
        Thread.ConversationEnded,
        *NOTICE,
    )
    assert one(events, Conversation.Ended).outcome is EndOutcome.MISSED
    assert one(events, Conversation.Dismissed).by == "ana"
    assert not one(events, Thread.ConversationEnded).missed
    assert not busy.conversation().needs_follow_up
    assert busy.thread().unanswered == ()


def test_an_admin_may_end_what_waits_and_it_is_missed(stage: Stage) -> None:
    stage.text()
    events = stage.when(lambda: stage.desk.end(ADMIN, stage.conversation().id, None))
    assert one(events, Conversation.Ended).outcome is EndOutcome.MISSED
    assert one(events, Conversation.Dismissed).by == "root"


def test_what_is_ended_by_hand_leaves_what_was_missed_before_on_the_list(stage: Stage) -> None:
    first = missed(stage)
    stage.text()
    stage.desk.end(ADMIN, stage.conversation().id, None)
    assert stage.thread().unanswered == (first,)


def test_only_a_work_code_on_the_list_will_do(busy: Stage) -> None:
    busy.catalogue.put_work_code(ADMIN, "OLD", "Old", new=True)
    busy.catalogue.remove_work_code(ADMIN, "OLD")
    for code in ("OLD", "NOPE"):
        with pytest.raises(Invalid, match=f"work_code: there is no work code {code}"):
            busy.desk.end(ANA, busy.conversation().id, code)


def test_an_end_is_its_holders_and_happens_once(busy: Stage) -> None:
    conversation_id = busy.conversation().id
    busy.agent("ben")
    with pytest.raises(Forbidden):
        busy.desk.end(BEN, conversation_id, None)
    busy.desk.end(ANA, conversation_id, None)
    acts: list[Callable[[], object]] = [
        lambda: busy.desk.end(ANA, conversation_id, None),
        lambda: busy.desk.transfer_to_queue(ANA, conversation_id, "SALES"),
        lambda: busy.desk.transfer_to_agent(ANA, conversation_id, "ben"),
    ]
    for act in acts:
        with pytest.raises(Clash, match="has ended"):
            act()


def test_an_end_begins_the_wrap_up_which_a_transfer_does_not_shorten(stage: Stage) -> None:
    stage.agent("ana", wrap_up=60)
    stage.text()
    stage.text(customer=OTHER)
    stage.route()
    stage.desk.end(ANA, stage.conversation().id, None)
    stage.desk.transfer_to_queue(ANA, stage.conversation(OTHER).id, "SALES")
    assert stage.agent_now().why_busy(stage.now()) == "is wrapping up"
    stage.clock.advance(MINUTE)
    assert stage.agent_now().why_busy(stage.now()) is None


def test_a_wrap_up_may_be_cut_short(stage: Stage) -> None:
    stage.agent("ana", wrap_up=60)
    stage.text()
    stage.route()
    stage.desk.end(ANA, stage.conversation().id, None)
    then(stage.when(lambda: stage.desk.finish_wrap_up("ana")), Agent.WrapUpFinished)
    then(stage.when(lambda: stage.desk.finish_wrap_up("ana")))
    assert stage.agent_now().why_busy(stage.now()) is None


def missed(stage: Stage) -> UUID:
    stage.text()
    stage.clock.advance(10 * MINUTE)
    stage.idle()
    assert stage.conversation().needs_follow_up
    return stage.conversation().id


def test_a_missed_conversation_is_dismissed_once(stage: Stage) -> None:
    conversation_id = missed(stage)
    events = stage.when(lambda: stage.attention.dismiss(ANA, conversation_id))
    then(events, Conversation.Dismissed, Thread.FollowedUp)
    assert not stage.conversation().needs_follow_up
    with pytest.raises(Clash, match="not on the list"):
        stage.attention.dismiss(ANA, conversation_id)


def test_what_was_handled_is_not_on_the_list(busy: Stage) -> None:
    busy.desk.end(ANA, busy.conversation().id, None)
    with pytest.raises(Clash, match="not on the list"):
        busy.attention.dismiss(ANA, busy.conversation().id)
    with pytest.raises(NotFound):
        busy.attention.dismiss(ANA, ELSEWHERE)


@pytest.mark.parametrize("single", [True, False])
def test_writing_back_takes_all_that_was_missed_off_the_list(stage: Stage, single: bool) -> None:
    first, second = missed(stage), missed(stage)
    stage.agent("ana")
    events = stage.when(lambda: stage.start(single=single))
    assert {each.originator_id for each in events if isinstance(each, Conversation.FollowedUp)} == {
        first,
        second,
    }
    assert stage.thread().unanswered == ()
    assert not stage.get(Conversation, first).needs_follow_up


def test_a_reply_in_the_next_conversation_is_writing_back_too(stage: Stage) -> None:
    first = missed(stage)
    stage.agent("ana")
    stage.text()
    stage.route()
    assert stage.get(Conversation, first).needs_follow_up
    stage.reply()
    assert not stage.get(Conversation, first).needs_follow_up


# ── status ─────────────────────────────────────────────────────────────────────────────────────────


def test_logging_off_with_work_in_hand_is_refused(busy: Stage) -> None:
    with pytest.raises(Clash, match="has 1 conversation in hand"):
        busy.desk.change_status(ANA, "ana", AgentStatus.OFFLINE, requeue=False)
    busy.desk.change_status(ANA, "ana", AgentStatus.AWAY, requeue=False)
    assert busy.agent_now().in_hand != ()


def test_logging_off_with_requeue_puts_work_at_the_head(busy: Stage) -> None:
    off = busy.when(lambda: busy.desk.change_status(ANA, "ana", AgentStatus.OFFLINE, requeue=True))
    then(off, Agent.Released, Agent.StatusChanged, Conversation.Queued, *NOTICE)
    queued = one(off, Conversation.Queued)
    assert (queued.reason, queued.ahead, queued.by) == (QueueReason.AGENT_LEFT, True, "ana")
    assert one(off, Message.Requested).purpose is Purpose.AGENT_LEFT
    assert busy.conversation().state is State.WAITING


def test_a_status_is_ones_own_or_an_admins_affair(stage: Stage) -> None:
    stage.agent("ana")
    with pytest.raises(Forbidden):
        stage.desk.change_status(BEN, "ana", AgentStatus.AWAY, requeue=False)
    stage.desk.change_status(ADMIN, "ana", AgentStatus.AWAY, requeue=False)
    then(stage.when(lambda: stage.desk.change_status(ANA, "ana", AgentStatus.AWAY, requeue=False)))


def test_who_was_removed_cannot_come_to_work(stage: Stage) -> None:
    stage.agent("ana")
    stage.catalogue.remove_agent(ADMIN, "ana")
    acts: list[Callable[[], object]] = [
        lambda: stage.desk.change_status(ANA, "ana", AgentStatus.AVAILABLE, requeue=False),
        lambda: stage.desk.connect("ana"),
        lambda: stage.desk.connect("nobody"),
    ]
    for act in acts:
        with pytest.raises(NotFound, match="there is no agent"):
            act()


def test_a_desk_connects_and_disconnects_once(stage: Stage) -> None:
    stage.agent("ana")
    then(stage.when(lambda: stage.desk.disconnect("ana", MINUTE)))
    then(stage.when(lambda: stage.desk.connect("ana")), Agent.DeskConnected)
    then(stage.when(lambda: stage.desk.connect("ana")))
    then(stage.when(lambda: stage.desk.disconnect("ana", MINUTE)), Agent.DeskDisconnected)


def test_refusals_say_what_is_wrong(busy: Stage) -> None:
    with pytest.raises(Refused) as caught:
        busy.desk.transfer_to_queue(Actor("eve", frozenset({"agent"})), busy.conversation().id, "SALES")
    assert caught.value.message == "the conversation is not in your hands"
