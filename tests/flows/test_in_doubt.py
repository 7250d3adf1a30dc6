"""In doubt: what becomes of a send when nobody knows whether it went (rule 6)."""

import pytest

from contracts.far_end import Fault
from tests.flows.stage import CUSTOMER, OTHER_CUSTOMER, Agent, Json, Stage

UNANSWERED = Fault.RESET_AFTER  # Twilio has it, and its answer is lost
NEVER_TAKEN = Fault.FAILED  # Twilio has not got it, which its HTTP 500 does not say


def in_doubt(stage: Stage, ana: Agent, fault: Fault, text: str = "Your code is 4711") -> Json:
    """A reply that has fallen in doubt."""
    if not stage.conversations():
        stage.text(CUSTOMER, "Hello")
    stage.twilio.fail_next(fault)
    reply = stage.message(ana.reply(stage.conversation(), text))
    assert (reply["status"], reply["attempts"][-1]["outcome"]) == ("in_doubt", "in_doubt")
    return reply


@pytest.mark.parametrize("fault", [Fault.RESET_AFTER, Fault.GARBAGE, Fault.UNAVAILABLE, Fault.FAILED])
def test_what_is_in_doubt_is_never_sent_again_by_itself(stage: Stage, ana: Agent, fault: Fault) -> None:
    in_doubt(stage, ana, fault)
    sent = len(stage.ledger())
    stage.pass_minutes(30)
    assert len(stage.ledger()) == sent


def test_it_waits_visibly(stage: Stage, ana: Agent) -> None:
    reply = in_doubt(stage, ana, NEVER_TAKEN)
    stage.pass_minutes(9)
    assert stage.message(reply)["status"] == "in_doubt"
    for who in (ana, stage.admin):
        assert [each["id"] for each in who.get("/in-doubt")["items"]] == [reply["id"]]


def test_it_holds_nothing_else_back(stage: Stage, ana: Agent) -> None:
    in_doubt(stage, ana, NEVER_TAKEN)
    ana.reply(stage.conversation(), "And the door is open")
    assert stage.ledger() == ["And the door is open"]


def test_resolved_by_resending_it_goes_once_more(stage: Stage, ana: Agent) -> None:
    reply = in_doubt(stage, ana, NEVER_TAKEN)
    stage.pass_minutes(1)
    ana.resolve(reply, "resend", why="the customer says nothing came")
    assert stage.ledger() == ["Your code is 4711"]
    told = stage.message(reply)
    assert [each["outcome"] for each in told["attempts"]] == ["in_doubt", "accepted"]
    assert (told["status"], told["resolved_by"], told["resolved_why"]) == (
        "accepted",
        "ana",
        "the customer says nothing came",
    )


def test_resolved_as_sent_nothing_more_goes(stage: Stage, ana: Agent) -> None:
    reply = in_doubt(stage, ana, NEVER_TAKEN)
    ana.resolve(reply, "sent")
    stage.pass_minutes(5)
    assert (stage.message(reply)["status"], stage.ledger()) == ("sent", [])


def test_resolved_by_dropping_nothing_more_goes(stage: Stage, ana: Agent) -> None:
    reply = in_doubt(stage, ana, NEVER_TAKEN)
    ana.resolve(reply, "drop")
    stage.pass_minutes(5)
    assert (stage.message(reply)["status"], stage.ledger()) == ("dropped", [])


def test_a_decision_is_made_once_and_by_those_concerned(stage: Stage, ana: Agent) -> None:
    reply = in_doubt(stage, ana, NEVER_TAKEN)
    stage.agent("ben").resolve(reply, "drop", expect=403)
    ana.resolve(reply, "drop")
    ana.resolve(reply, "resend", expect=409)
    assert stage.ledger() == []


def test_to_who_has_opted_out_meanwhile_nothing_is_resent(stage: Stage, ana: Agent) -> None:
    reply = in_doubt(stage, ana, NEVER_TAKEN)
    stage.text(CUSTOMER, "STOP")
    ana.resolve(reply, "resend", expect=409)
    assert stage.ledger() == []


