"""Texts by SMPP: what customers, agents and admins see of a number at an SMSC."""

from typing import Any

import pytest

from adapters.smpp.pdu import Command
from contracts.providers import wait_until
from tests.fakes.smsc import Method, ReceiptForm, Smsc
from tests.fakes.smsc_faults import ReceiptBeforeResponse, Throttled
from tests.flows.smpp_line import CODE, OURS, Line
from tests.flows.stage import CUSTOMER, OTHER_CUSTOMER, Agent, Json, Stage

LONG = "Ça va ✓ 👩‍👩‍👧 where is my order? " * 12
"""In many parts either way, with characters that a cut may go through."""

# ── a conversation ─────────────────────────────────────────────────────────────────────────────


def test_a_customer_texts_an_agent_replies_and_it_is_delivered(line: Line, ana: Agent) -> None:
    line.text("Is it open?")
    assert ana.hand() == [CUSTOMER]
    assert line.stage.conversation()["display_name"] == "Text line"
    reply = ana.reply(line.stage.conversation(), "From nine, {€5} a seat")
    assert line.stage.message(reply)["status"] == "accepted"
    assert line.ledger() == ["From nine, {€5} a seat"]
    [taken] = line.smsc.taken
    line.receipt(taken, "ENROUTE")
    line.receipt(taken)
    line.receipt(taken, "ENROUTE")
    told = line.stage.message(reply)
    assert told["status"] == "delivered"
    assert [each["status"] for each in told["receipts"]] == [
        "sent",
        "delivered",
    ]  # told again, it is the same
    assert line.stage.said() == [("customer", "Is it open?"), ("agent", "From nine, {€5} a seat")]


def test_an_agent_starts_a_conversation(line: Line, ana: Agent) -> None:
    ana.start(CUSTOMER, "Your order is here 👍🏽", origin="Text line")
    assert line.ledger() == ["Your order is here 👍🏽"]
    [taken] = line.smsc.taken
    assert (taken.source, taken.destination) == ("15005550030", "12025550123")
    line.receipt(taken)
    line.text("Great 😀", coding=8)
    assert line.stage.said() == [("agent", "Your order is here 👍🏽"), ("customer", "Great 😀")]
    assert len(line.stage.conversations()) == 1


def test_a_receipt_says_what_went_wrong(line: Line, ana: Agent) -> None:
    started = ana.start(CUSTOMER, "Hello?", origin="Text line")
    line.receipt(line.smsc.taken[0], "UNDELIV", error="017")
    told = line.stage.message(started["message"])
    assert (told["status"], told["receipts"][-1]["error_code"]) == ("undelivered", "17")


def test_a_receipt_may_come_before_the_answer(line: Line, ana: Agent) -> None:
    line.smsc.receipts = ReceiptForm.TEXT
    line.smsc.misbehave(ReceiptBeforeResponse())
    started = ana.start(CUSTOMER, "Hello", origin="Text line")
    line.taken_in(*line.smsc.deliveries)
    assert line.stage.message(started["message"])["status"] == "delivered"


def test_ids_in_hexadecimal_and_receipts_in_decimal(stage: Stage, smsc: Smsc, ana: Agent) -> None:
    smsc.message_id, smsc.receipt_id = lambda number: f"{number + 0xABC:08X}", lambda told: str(int(told, 16))
    line = Line(stage, smsc)
    line.add(options={"message_ids": "hex_then_decimal"})
    started = ana.start(CUSTOMER, "Hello", origin="Text line")
    line.receipt(smsc.taken[0])
    assert stage.message(started["message"])["status"] == "delivered"


@pytest.mark.parametrize("method", Method)
def test_a_long_text_goes_out_whole_and_its_last_part_stands_for_it(
    stage: Stage, smsc: Smsc, ana: Agent, method: Method
) -> None:
    line = Line(stage, smsc)
    line.add(options={"long_messages": method, "segments_per_second": 100})
    started = ana.start(CUSTOMER, LONG, origin="Text line")
    assert line.ledger() == [LONG]
    asked = [each for each in smsc.taken if each.pdu.fields["registered_delivery"]]
    assert asked == [smsc.taken[-1]]
    line.receipt(smsc.taken[-1])
    assert stage.message(started["message"])["status"] == "delivered"


