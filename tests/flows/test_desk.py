"""What agents do with conversations: transfer, start, log off, get lost (rules 9 and 10)."""

import pytest

from tests.flows.stage import CUSTOMER, OTHER_CUSTOMER, SALES, Agent, Json, Stage

# ── transfer ───────────────────────────────────────────────────────────────────────────────────


def test_a_transfer_to_a_queue_goes_to_somebody_there(stage: Stage, ana: Agent) -> None:
    sam = stage.agent("sam", skills=["SALES"])
    stage.text(CUSTOMER, "I want 200 more")
    ana.transfer(stage.conversation(), queue="SALES")
    assert (ana.hand(), sam.hand()) == ([], [CUSTOMER])
    ana.reply(stage.conversation(), "Not mine any more", expect=403)
    sam.reply(stage.conversation(), "Hello from sales")
    assert stage.ledger() == ["Hello from sales"]
    assert len(stage.conversations()) == 1


def test_a_transfer_to_an_agent_goes_to_that_one(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Hello")
    ben, cleo = stage.agent("ben"), stage.agent("cleo")
    ana.transfer(stage.conversation(), agent="cleo")
    assert (ana.hand(), ben.hand(), cleo.hand()) == ([], [], [CUSTOMER])


def test_a_full_agent_is_refused_with_the_reason(stage: Stage) -> None:
    ana = stage.agent("ana")
    stage.text(CUSTOMER, "Hello")
    stage.agent("ben", room=1)
    ana.becomes("away")
    stage.text(OTHER_CUSTOMER, "for ben")
    problem = ana.transfer(stage.conversation(), agent="ben", expect=409)
    assert problem["detail"] == "ben has no room: 1 of 1 in hand"
    assert problem["errors"][0]["field"] == "agent"
    assert ana.hand() == [CUSTOMER]


@pytest.mark.parametrize("status", ["offline", "away"])
def test_an_absent_agent_is_refused_with_the_reason(stage: Stage, ana: Agent, status: str) -> None:
    stage.text(CUSTOMER, "Hello")
    stage.agent("ben").becomes(status)
    assert ana.transfer(stage.conversation(), agent="ben", expect=409)["detail"] == f"ben is {status}"
    assert ana.hand() == [CUSTOMER]


def test_an_unknown_agent_or_queue_is_refused_naming_the_field(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Hello")
    for to in ({"agent": "nobody"}, {"queue": "NOWHERE"}):
        problem = ana.transfer(stage.conversation(), expect=422, **to)
        assert problem["errors"][0]["field"] == next(iter(to))
    assert ana.hand() == [CUSTOMER]


def test_what_is_over_cannot_be_transferred_answered_or_ended(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Hello")
    over = stage.conversation()
    ana.end(over)
    ana.transfer(over, queue="SALES", expect=409)
    ana.reply(over, "One more thing", expect=409)
    ana.end(over, expect=409)
    assert stage.ledger() == []


def test_an_admin_may_hand_what_waits_to_an_agent(stage: Stage) -> None:
    stage.text(CUSTOMER, "Hello")
    waiting = stage.conversation()
    sam = stage.agent("sam", skills=["SALES"])
    stage.admin.post(f"/conversations/{waiting['id']}/transfer", {"agent": "sam"}, expect=200)
    assert sam.hand() == [CUSTOMER]


# ── agent-started ──────────────────────────────────────────────────────────────────────────────


def test_a_single_message_ends_at_once_without_a_word(stage: Stage, ana: Agent) -> None:
    stage.modify(chat_control={"suppress_system_messages": False, "idle_timeout_message": "Closed."})
    started = ana.start(CUSTOMER, "Ready for pick-up", single=True)
    assert (started["conversation"]["state"], started["conversation"]["outcome"]) == ("ended", "single")
    stage.pass_minutes(61)
    assert stage.ledger() == ["Ready for pick-up"]
    assert ana.hand() == []


def test_a_reply_to_a_single_message_starts_a_new_conversation(stage: Stage, ana: Agent) -> None:
    ana.start(CUSTOMER, "Ready for pick-up", single=True)
    stage.text(CUSTOMER, "Thanks, until when?")
    newest, single = stage.conversations()
    assert (newest["origin"], newest["state"], single["origin"]) == ("customer", "assigned", "single")
    assert stage.said() == [("customer", "Thanks, until when?")]


def test_a_machine_may_send_a_single_message_and_hold_no_conversation(stage: Stage) -> None:
    for single, expect in ((True, 201), (False, 403)):
        document = {"origin": "Support", "customer": CUSTOMER, "text": "Ready", "single": single}
        stage.admin.post("/conversations", document, expect, Idempotency_Key=stage.new_key())
    assert stage.ledger() == ["Ready"]


def test_a_full_conversation_stays_with_who_started_it(stage: Stage, ana: Agent) -> None:
    stage.agent("ben")
    ana.start(CUSTOMER, "Hello, about your order")
    stage.text(CUSTOMER, "Yes?")
    assert ana.hand() == [CUSTOMER]
    assert stage.said() == [("agent", "Hello, about your order"), ("customer", "Yes?")]
    stage.pass_minutes(10)
    assert stage.conversation()["end_reason"] == "idle"


def test_one_starts_in_any_status_and_beyond_ones_room(stage: Stage) -> None:
    ana = stage.agent("ana", room=1)
    stage.text(CUSTOMER, "Hello")
    ana.start(OTHER_CUSTOMER, "Hello, about your order")
    assert ana.hand() == [CUSTOMER, OTHER_CUSTOMER]
    cleo = stage.agent("cleo")
    cleo.becomes("offline")
    cleo.start("+12025550125", "From home")
    assert stage.ledger() == ["Hello, about your order", "From home"]


def test_an_open_conversation_is_refused_naming_who_has_it(stage: Stage, ana: Agent) -> None:
    ben = stage.agent("ben", skills=[])
    stage.text(CUSTOMER, "Hello")
    for single in (True, False):
        problem = ben.start(CUSTOMER, "Hi from ben", expect=409, single=single)
        assert "ana has it" in problem["detail"]
    ana.transfer(stage.conversation(), queue="SALES")
    assert "queue SALES has it" in ben.start(CUSTOMER, "Hi from ben", expect=409)["detail"]
    assert stage.ledger() == []


def test_another_number_of_ours_is_another_thread(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Hello")
    ana.start(CUSTOMER, "From sales", origin="Sales")
    assert stage.twilio.accepted[-1]["from"] == SALES


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"customer": "not a number"}, "customer"),
        ({"customer": "555"}, "customer"),
        ({"text": "  "}, "text"),
        ({"text": "x" * 1601}, "text"),
        ({"origin": "Nowhere"}, "origin"),
        ({"our_address": "+15005550099"}, "our_address"),
    ],
)
def test_a_start_that_cannot_be_names_the_field(stage: Stage, ana: Agent, document: Json, field: str) -> None:
    more: Json = {"customer": CUSTOMER, "text": "Hello"} | document
    problem = ana.start(more.pop("customer"), more.pop("text"), expect=422, **more)
    assert [each["field"] for each in problem["errors"]] == [field]
    assert stage.ledger() == []


