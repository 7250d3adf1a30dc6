"""Notices of a conversation's state, and their suppression (rule 4)."""

from tests.flows.stage import CUSTOMER, Agent, Stage


def test_by_default_the_customer_is_told_who_joins_transfers_and_ends(stage: Stage, ana: Agent) -> None:
    stage.modify(chat_control={"suppress_system_messages": False})
    stage.agent("sam", skills=["SALES"])
    stage.text(CUSTOMER, "Hello")
    ana.transfer(stage.conversation(), queue="SALES")
    stage.signed_in("sam").end(stage.conversation())
    assert stage.ledger() == [
        "Ana has joined the conversation.",
        "You are being transferred to a colleague.",
        "Sam has joined the conversation.",
        "This conversation has ended. Text us again at any time.",
    ]


def test_suppressed_notices_are_recorded_marked_and_not_sent(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Hello")
    ana.end(stage.conversation())
    assert stage.notices() == [("agent_joined", "suppressed"), ("ended", "suppressed")]
    stage.pass_minutes(10)
    assert stage.ledger() == []


def test_a_notice_can_have_a_text_of_ones_own_or_none(stage: Stage, ana: Agent) -> None:
    notices = {"agent_joined": "{agent} is with you now.", "ended": ""}
    stage.modify(chat_control={"suppress_system_messages": False, "notices": notices})
    stage.text(CUSTOMER, "Hello")
    ana.end(stage.conversation())
    assert stage.ledger() == ["Ana is with you now."]
    assert stage.notices() == [("agent_joined", "accepted")]


def test_two_robots_cannot_loop(stage: Stage, ana: Agent) -> None:
    stage.modify(chat_control={"suppress_system_messages": False, "notices": {"agent_joined": ""}})
    for _ in range(10):
        stage.text(CUSTOMER, "I am on holiday.")
        ana.end(stage.conversation())
        stage.pass_minutes(1)
    assert len(stage.ledger()) == 4
    stage.pass_minutes(60)
    stage.text(CUSTOMER, "I am back.")
    ana.end(stage.conversation())
    assert len(stage.ledger()) == 5


def test_an_agents_replies_are_not_capped(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Tell me everything")
    for number in range(10):
        ana.reply(stage.conversation(), f"part {number}")
    assert stage.ledger() == [f"part {number}" for number in range(10)]
