"""Idle conversations and lost agents: rules 2 and 9."""

from datetime import timedelta
from uuid import UUID

import pytest

from domain.agents import Agent, AgentStatus
from domain.conversations import Conversation, EndOutcome, QueueReason, State
from domain.facts import DeadlineFell, DeadlineKind
from domain.message_values import Purpose
from domain.messages import Message
from domain.threads import Thread
from tests.domain.given import ANA, MINUTE, OTHER, SECOND, Stage, one, then

ENDING = (Conversation.Ended, Thread.ConversationEnded)
TEXT = (Message.Requested, Thread.AutomaticTextSent)
GRACE = timedelta(seconds=30)


# ── rule 2: idle timeout ───────────────────────────────────────────────────────────────────────────


def test_an_idle_conversation_ends_with_its_message_and_no_notice(stage: Stage) -> None:
    stage.text()
    stage.clock.advance(10 * MINUTE)
    events = stage.idle()
    then(events, *ENDING, *TEXT)
    asked = one(events, Message.Requested)
    assert (asked.purpose, asked.text) == (Purpose.IDLE_TIMEOUT, "Bye for now")
    assert stage.thread().open_conversation is None


def test_a_blank_idle_message_sends_none(stage: Stage) -> None:
    stage.control(idle_timeout_message="")
    stage.text()
    stage.clock.advance(10 * MINUTE)
    then(stage.idle(), *ENDING)


@pytest.mark.parametrize("minutes", [1, 10, 60])
def test_it_is_never_early(stage: Stage, minutes: int) -> None:
    stage.control(idle_timeout_minutes=minutes)
    stage.text()
    stage.clock.advance(minutes * MINUTE - timedelta(microseconds=1))
    then(stage.idle())
    stage.clock.advance(timedelta(microseconds=1))
    then(stage.idle(), *ENDING, *TEXT)


def test_it_may_be_late_and_happens_once(stage: Stage) -> None:
    stage.text()
    conversation_id = stage.conversation().id
    stage.clock.advance(timedelta(days=1))
    then(stage.idle(conversation_id), *ENDING, *TEXT)
    then(stage.idle(conversation_id))
    stage.text()
    then(stage.idle(conversation_id))


def test_a_text_from_either_side_moves_it(stage: Stage) -> None:
    stage.agent("ana")
    stage.text()
    stage.clock.advance(9 * MINUTE)
    stage.route()
    stage.text("Still here")
    stage.clock.advance(9 * MINUTE)
    then(stage.idle())
    stage.reply()
    stage.clock.advance(9 * MINUTE)
    then(stage.idle())
    stage.clock.advance(MINUTE)
    then(stage.idle(), *ENDING, *TEXT)


def test_texts_of_parleys_own_do_not_move_it(stage: Stage) -> None:
    stage.agent("ana")
    stage.text()
    stage.clock.advance(9 * MINUTE)
    stage.route()
    assert [each.purpose for each in stage.automatic()] == [Purpose.AGENT_JOINED]
    stage.clock.advance(MINUTE)
    then(stage.idle(), *ENDING, *TEXT)


def test_a_deadline_queues_behind_texts_accepted_before_it(stage: Stage) -> None:
    stage.text()
    conversation_id = stage.conversation().id
    stage.clock.advance(10 * MINUTE)
    fell = DeadlineFell(UUID(int=0), DeadlineKind.IDLE, conversation_id, stage.now())
    then(stage.ingest(stage.text_fact("wait!"), fell), Message.Received, Conversation.CustomerWrote)
    assert stage.conversation().is_open


def test_a_text_behind_the_deadline_starts_another(stage: Stage) -> None:
    stage.text()
    first = stage.conversation().id
    stage.clock.advance(10 * MINUTE)
    fell = DeadlineFell(UUID(int=0), DeadlineKind.IDLE, first, stage.now())
    stage.ingest(fell, stage.text_fact("too late"))
    assert not stage.get(Conversation, first).is_open
    assert stage.conversation().is_open


def test_a_deadline_of_nothing_changes_nothing(stage: Stage) -> None:
    for kind in DeadlineKind:
        then(stage.deadline(kind, UUID(int=1)))