@pytest.mark.parametrize("method", Method)
def test_a_long_text_comes_in_as_one_in_whatever_order(line: Line, ana: Agent, method: Method) -> None:
    parts = 1 if method is Method.PAYLOAD else len(LONG.encode("utf-16-be")) // 132 + 1
    backwards = list(range(parts, 0, -1))
    line.long_text(LONG, method=method, order=backwards[1:], reference=200)
    assert line.stage.conversations() == []
    line.long_text(LONG, method=method, order=backwards[:1], reference=200)
    assert line.stage.said() == [("customer", LONG)]


def test_a_part_that_never_comes_is_not_waited_for_for_ever(line: Line, ana: Agent) -> None:
    line.long_text("a" * 66 + "b" * 66 + "c" * 66, order=[3, 1])
    line.stage.pass_minutes(9)
    assert line.stage.conversations() == []
    line.stage.pass_minutes(2)
    assert line.stage.said() == [("customer", "a" * 66 + "[…]" + "c" * 66)]
    assert ana.hand() == [CUSTOMER]


# ── what is not a conversation ─────────────────────────────────────────────────────────────────


def test_a_text_to_a_number_that_no_route_has_is_kept_and_can_be_routed(line: Line, ana: Agent) -> None:
    line.text("Is anybody there?", to="+15005550031")
    (unrouted,) = line.stage.admin.get("/unrouted")["items"]
    assert (unrouted["text"], "+15005550031" in unrouted["reason"]) == ("Is anybody there?", True)
    routes = line.document()["routes"]
    second = {"address": "+15005550031", "display_name": "Second", "skill_queue": "SUPPORT"}
    line.stage.modify(CODE, routes=[*routes, second])
    line.stage.admin.post(f"/unrouted/{unrouted['id']}/route", expect=200)
    line.bound()
    ana.reply(line.stage.conversation(), "Yes!")
    assert [each.source for each in line.smsc.taken] == ["15005550031"]


def test_stop_is_honoured_and_confirmed_for_no_smsc_does_so(line: Line, ana: Agent) -> None:
    line.text("STOP")
    [confirmed] = line.ledger()
    assert "unsubscribed" in confirmed
    ana.start(CUSTOMER, "Hello?", expect=409, origin="Text line")
    line.text("START")
    assert "resubscribed" in line.ledger()[-1]
    ana.start(CUSTOMER, "Hello!", origin="Text line")
    assert line.ledger()[-1] == "Hello!"


def test_a_binary_message_is_shown_as_such(line: Line, ana: Agent) -> None:
    line.text(b"\x00\x01\x02", coding=4)
    assert line.stage.said() == [("customer", "[binary message, 3 octets]")]


# ── throttling ─────────────────────────────────────────────────────────────────────────────────


def test_what_the_smsc_has_no_room_for_goes_a_little_later(line: Line, ana: Agent) -> None:
    line.smsc.misbehave(Throttled(2))
    started = ana.start(CUSTOMER, "Hello", origin="Text line")
    assert line.stage.message(started["message"])["status"] == "postponed"
    line.stage.pass_seconds(10, every=1)
    told = line.stage.message(started["message"])
    assert [each["outcome"] for each in told["attempts"]] == ["postponed", "postponed", "accepted"]
    assert told["attempts"][0]["error_code"] == "0x00000058"
    assert line.ledger() == ["Hello"]


def test_the_rate_is_what_the_screen_shows_by_default(stage: Stage, smsc: Smsc, ana: Agent) -> None:
    line = Line(stage, smsc)
    line.add(options={})
    ana.start(CUSTOMER, "0", origin="Text line")
    for number in range(1, 12):
        ana.reply(stage.conversation(), str(number))
    assert len(line.ledger()) == 10
    stage.pass_seconds(1)
    assert len(line.ledger()) == 12


# ── the mapping, as an admin sees it ───────────────────────────────────────────────────────────


