"""Receipts: early, late, twice, contradicting, unmatched (rule 5)."""

from uuid import UUID

import pytest

from contracts.far_end import Fault
from domain.facts import Outcome, SendSettled
from tests.fakes.twilio_state import ACCOUNT_SID
from tests.flows.stage import CUSTOMER, PUBLIC_URL, SUPPORT, Agent, Json, Stage, ingest_all, thread_of


@pytest.fixture
def reply(stage: Stage, ana: Agent) -> Json:
    stage.text(CUSTOMER, "Hello")
    return ana.reply(stage.conversation(), "Hi!")


def receipts(stage: Stage, message: Json) -> list[str]:
    return [each["provider_status"] for each in stage.message(message)["receipts"]]


def without_attempt(stage: Stage, sid: str, status: str) -> None:
    """A receipt that came by the URL set in Twilio's console, which names no attempt of ours."""
    url = f"{PUBLIC_URL}/ingress/rest/TW/status"
    answer, _ = stage.twilio.send(url, stage.twilio.receipt_form(sid, status))
    assert answer == 200


def test_a_receipt_that_comes_before_the_answer_is_kept(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Hello")
    stage.twilio.at_once = ("sent", "delivered")
    reply = ana.reply(stage.conversation(), "Hi!")
    assert stage.message(reply)["status"] == "delivered"
    assert receipts(stage, reply) == ["sent", "delivered"]
    assert [each["outcome"] for each in stage.message(reply)["attempts"]] == ["accepted"]


@pytest.mark.parametrize("ingested_first", [True, False])
def test_an_early_receipt_that_names_no_attempt_waits_for_the_answer(
    stage: Stage, ana: Agent, monkeypatch: pytest.MonkeyPatch, ingested_first: bool
) -> None:
    stage.text(CUSTOMER, "Hello")

    def report_before_the_answer(sid: str) -> None:
        without_attempt(stage, sid, "delivered")
        if ingested_first:
            ingest_all(stage)

    monkeypatch.setattr(stage.twilio, "accepted_one", report_before_the_answer)
    reply = ana.reply(stage.conversation(), "Hi!")
    assert stage.message(reply)["status"] == "delivered"
    assert receipts(stage, reply) == ["delivered"]


def test_a_receipt_that_waited_for_longer_than_facts_are_kept_does_no_harm(stage: Stage, ana: Agent) -> None:
    sid = "SM" + "a" * 32
    form = {"MessageSid": sid, "MessageStatus": "sent", "AccountSid": ACCOUNT_SID}
    assert stage.twilio.send(f"{PUBLIC_URL}/ingress/rest/TW/status", form)[0] == 200
    stage.settle()
    stage.pass_seconds(9 * 24 * 3600, every=12 * 3600)
    stage.text(CUSTOMER, "Hello")
    stage.twilio.fail_next(Fault.FAILED)
    reply = ana.reply(stage.conversation(), "Hi!")
    line = stage.platform.sender.line(SUPPORT, stage.platform.ids.mapping("TW"))
    found = SendSettled(
        key=thread_of(stage),
        message_id=UUID(reply["id"]),
        attempt=1,
        outcome=Outcome.ACCEPTED,
        scope=line.scope,
        provider_message_id=sid,
        error_code=None,
        detail="",
        retry_at=None,
        reconciled=True,
    )
    stage.platform.ingress.accept([found])
    stage.settle()
    assert stage.message(reply)["status"] == "accepted"
    assert stage.platform.parking.parked() == []


def test_a_receipt_days_later_is_taken(stage: Stage, ana: Agent, reply: Json) -> None:
    stage.pass_seconds(2 * 24 * 3600, every=3600)
    stage.receipt(stage.sid("Hi!"), "delivered")
    assert stage.message(reply)["status"] == "delivered"


def test_a_receipt_without_the_attempt_is_matched_by_the_providers_id(
    stage: Stage, ana: Agent, reply: Json
) -> None:
    without_attempt(stage, stage.sid("Hi!"), "delivered")
    stage.settle()
    assert stage.message(reply)["status"] == "delivered"


def test_a_repeated_receipt_counts_once(stage: Stage, ana: Agent, reply: Json) -> None:
    stage.receipt(stage.sid("Hi!"), "sent", copies=3)
    stage.receipt(stage.sid("Hi!"), "sent")
    assert receipts(stage, reply) == ["sent"]


def test_receipts_out_of_order_are_all_kept_and_the_status_never_goes_back(
    stage: Stage, ana: Agent, reply: Json
) -> None:
    for status in ("delivered", "sent", "queued"):
        stage.receipt(stage.sid("Hi!"), status)
    assert stage.message(reply)["status"] == "delivered"
    assert receipts(stage, reply) == ["delivered", "sent", "queued"]


@pytest.mark.parametrize(("first", "second"), [("delivered", "undelivered"), ("undelivered", "delivered")])
def test_of_contradicting_receipts_the_first_stands_and_both_are_kept(
    stage: Stage, ana: Agent, reply: Json, first: str, second: str
) -> None:
    stage.receipt(stage.sid("Hi!"), first)
    stage.receipt(stage.sid("Hi!"), second)
    assert stage.message(reply)["status"] == first
    assert receipts(stage, reply) == [first, second]


def test_why_it_was_not_delivered_is_told(stage: Stage, ana: Agent, reply: Json) -> None:
    stage.receipt(stage.sid("Hi!"), "undelivered", error_code=30003)
    told = stage.message(reply)
    assert (told["status"], told["error_code"]) == ("undelivered", "30003")
    assert told["receipts"][0]["error_code"] == "30003"


def test_a_receipt_that_matches_nothing_waits_and_expires_visibly(
    stage: Stage, ana: Agent, reply: Json
) -> None:
    unknown = "SM" + "f" * 32
    stage.twilio.messages[unknown] = stage.twilio.messages[stage.sid("Hi!")] | {"sid": unknown}
    without_attempt(stage, unknown, "delivered")
    stage.settle()
    now = stage.clock.now
    assert stage.message(reply)["status"] == "accepted"
    assert stage.platform.parking.expired_receipts(now()) == []
    assert stage.platform.parking.parked() == []
    stage.pass_seconds(3 * 24 * 3600, every=6 * 3600)
    assert len(stage.platform.parking.expired_receipts(now())) == 1


def test_a_receipt_of_an_ended_conversation_is_taken(stage: Stage, ana: Agent, reply: Json) -> None:
    ana.end(stage.conversation())
    stage.receipt(stage.sid("Hi!"), "delivered")
    assert stage.message(reply)["status"] == "delivered"
