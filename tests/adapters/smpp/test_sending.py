"""Sending by SMPP: what goes out, and what comes of it."""

import time

import pytest

from adapters.smpp.carrier import SmppCarrier
from adapters.smpp.pdu import Command, Status, Tlv
from adapters.smpp.submission import relative_time
from contracts.providers import IDS, Inbox, wait_until
from domain.facts import Outcome, SendSettled
from domain.providers import Handover, Misconfigured, NotTaken, OptionValue, Rejected, SendError, Unknown
from tests.adapters.smpp.smpp_cases import (
    CUSTOMER,
    LONG,
    NUMBER,
    WIRE_CUSTOMER,
    WIRE_NUMBER,
    account,
    message,
    open_carrier,
)
from tests.fakes.smsc import Smsc
from tests.fakes.smsc_faults import (
    LateResponse,
    Refuses,
    ResetsAfterTaking,
    ResetsBeforeTaking,
    Silent,
    SilentAfterTaking,
    Throttled,
)


def submitted(smsc: Smsc) -> list[dict[str, str | int | bytes]]:
    return [dict(each.fields) for each in smsc.received if each.command == Command.SUBMIT_SM]


# ── what is sent ───────────────────────────────────────────────────────────────────────────────


def test_a_message_goes_out(smsc: Smsc, carrier: SmppCarrier) -> None:
    assert carrier.send(message(valid_for=90_061)) == Handover("1", 1)
    [taken] = smsc.taken
    assert (taken.source, taken.destination, taken.octets) == (
        WIRE_NUMBER,
        WIRE_CUSTOMER,
        b"We open at nine.",
    )
    [fields] = submitted(smsc)
    assert {name: fields[name] for name in fields if name.endswith(("ton", "npi"))} == {
        "source_addr_ton": 1,
        "source_addr_npi": 1,
        "dest_addr_ton": 1,
        "dest_addr_npi": 1,
    }
    assert (fields["registered_delivery"], fields["validity_period"]) == (1, "000001010101000R")


def test_options_shape_it(smsc: Smsc, inbox: Inbox) -> None:
    options: dict[str, OptionValue] = {
        "source_ton": 3,
        "source_npi": 0,
        "service_type": "CMT",
        "receipts": False,
        "validity": False,
    }
    carrier = open_carrier(account(smsc, **options))
    carrier.send(message(our_address="12345", customer_address="67890", valid_for=60))
    carrier.close()
    [fields] = submitted(smsc)
    assert fields == fields | {
        "source_addr_ton": 3,
        "source_addr_npi": 0,
        "dest_addr_ton": 0,
        "dest_addr_npi": 0,
        "service_type": "CMT",
        "registered_delivery": 0,
        "validity_period": "",
    }


def test_a_name_may_send(smsc: Smsc, carrier: SmppCarrier) -> None:
    carrier.send(message(our_address="My Shop"))
    [fields] = submitted(smsc)
    assert (fields["source_addr_ton"], fields["source_addr_npi"], fields["source_addr"]) == (5, 0, "My Shop")


def test_a_long_text_goes_in_parts_whose_last_one_stands_for_it(smsc: Smsc, carrier: SmppCarrier) -> None:
    first, second = carrier.send(message(LONG)), carrier.send(message(LONG))
    assert (first, second) == (Handover("3", 3), Handover("6", 3))
    headers = [each.octets[:6] for each in smsc.taken]
    assert [(header[:3], header[4:]) for header in headers] == [
        (bytes([5, 0, 3]), bytes([3, number])) for number in (1, 2, 3, 1, 2, 3)
    ]
    references = [header[3] for header in headers]
    assert references == [references[0]] * 3 + [(references[0] + 1) % 256] * 3
    assert [fields["registered_delivery"] for fields in submitted(smsc)] == [0, 0, 1, 0, 0, 1]


def test_a_long_text_may_go_as_one_payload(smsc: Smsc) -> None:
    carrier = open_carrier(account(smsc, long_messages="payload"))
    assert carrier.send(message("x" * 1600)).segments == 1
    carrier.close()
    assert [len(each.pdu.tlvs[Tlv.MESSAGE_PAYLOAD]) for each in smsc.taken] == [1600]