def full(line: Line) -> Json:
    """Every field of the SMPP screen."""
    return line.document(
        description="Support by our carrier",
        default_country="UK",
        delivery_provider="symbee",
        chat_control={
            "suppress_system_messages": True,
            "idle_timeout_minutes": 60,
            "idle_timeout_message": "Nobody wrote.",
            "max_chats": 20,
            "max_chats_message": "All busy.",
        },
        options={
            "system_type": "CMT",
            "bind_mode": "transmitter_and_receiver",
            "binds": 2,
            "tls": False,
            "window": 5,
            "segments_per_second": 12.5,
            "default_alphabet": "latin-1",
            "long_messages": "sar",
            "message_ids": "decimal_then_hex",
            "source_ton": 5,
            "source_npi": 0,
            "destination_ton": 2,
            "destination_npi": 1,
            "service_type": "CMT",
            "receipts": False,
            "validity": False,
            "enquire_link_seconds": 15.5,
            "response_seconds": 2,
        },
        routes=[
            {"address": f"+447700900{number}", "display_name": f"Line {number}", "skill_queue": "SUPPORT"}
            for number in range(800, 815)
        ],
    )


def test_every_field_of_the_screen_is_kept_and_shown(stage: Stage, smsc: Smsc, ana: Agent) -> None:
    line = Line(stage, smsc)
    document = full(line)
    answer = stage.admin.post("/mappings", document, expect=201)
    told = document | {"default_country": "GB", "password": {"set": True}}
    told["chat_control"] = answer["chat_control"] | document["chat_control"]
    assert answer == told | {"version": 1}
    assert stage.admin.get(f"/mappings/{CODE}") == answer
    line.bound()
    assert line.words == "; ".join(
        f"connection {number}: transmitter bound, receiver bound" for number in (0, 1)
    )
    assert {each.fields["system_type"] for each in smsc.received} == {"CMT"}
    ana.start("+447700900123", "Grüße", origin="Line 814")
    [pdu] = [each for each in smsc.received if each.command == Command.SUBMIT_SM]
    sent = {
        "service_type": "CMT",
        "source_addr_ton": 5,
        "source_addr_npi": 0,
        "source_addr": "447700900814",
        "dest_addr_ton": 2,
        "dest_addr_npi": 1,
        "registered_delivery": 0,
        "validity_period": "",
        "data_coding": 0,
        "short_message": "Grüße".encode("latin-1"),
    }
    assert {name: pdu.fields[name] for name in sent} == sent


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("code", {"code": "not a code"}),
    ("description", {"description": "x" * 201}),
    ("default_country", {"default_country": "XX"}),
    ("default_country", {"default_country": ""}),
    ("delivery_provider", {"delivery_provider": "pigeon"}),
    ("provider", {"provider": "twilio"}),
    ("credentials", {"credentials": {"user": "u"}}),
    ("host", {"host": None}),
    ("host", {"host": "smpp://smsc.example.com"}),
    ("host", {"host": "smsc.example.com:2775"}),
    ("port", {"port": None}),
    ("port", {"port": 0}),
    ("port", {"port": 65536}),
    ("port", {"port": "2775"}),
    ("user", {"user": None}),
    ("user", {"user": "sixteen letters!"}),
    ("password", {"password": None}),
    ("password", {"password": "nine char"}),
    ("password", {"password": "gefälscht"[:8]}),
    ("chat_control.idle_timeout_minutes", {"chat_control": {"idle_timeout_minutes": 61}}),
    ("chat_control.max_chats", {"chat_control": {"max_chats": 0}}),
    ("options.system_type", {"options": {"system_type": "x" * 13}}),
    ("options.service_type", {"options": {"service_type": "x" * 6}}),
    ("options.bind_mode", {"options": {"bind_mode": "receiver"}}),
    ("options.binds", {"options": {"binds": 11}}),
    ("options.tls", {"options": {"tls": "yes"}}),
    ("options.window", {"options": {"window": 0}}),
    ("options.segments_per_second", {"options": {"segments_per_second": 0}}),
    ("options.default_alphabet", {"options": {"default_alphabet": "ebcdic"}}),
    ("options.long_messages", {"options": {"long_messages": "cut"}}),
    ("options.message_ids", {"options": {"message_ids": "roman"}}),
    ("options.source_ton", {"options": {"source_ton": -2}}),
    ("options.destination_npi", {"options": {"destination_npi": 256}}),
    ("options.receipts", {"options": {"receipts": 1}}),
    ("options.enquire_link_seconds", {"options": {"enquire_link_seconds": 0.5}}),
    ("options.response_seconds", {"options": {"response_seconds": 21}}),
    ("options.colour", {"options": {"colour": "red"}}),
    ("routes", {"routes": []}),
    ("routes", {"routes": [{"address": f"+4477009008{n:02}", "skill_queue": "SUPPORT"} for n in range(16)]}),
    ("routes[0].address", {"routes": [{"address": "Not a number!", "skill_queue": "SUPPORT"}]}),
    ("routes[0].skill_queue", {"routes": [{"address": OURS, "display_name": "x", "skill_queue": "NO"}]}),
    (
        "routes[0].contact_flow",
        {"routes": [{"address": OURS, "skill_queue": "SUPPORT", "contact_flow": "f"}]},
    ),
]