def test_a_number_is_read_as_in_the_mappings_country(stage: Stage, ana: Agent) -> None:
    ana.start("(202) 555-0123", "Hello")
    assert stage.twilio.accepted[-1]["to"] == CUSTOMER


def test_the_same_start_twice_is_one(stage: Stage, ana: Agent) -> None:
    first = ana.start(CUSTOMER, "Hello", key="once")
    again = ana.start(CUSTOMER, "Hello", key="once")
    assert again["conversation"]["id"] == first["conversation"]["id"]
    ana.start(OTHER_CUSTOMER, "Hello", key="once", expect=409)
    assert stage.ledger() == ["Hello"]


# ── coming and going ───────────────────────────────────────────────────────────────────────────


def test_logging_off_with_work_in_hand_is_refused_or_requeues_by_choice(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Hello")
    problem = ana.becomes("offline", expect=409)
    assert problem["errors"][0]["field"] == "status"
    stage.pass_minutes(1)
    ana.becomes("offline", requeue=True)
    waiting = stage.conversation()
    assert (waiting["state"], waiting["queue"], ana.hand()) == ("waiting", "SUPPORT", [])
    ben = stage.agent("ben")
    ben.reply(stage.conversation(), "Ben here")
    assert stage.ledger() == ["Ben here"]


def test_what_an_agent_left_goes_to_the_head_of_the_queue(stage: Stage) -> None:
    ana = stage.agent("ana", room=1)
    stage.text(CUSTOMER, "mine")
    stage.pass_minutes(1)
    stage.text(OTHER_CUSTOMER, "waits")
    ana.becomes("offline", requeue=True)
    assert stage.agent("ben", room=1).hand() == [CUSTOMER]


def test_an_agent_is_lost_a_minute_after_the_last_desk_went_away(stage: Stage) -> None:
    ana = stage.agent("ana", room=1)
    stage.text(CUSTOMER, "mine")
    stage.pass_seconds(30)
    stage.text(OTHER_CUSTOMER, "waits")
    with ana.at_desk(), ana.at_desk():
        pass
    stage.pass_seconds(59)
    assert ana.hand() == [CUSTOMER]
    stage.pass_seconds(1)
    assert ana.hand() == []
    assert stage.conversation()["state"] == "waiting"
    assert stage.admin.get("/agents/ana")["status"] == "offline"
    assert stage.agent("ben", room=1).hand() == [CUSTOMER]


def test_who_comes_back_in_time_keeps_the_work(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "mine")
    with ana.at_desk():
        pass
    stage.pass_seconds(50)
    with ana.at_desk():
        stage.pass_seconds(300)
        assert ana.hand() == [CUSTOMER]
    assert stage.admin.get("/agents/ana")["status"] == "available"


def test_the_stream_tells_the_desk_what_happens(stage: Stage, ana: Agent) -> None:
    with ana.at_desk() as stream:
        stage.text(CUSTOMER, "Hello at the desk")
        told = b""
        for chunk in stream.response:
            told += chunk if isinstance(chunk, bytes) else chunk.encode()
            if b"Hello at the desk" in told:
                break
    assert b"event: conversation" in told