def test_an_ended_conversation_leaves_the_agents_hands_by_the_router(stage: Stage) -> None:
    stage.agent("ana", wrap_up=60)
    stage.text()
    stage.route()
    stage.clock.advance(10 * MINUTE)
    stage.idle()
    assert stage.agent_now().in_hand == (stage.conversation().id,)
    stage.release()
    assert stage.agent_now().in_hand == ()
    assert stage.agent_now().why_busy(stage.now()) == "is wrapping up"
    then(stage.when(stage.release))


# ── missed ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_conversation_that_no_agent_answered_is_missed(stage: Stage) -> None:
    stage.agent("ana")
    stage.text()
    stage.route()
    stage.clock.advance(10 * MINUTE)
    assert one(stage.idle(), Conversation.Ended).outcome is EndOutcome.MISSED
    assert stage.conversation().needs_follow_up
    assert stage.thread().unanswered == (stage.conversation().id,)


def test_one_that_was_answered_is_handled(stage: Stage) -> None:
    stage.agent("ana")
    stage.text()
    stage.route()
    stage.reply()
    stage.clock.advance(10 * MINUTE)
    assert one(stage.idle(), Conversation.Ended).outcome is EndOutcome.HANDLED
    assert not stage.conversation().needs_follow_up


# ── rule 9: a lost agent ───────────────────────────────────────────────────────────────────────────


@pytest.fixture
def working(stage: Stage) -> Stage:
    """Ana's desk listens, and she has two conversations in hand."""
    stage.agent("ana")
    stage.desk.connect("ana")
    stage.text()
    stage.text(customer=OTHER)
    assert stage.route() == ["ana", "ana"]
    return stage


def test_after_the_grace_period_conversations_return_to_the_head(working: Stage) -> None:
    working.desk.disconnect("ana", GRACE)
    working.clock.advance(GRACE)
    events = working.lost()
    then(events, *[Agent.Released, Conversation.Queued] * 2, Agent.StatusChanged)
    for event in events:
        if isinstance(event, Conversation.Queued):
            assert (event.reason, event.ahead, event.queue) == (QueueReason.AGENT_LOST, True, "SUPPORT")
    agent = working.agent_now()
    assert (agent.status, agent.in_hand, agent.wrap_up_until) == (AgentStatus.OFFLINE, (), None)
    then(working.lost())


def test_an_agent_is_not_lost_within_the_grace_period(working: Stage) -> None:
    working.desk.disconnect("ana", GRACE)
    working.clock.advance(GRACE - SECOND)
    then(working.lost())


def test_who_returns_in_time_is_not_lost(working: Stage) -> None:
    working.desk.disconnect("ana", GRACE)
    working.desk.connect("ana")
    working.clock.advance(GRACE)
    then(working.lost())


def test_each_absence_has_a_grace_period_of_its_own(working: Stage) -> None:
    working.desk.disconnect("ana", GRACE)
    first = working.agent_now().lost_at
    working.clock.advance(GRACE - SECOND)
    working.desk.connect("ana")
    working.desk.disconnect("ana", GRACE)
    second = working.agent_now().lost_at
    agent_id = working.ids.agent("ana")
    # The first one's deadline comes late, even after the second has run out as well.
    for _ in range(2):
        working.clock.advance(GRACE)
        then(working.deadline(DeadlineKind.AGENT_LOST, agent_id, first))
    assert working.agent_now().in_hand != ()
    events = working.deadline(DeadlineKind.AGENT_LOST, agent_id, second)
    then(events, *[Agent.Released, Conversation.Queued] * 2, Agent.StatusChanged)


def test_what_has_ended_is_not_queued_again(working: Stage) -> None:
    ended = working.conversation().id
    working.clock.advance(10 * MINUTE)
    working.idle(ended)
    working.desk.disconnect("ana", timedelta())
    events = working.lost()
    assert sum(isinstance(event, Conversation.Queued) for event in events) == 1
    assert working.get(Conversation, ended).state is State.ENDED
    assert working.agent_now().in_hand == ()


def test_what_was_queued_again_goes_first(working: Stage) -> None:
    working.clock.advance(MINUTE)
    working.text(customer="+14155550199")
    working.clock.advance(MINUTE)
    working.desk.disconnect("ana", timedelta())
    working.lost()
    working.agent("ben", room=2)
    assert working.route() == ["ben", "ben"]
    assert working.conversation("+14155550199").state is State.WAITING
    with_ben = {working.conversation().agent, working.conversation(OTHER).agent}
    assert with_ben == {"ben"}
    assert ANA.login not in with_ben