def test_what_is_wrong_is_named(stage: Stage, smsc: Smsc) -> None:
    line = Line(stage, smsc)
    for field, wrong in WRONG:
        problem = stage.admin.post("/mappings", line.document(**wrong), expect=422)
        assert field in {each["field"] for each in problem["errors"]}, (wrong, problem)
        assert all(each["message"] for each in problem["errors"])


def test_an_admin_tries_it_out(line: Line) -> None:
    assert line.stage.admin.post(f"/mappings/{CODE}/test") == {"ok": True, "problems": []}


@pytest.mark.parametrize(
    ("field", "wrong"), [("password", {"password": "wrong"}), ("user", {"user": "nobody"})]
)
def test_trying_it_out_names_what_the_smsc_refuses(
    stage: Stage, smsc: Smsc, field: str, wrong: dict[str, str]
) -> None:
    stage.admin.post("/mappings", Line(stage, smsc).document(**wrong), expect=201)
    told = stage.admin.post(f"/mappings/{CODE}/test")
    assert (told["ok"], [each["field"] for each in told["problems"]]) == (False, [field])


# ── the mapping changes ────────────────────────────────────────────────────────────────────────


def test_new_credentials_bind_anew(line: Line, ana: Agent) -> None:
    line.smsc.password = "another"
    line.stage.modify(CODE, password="another")
    line.stands(2)
    assert line.smsc.received[1].command == Command.UNBIND
    ana.start(CUSTOMER, "Hello", origin="Text line")
    assert line.ledger() == ["Hello"]


def test_wrong_credentials_are_told_and_what_waits_goes_when_they_are_right(line: Line, ana: Agent) -> None:
    line.stage.modify(CODE, password="wrong")
    wait_until(lambda: "the SMSC refused the password" in line.words)
    started = ana.start(CUSTOMER, "Hello", origin="Text line")
    assert line.stage.message(started["message"])["status"] == "requested"
    line.stage.modify(CODE, password=line.smsc.password)
    line.bound()
    line.stage.pass_seconds(3, every=1)
    assert line.ledger() == ["Hello"]


def test_paused_it_stays_bound_and_finishes_what_is_open(line: Line, ana: Agent) -> None:
    line.text("Hello")
    line.stage.modify(CODE, status="paused")
    line.bound()
    assert line.smsc.connections == 1
    line.text("Too late", OTHER_CUSTOMER)
    assert line.stage.conversations(OTHER_CUSTOMER) == []
    line.text("Still mine")
    ana.reply(line.stage.conversation(), "Goodbye")
    assert line.ledger() == ["Goodbye"]


def test_a_draft_is_not_bound(line: Line) -> None:
    line.stage.modify(CODE, status="draft")
    line.smsc.wait_until(lambda: line.smsc.bound == 0)
    assert line.smsc.received[-1].command == Command.UNBIND
    line.stage.modify(CODE, status="active")
    line.bound()
    assert line.smsc.bound == 1


def test_deleted_it_is_unbound(line: Line, ana: Agent) -> None:
    ana.start(CUSTOMER, "Bye", origin="Text line", single=True)
    line.stage.admin.delete(f"/mappings/{CODE}", If_Match="*")
    line.smsc.wait_until(lambda: line.smsc.bound == 0)
    assert line.smsc.received[-1].command == Command.UNBIND
    assert line.words == ""


def test_at_the_end_it_unbinds_and_afterwards_binds_again(line: Line, ana: Agent) -> None:
    line.stage.restart()
    line.smsc.wait_until(lambda: line.smsc.bound == 0)
    assert line.smsc.received[-1].command == Command.UNBIND
    line.bound()
    line.text("Hello")
    assert line.stage.said() == [("customer", "Hello")]