@pytest.mark.parametrize(
    ("format", "named", "known"),
    [
        ("same", "00A1f", "a1f"),
        ("hex_then_decimal", "39436567", "960718183"),
        ("decimal_then_hex", "15", "15"),
    ],
)
def test_ids_are_known_as_receipts_will_write_them(format: str, named: str, known: str) -> None:
    with Smsc(message_id=lambda _: named) as smsc:
        carrier = open_carrier(account(smsc, message_ids=format))
        assert carrier.send(message()).provider_message_id == known
        carrier.close()


def test_a_message_that_the_smsc_names_not_has_a_name_of_ours() -> None:
    with Smsc(message_id=lambda _: "") as smsc:
        carrier, sent = open_carrier(account(smsc)), message(attempt=3)
        assert carrier.send(sent).provider_message_id == f"{sent.message_id.hex}.3"
        carrier.close()


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "000000000001000R"),
        (59, "000000000059000R"),
        (3600, "000000010000000R"),
        (10**9, "000030000000000R"),
    ],
)
def test_relative_times(seconds: int, written: str) -> None:
    assert relative_time(seconds) == written


@pytest.mark.parametrize("to", ["My Shop", "", "whatsapp:+447700900123"])
def test_only_what_can_be_texted_is_texted(to: str, smsc: Smsc, carrier: SmppCarrier) -> None:
    with pytest.raises(Rejected):
        carrier.send(message(customer_address=to))
    assert smsc.taken == []


# ── what comes of it ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (Status.THROTTLED, NotTaken),
        (Status.QUEUE_FULL, NotTaken),
        (Status.SYSTEM_ERROR, NotTaken),
        (Status.SUBMIT_FAILED, NotTaken),
        (Status.TEMPORARY_APP_ERROR, NotTaken),
        (Status.INVALID_BIND, NotTaken),
        (Status.INVALID_SOURCE, Misconfigured),
        (Status.INVALID_DESTINATION, Rejected),
        (Status.PERMANENT_APP_ERROR, Rejected),
        (0x401, Rejected),
    ],
)
def test_what_a_refusal_means(status: int, kind: type[SendError], smsc: Smsc, carrier: SmppCarrier) -> None:
    smsc.misbehave(Refuses(status))
    with pytest.raises(SendError) as caught:
        carrier.send(message())
    assert type(caught.value) is kind
    assert caught.value.code == f"0x{status:08X}"
    assert (getattr(caught.value, "retry_after", None) is not None) == (kind is NotTaken)
    assert smsc.taken == []
    carrier.send(message())


def test_a_part_is_sent_again_when_the_smsc_had_no_room(smsc: Smsc, carrier: SmppCarrier) -> None:
    smsc.misbehave(Throttled(after=1), Refuses(Status.SYSTEM_ERROR, after=2))
    assert carrier.send(message(LONG)) == Handover("3", 3)
    assert [each.octets[5] for each in smsc.taken] == [1, 2, 3]


def test_what_never_gets_room_is_unknown_and_says_how_far_it_got(smsc: Smsc, carrier: SmppCarrier) -> None:
    smsc.misbehave(Throttled(None, after=2))
    begun = time.monotonic()
    with pytest.raises(Unknown, match=r"^parts 1 to 2 of 3 went; "):
        carrier.send(message(LONG, valid_for=1))
    assert len(smsc.taken) == 2
    assert time.monotonic() - begun < 10  # no longer than the message is worth


@pytest.mark.parametrize(
    ("after", "words"), [(0, "^the SMSC"), (1, "^part 1 of 3 went; "), (2, "^parts 1 to 2 of 3 went; ")]
)
def test_a_part_refused_for_good_ends_it(after: int, words: str, smsc: Smsc, carrier: SmppCarrier) -> None:
    smsc.misbehave(Refuses(Status.INVALID_DESTINATION, after=after))
    with pytest.raises(Rejected, match=words):
        carrier.send(message(LONG))
    assert len(smsc.taken) == after


