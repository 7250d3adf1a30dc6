"""Maximum chats (rule 3)."""

from typing import Any

import pytest

from tests.flows.stage import CUSTOMER, OTHER_CUSTOMER, Agent, Stage

THIRD = "+12025550125"
ONE: dict[str, Any] = {"max_chats": 1, "max_chats_message": "We are busy. Try again later."}


@pytest.fixture(autouse=True)
def one_at_a_time(stage: Stage) -> None:
    stage.modify(chat_control=ONE)


def test_beyond_the_maximum_a_text_is_recorded_answered_and_not_queued(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "first")
    stage.text(OTHER_CUSTOMER, "second")
    refused = stage.conversation(OTHER_CUSTOMER)
    assert (refused["state"], refused["outcome"], refused["agent"]) == ("refused", "refused", None)
    assert stage.said(OTHER_CUSTOMER) == [("customer", "second")]
    assert stage.ledger() == ["We are busy. Try again later."]
    assert ana.hand() == [CUSTOMER]
    assert [each["id"] for each in ana.get("/missed")["items"]] == [refused["id"]]


def test_an_episode_is_told_once(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "first")
    for text in ("second", "hello?", "please"):
        stage.text(OTHER_CUSTOMER, text)
        stage.pass_minutes(2)
        stage.text(CUSTOMER, "still talking")
    assert stage.ledger(OTHER_CUSTOMER) == ["We are busy. Try again later."]
    assert len(stage.conversations(OTHER_CUSTOMER)) == 1
    assert [text for _, text in stage.said(OTHER_CUSTOMER)] == ["second", "hello?", "please"]


def test_when_there_is_room_again_the_refused_are_served(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "first")
    stage.text(OTHER_CUSTOMER, "second")
    ana.end(stage.conversation(CUSTOMER))
    stage.text(OTHER_CUSTOMER, "again")
    assert stage.conversation(OTHER_CUSTOMER)["state"] == "assigned"
    assert [each["state"] for each in stage.conversations(OTHER_CUSTOMER)] == ["assigned", "refused"]


def test_after_that_a_new_episode_is_told_again(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "first")
    stage.text(OTHER_CUSTOMER, "second")
    ana.end(stage.conversation(CUSTOMER))
    stage.text(OTHER_CUSTOMER, "again")
    ana.end(stage.conversation(OTHER_CUSTOMER))
    stage.text(CUSTOMER, "third")
    stage.text(OTHER_CUSTOMER, "fourth")
    assert stage.ledger(OTHER_CUSTOMER) == ["We are busy. Try again later."] * 2


def test_agents_own_conversations_count_but_are_never_refused(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "first")
    ana.start(OTHER_CUSTOMER, "Hello from us")
    assert stage.ledger() == ["Hello from us"]
    ana.end(stage.conversation(CUSTOMER))
    stage.text(THIRD, "is there room?")
    assert stage.conversation(THIRD)["state"] == "refused"
    ana.end(stage.conversation(OTHER_CUSTOMER))
    stage.text(THIRD, "and now?")
    assert stage.conversation(THIRD)["state"] == "assigned"


def test_single_messages_do_not_count(stage: Stage, ana: Agent) -> None:
    ana.start(OTHER_CUSTOMER, "Ready for pick-up", single=True)
    stage.text(CUSTOMER, "first")
    assert stage.conversation(CUSTOMER)["state"] == "assigned"


def test_a_blank_message_tells_nothing(stage: Stage, ana: Agent) -> None:
    stage.modify(chat_control={"max_chats_message": "  "})
    stage.text(CUSTOMER, "first")
    stage.text(OTHER_CUSTOMER, "second")
    assert stage.conversation(OTHER_CUSTOMER)["state"] == "refused"
    assert stage.ledger() == []


def test_an_idle_end_makes_room(stage: Stage) -> None:
    stage.text(CUSTOMER, "first")
    stage.pass_minutes(10)
    stage.text(OTHER_CUSTOMER, "second")
    assert stage.conversation(OTHER_CUSTOMER)["state"] == "waiting"


def test_many_at_once_never_exceed_the_maximum(stage: Stage) -> None:
    for number in range(10, 30):
        stage.text(f"+120255501{number}", "me first", settle=False)
    stage.settle()
    states = [stage.conversation(f"+120255501{number}")["state"] for number in range(10, 30)]
    assert (states.count("waiting"), states.count("refused")) == (1, 19)