def test_the_providers_records_settle_it(stage: Stage, ana: Agent) -> None:
    reply = in_doubt(stage, ana, UNANSWERED)
    stage.pass_seconds(3)
    told = stage.message(reply)
    assert (told["status"], told["attempts"][0]["reconciled"]) == ("accepted", True)
    assert told["attempts"][0]["provider_message_id"] == stage.sid("Your code is 4711")
    assert ana.get("/in-doubt")["items"] == []
    stage.receipt(stage.sid("Your code is 4711"), "delivered")
    assert stage.message(reply)["status"] == "delivered"
    assert stage.ledger() == ["Your code is 4711"]


def test_records_that_lag_are_looked_up_again(stage: Stage, ana: Agent) -> None:
    reply = in_doubt(stage, ana, UNANSWERED)
    stage.twilio.fail_next(Fault.UNAVAILABLE)
    stage.pass_seconds(3)
    assert stage.message(reply)["status"] == "in_doubt"
    stage.pass_seconds(17)
    assert stage.message(reply)["status"] == "accepted"


def test_a_late_status_callback_settles_it(stage: Stage, ana: Agent) -> None:
    reply = in_doubt(stage, ana, UNANSWERED)
    stage.receipt(stage.sid("Your code is 4711"), "sent")
    told = stage.message(reply)
    assert (told["status"], told["attempts"][0]["reconciled"]) == ("sent", True)
    stage.pass_minutes(5)
    assert stage.ledger() == ["Your code is 4711"]


@pytest.mark.parametrize("many", [2, 5])
def test_equal_texts_in_doubt_are_found_each_as_its_own(stage: Stage, ana: Agent, many: int) -> None:
    replies = [in_doubt(stage, ana, UNANSWERED, "Hello?") for _ in range(many)]
    stage.pass_seconds(3, every=1)
    attempts = [stage.message(each)["attempts"][0] for each in replies]
    # As they were sent: the first in doubt is the oldest of the provider's records.
    assert [each["provider_message_id"] for each in attempts] == [
        each["sid"] for each in stage.twilio.accepted
    ]
    assert {stage.message(each)["status"] for each in replies} == {"accepted"}


def test_of_two_equal_texts_in_doubt_one_was_never_taken(stage: Stage, ana: Agent) -> None:
    replies = [in_doubt(stage, ana, fault, "Hello?") for fault in (UNANSWERED, NEVER_TAKEN)]
    stage.pass_seconds(200, every=1)
    assert sorted(stage.message(each)["status"] for each in replies) == ["accepted", "in_doubt"]


def test_an_equal_text_that_went_well_is_not_taken_for_the_one_in_doubt(stage: Stage, ana: Agent) -> None:
    doubtful = in_doubt(stage, ana, NEVER_TAKEN, "Hello?")
    fine = ana.reply(stage.conversation(), "Hello?")
    stage.pass_seconds(200, every=1)
    assert stage.message(doubtful)["status"] == "in_doubt"
    assert stage.message(fine)["attempts"][0]["provider_message_id"] == stage.sid("Hello?")


def test_an_equal_text_to_somebody_else_is_not_taken_for_it(stage: Stage, ana: Agent) -> None:
    doubtful = in_doubt(stage, ana, NEVER_TAKEN, "Hello?")
    stage.text(OTHER_CUSTOMER, "Hi")
    ana.reply(stage.conversation(OTHER_CUSTOMER), "Hello?")
    stage.pass_seconds(200, every=5)
    assert stage.message(doubtful)["status"] == "in_doubt"


def test_a_record_that_a_callback_has_settled_is_not_taken_for_another(stage: Stage, ana: Agent) -> None:
    settled = in_doubt(stage, ana, UNANSWERED, "Hello?")
    doubtful = in_doubt(stage, ana, NEVER_TAKEN, "Hello?")
    stage.receipt(stage.sid("Hello?"), "delivered")
    stage.pass_seconds(200, every=1)
    assert [stage.message(each)["status"] for each in (settled, doubtful)] == ["delivered", "in_doubt"]


def test_an_automatic_text_in_doubt_waits_for_nobody(stage: Stage, ana: Agent) -> None:
    stage.modify(chat_control={"idle_timeout_message": "Closed."})
    stage.text(CUSTOMER, "Hello")
    stage.pass_minutes(9)
    stage.twilio.fail_next(NEVER_TAKEN)
    stage.pass_minutes(1)
    assert stage.notices()[-1] == ("idle_timeout", "in_doubt")
    stage.pass_minutes(3)
    assert stage.notices()[-1] == ("idle_timeout", "dropped")
    assert stage.ledger() == []