@pytest.mark.parametrize(
    ("fault", "taken"), [(Silent, 0), (SilentAfterTaking, 1), (ResetsBeforeTaking, 0), (ResetsAfterTaking, 1)]
)
def test_what_is_not_answered_is_never_sent_again(
    fault: type[Silent], taken: int, smsc: Smsc, carrier: SmppCarrier
) -> None:
    smsc.misbehave(fault())
    with pytest.raises(Unknown):
        carrier.send(message())
    wait_until(carrier.ready)
    carrier.send(message("Another"))
    assert len(smsc.taken) == taken + 1


def test_a_late_answer_settles_it_after_all(smsc: Smsc, carrier: SmppCarrier, inbox: Inbox) -> None:
    sent = message(LONG, attempt=2)
    smsc.misbehave(LateResponse(after=2))
    with pytest.raises(Unknown, match="parts 1 to 2 of 3 went"):
        carrier.send(sent)
    inbox.refusals = 2  # it is said once, so it is kept on to
    smsc.let_go()
    assert inbox.wait_for(SendSettled) == [
        SendSettled(
            key=IDS.thread(NUMBER, CUSTOMER),
            message_id=sent.message_id,
            attempt=2,
            outcome=Outcome.ACCEPTED,
            scope="smpp:SMPP-1",
            provider_message_id="3",
            error_code=None,
            detail="the SMSC's answer came late",
            retry_at=None,
            reconciled=False,
        )
    ]


def test_a_late_answer_to_a_part_before_the_last_settles_nothing(
    smsc: Smsc, carrier: SmppCarrier, inbox: Inbox
) -> None:
    smsc.misbehave(LateResponse(after=1))
    with pytest.raises(Unknown, match=r"^part 1 of 3 went; "):
        carrier.send(message(LONG))
    smsc.let_go()
    carrier.send(message())  # by then the late answer has been read
    assert inbox.all(SendSettled) == []


def test_a_late_answer_settles_no_message_of_an_earlier_session(
    smsc: Smsc, carrier: SmppCarrier, inbox: Inbox
) -> None:
    smsc.misbehave(LateResponse())
    with pytest.raises(Unknown):
        carrier.send(message())
    smsc.drop()
    wait_until(lambda: smsc.connections == 2 and carrier.ready())
    smsc.misbehave(LateResponse())
    with pytest.raises(Unknown):  # its first part has the number that the message had
        carrier.send(message(LONG))
    smsc.let_go()
    carrier.send(message())
    assert inbox.all(SendSettled) == []


class LateRefusal(LateResponse):
    """Takes nothing, and says so on `Smsc.let_go`."""

    def release(self) -> None:
        for link, taken in self._held:
            link.error(taken.pdu, Status.INVALID_DESTINATION)


def test_a_late_refusal_leaves_it_in_doubt(smsc: Smsc, carrier: SmppCarrier, inbox: Inbox) -> None:
    smsc.misbehave(LateRefusal())
    with pytest.raises(Unknown):
        carrier.send(message())
    smsc.let_go()
    carrier.send(message())
    assert inbox.all(SendSettled) == []


def test_several_go_at_once_and_none_waits_for_another(smsc: Smsc, carrier: SmppCarrier) -> None:
    smsc.misbehave(SilentAfterTaking())
    messages = [message("one"), message("two"), message("three", customer_address="Shop"), message("four")]
    told = list(carrier.send_all(messages))
    results = {given.text: type(result) for some in told for given, result in some}
    assert results == {"one": Unknown, "two": Handover, "three": Rejected, "four": Handover}
    assert [given.text for given, _ in told[-1]] == ["one"]  # the others' were told before
    assert sorted(each.octets for each in smsc.taken) == [b"four", b"one", b"two"]


def test_nothing_goes_without_a_bound_connection(smsc: Smsc, carrier: SmppCarrier) -> None:
    smsc.refuse()
    smsc.drop()
    wait_until(lambda: not carrier.ready())
    with pytest.raises(NotTaken, match="connection 0: "):
        carrier.send(message())
    smsc.accept()
    wait_until(carrier.ready)
    carrier.send(message())
