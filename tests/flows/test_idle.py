"""Idle timeout and missed conversations (rule 2)."""

from datetime import timedelta

from tests.flows.stage import CUSTOMER, Agent, Stage

SHORT = {"suppress_system_messages": False, "idle_timeout_message": "Closed: we did not hear from you."}


def test_ten_minutes_of_silence_end_a_conversation_with_its_message_and_no_ended_notice(
    stage: Stage, ana: Agent
) -> None:
    stage.modify(chat_control=SHORT | {"notices": {"agent_joined": ""}})
    stage.text(CUSTOMER, "Hello")
    ana.reply(stage.conversation(), "Hi!")
    stage.pass_seconds(599)
    assert stage.conversation()["state"] == "assigned"
    stage.pass_seconds(1)
    ended = stage.conversation()
    assert (ended["state"], ended["end_reason"], ended["outcome"]) == ("ended", "idle", "handled")
    assert stage.ledger(CUSTOMER) == ["Hi!", "Closed: we did not hear from you."]
    assert stage.notices() == [("idle_timeout", "accepted")]
    assert ana.hand() == []
    stage.pass_minutes(30)
    assert len(stage.ledger(CUSTOMER)) == 2


def test_a_blank_idle_message_sends_none(stage: Stage, ana: Agent) -> None:
    stage.modify(chat_control={"suppress_system_messages": False, "notices": {"agent_joined": ""}})
    stage.text(CUSTOMER, "Hello")
    stage.pass_minutes(11)
    assert stage.conversation()["end_reason"] == "idle"
    assert stage.ledger() == []


def test_suppressing_system_messages_does_not_withhold_the_idle_message(stage: Stage, ana: Agent) -> None:
    stage.modify(chat_control={"idle_timeout_message": "Closed."})
    stage.text(CUSTOMER, "Hello")
    stage.pass_minutes(11)
    assert stage.ledger() == ["Closed."]


def test_a_message_of_either_side_begins_the_time_anew(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Hello")
    stage.pass_minutes(9)
    ana.reply(stage.conversation(), "Hi!")
    stage.pass_minutes(9)
    stage.text(CUSTOMER, "Still here")
    stage.pass_minutes(9)
    assert stage.conversation()["state"] == "assigned"
    stage.pass_minutes(1)
    assert stage.conversation()["state"] == "ended"


def test_system_messages_do_not_count(stage: Stage) -> None:
    stage.modify(chat_control={"suppress_system_messages": False})
    stage.text(CUSTOMER, "Hello")
    stage.pass_minutes(9)
    stage.agent("ana")
    assert stage.ledger() == ["Ana has joined the conversation."]
    stage.pass_minutes(1)
    assert stage.conversation()["end_reason"] == "idle"


def test_a_text_accepted_but_not_yet_ingested_when_the_deadline_falls_due_comes_first(
    stage: Stage, ana: Agent
) -> None:
    stage.text(CUSTOMER, "Hello")
    stage.clock.move(timedelta(minutes=9, seconds=59))
    stage.text(CUSTOMER, "Just in time", settle=False)
    stage.clock.move(timedelta(minutes=1))
    assert stage.platform.timers().step()  # the deadline stands on the log now, behind the text
    stage.settle()
    assert stage.conversation()["state"] == "assigned"
    assert stage.said()[-1] == ("customer", "Just in time")
    stage.pass_seconds(539)
    assert stage.conversation()["state"] == "assigned"
    stage.pass_seconds(1)  # ten minutes after the second text
    assert stage.conversation()["state"] == "ended"
    assert len(stage.conversations()) == 1


def test_a_text_right_behind_the_deadline_starts_another_conversation(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Hello")
    stage.clock.move(timedelta(minutes=10))
    assert stage.platform.timers().step()
    stage.text(CUSTOMER, "A moment too late")
    newest, first = stage.conversations()
    assert (first["end_reason"], newest["state"]) == ("idle", "assigned")
    assert stage.said() == [("customer", "A moment too late")]


def test_an_end_happens_once_however_often_its_deadline_falls(stage: Stage, ana: Agent) -> None:
    stage.modify(chat_control={"idle_timeout_message": "Closed."})
    stage.text(CUSTOMER, "Hello")
    stage.clock.move(timedelta(minutes=10))
    for _ in range(3):  # three processes that each believe to be first
        assert stage.platform.timers().step()
    stage.settle()
    assert stage.ledger() == ["Closed."]


def test_what_no_agent_answered_is_missed_until_somebody_writes_back(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Is anybody there?")
    stage.pass_minutes(11)
    missed = stage.conversation()
    assert (missed["state"], missed["outcome"], missed["closed"]) == ("ended", "missed", False)
    assert [each["id"] for each in ana.get("/missed")["items"]] == [missed["id"]]
    ana.start(CUSTOMER, "Sorry, here we are.")
    assert ana.get("/missed")["items"] == []
    assert stage.conversations()[1]["followed_up_in"] == stage.conversation()["id"]
    assert stage.ledger() == ["Sorry, here we are."]


def test_a_missed_conversation_can_be_dismissed(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Is anybody there?")
    stage.pass_minutes(11)
    ana.post(f"/conversations/{stage.conversation()['id']}/dismiss", expect=200)
    dismissed = stage.conversation()
    assert (dismissed["closed"], dismissed["closed_by"]) == (True, "ana")
    assert ana.get("/missed")["items"] == []
    ana.post(f"/conversations/{dismissed['id']}/dismiss", expect=409)


def test_the_minutes_are_the_mappings(stage: Stage, ana: Agent) -> None:
    stage.modify(chat_control={"idle_timeout_minutes": 1})
    stage.text(CUSTOMER, "Hello")
    stage.pass_seconds(60)
    assert stage.conversation()["end_reason"] == "idle"
