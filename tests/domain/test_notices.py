"""System messages, and suppressing them: rule 4."""

import pytest

from domain.agents import AgentStatus
from domain.mapping_settings import ChatControl, Notice
from domain.message_values import NOTICE_TIME, MessageStatus, Purpose
from domain.notices import DEFAULTS, STATE_NOTICES, wording
from domain.threads import AUTOMATIC_TEXTS_AN_HOUR
from tests.domain.given import ANA, MINUTE, OTHER, Stage


def sitting(stage: Stage) -> list[Purpose]:
    """Everything that tells the customer something: joined, transferred, left, joined, ended."""
    stage.agent("ana", skills=("SUPPORT", "SALES"))
    stage.text()
    stage.route()
    stage.desk.transfer_to_queue(ANA, stage.conversation().id, "SALES")
    stage.clock.advance(61 * MINUTE)  # past the hour's cap, not what this is about
    stage.route()
    stage.desk.change_status(ANA, "ana", AgentStatus.OFFLINE, requeue=True)
    stage.desk.change_status(ANA, "ana", AgentStatus.AVAILABLE, requeue=False)
    stage.route()
    stage.desk.end(ANA, stage.conversation().id, None)
    return [each.purpose for each in stage.automatic()]


EXPECTED = [
    Purpose.AGENT_JOINED,
    Purpose.TRANSFERRED,
    Purpose.AGENT_JOINED,
    Purpose.AGENT_LEFT,
    Purpose.AGENT_JOINED,
    Purpose.ENDED,
]


def test_the_customer_is_told_of_the_conversations_state(stage: Stage) -> None:
    assert sitting(stage) == EXPECTED
    assert {each.status for each in stage.automatic()} == {MessageStatus.REQUESTED}
    assert stage.automatic()[0].text == "Ana has joined the conversation."
    assert stage.automatic()[-1].expires_at == stage.now() + NOTICE_TIME


def test_suppressed_they_are_recorded_and_never_sent(stage: Stage) -> None:
    stage.control(suppress_system_messages=True)
    assert sitting(stage) == EXPECTED
    assert {each.status for each in stage.automatic()} == {MessageStatus.SUPPRESSED}
    assert not any(each.may_go(stage.now()) for each in stage.automatic())
    assert stage.thread().automatic_texts == ()


def test_idle_and_maximum_messages_have_settings_of_their_own(stage: Stage) -> None:
    stage.control(suppress_system_messages=True, max_chats=1)
    stage.text()
    stage.text(customer=OTHER)
    stage.clock.advance(10 * MINUTE)
    stage.idle(stage.conversation().id)
    told = [(each.purpose, each.status) for each in stage.automatic()]
    assert told == [
        (Purpose.MAX_CHATS, MessageStatus.REQUESTED),
        (Purpose.IDLE_TIMEOUT, MessageStatus.REQUESTED),
    ]


def test_two_robots_cannot_loop(stage: Stage) -> None:
    for _ in range(AUTOMATIC_TEXTS_AN_HOUR + 2):
        stage.text()
        stage.clock.advance(10 * MINUTE)
        stage.idle()
    statuses = [each.status for each in stage.automatic()]
    assert statuses[: AUTOMATIC_TEXTS_AN_HOUR + 1] == [
        *[MessageStatus.REQUESTED] * AUTOMATIC_TEXTS_AN_HOUR,
        MessageStatus.SUPPRESSED,
    ]


def test_there_is_a_default_for_every_notice_and_a_setting_for_every_default() -> None:
    assert {each.value for each in DEFAULTS} == {each.value for each in Notice}
    assert set(DEFAULTS) > STATE_NOTICES


@pytest.mark.parametrize("purpose", list(DEFAULTS))
def test_each_may_be_worded_otherwise_or_left_out(purpose: Purpose) -> None:
    assert wording(purpose, ChatControl()) == DEFAULTS[purpose].replace("{agent}", "").strip()
    own = ChatControl(notices={purpose.value: " {agent} says hi "})
    assert wording(purpose, own, "Ana") == "Ana says hi"
    assert wording(purpose, ChatControl(notices={purpose.value: " "})) == ""


def test_an_override_is_used(stage: Stage) -> None:
    stage.control(notices={Notice.AGENT_JOINED: "{agent} is here", Notice.ENDED: ""})
    stage.agent("ana")
    stage.text()
    stage.route()
    stage.desk.end(ANA, stage.conversation().id, None)
    assert [each.text for each in stage.automatic()] == ["Ana is here"]
