"""What an SMSC delivers becomes facts."""

import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.smpp import settings
from adapters.smpp.carrier import SmppCarrier
from adapters.smpp.inbound import Inbound
from adapters.smpp.pdu import Command, Pdu, Status, encode
from adapters.smpp.repeats import SUSPECT_FOR, UNKNOWN_FOR, UNPROVEN_FOR
from contracts.providers import IDS, Inbox, wait_until
from domain.alphabets import Alphabet
from domain.facts import PartReceived, ReceiptReceived, ReceiptStatus, TextWithoutId
from domain.providers import Account, OptionValue, Unknown
from tests.adapters.smpp.smpp_cases import (
    CUSTOMER,
    NUMBER,
    WIRE_CUSTOMER,
    WIRE_NUMBER,
    account,
    keep,
    message,
    open_carrier,
)
from tests.fakes.clock import FakeClock
from tests.fakes.smsc import ReceiptForm, Smsc
from tests.fakes.smsc_faults import LosesAcknowledgements, ResetsBeforeTaking
from tests.fakes.smsc_link import BINDS, Fault, Link
from tests.fakes.smsc_messages import Method as Wire
from tests.fakes.smsc_messages import long_text, receipt, text
from tests.fakes.smsc_state import Delivery

SOMEWHERE = Account(
    mapping_id=UUID(int=9),
    code="SMPP-1",
    credentials={},
    options={},
    addresses=(NUMBER,),
    default_country="US",
    webhook_url="",
    host="smsc.example",
    port=2775,
)


def read(pdu: Pdu, **options: OptionValue) -> TextWithoutId | PartReceived | ReceiptReceived:
    typed = settings.read(Account(**{**vars(SOMEWHERE), "options": options}), _no_tls)
    return Inbound(SOMEWHERE, typed, IDS, Random(1)).fact(pdu)


def _no_tls() -> ssl.SSLContext:
    raise AssertionError("nobody asked for TLS")


def from_to(source: str, destination: str, *, ton: int = 1) -> Pdu:
    plain = text(source, destination, "Hello")
    fields = {**plain.fields, "source_addr_ton": ton, "dest_addr_ton": ton}
    return Pdu(plain.command, 1, 0, fields, plain.tlvs)


# ── texts ──────────────────────────────────────────────────────────────────────────────────────


def test_a_text() -> None:
    pdu = text(WIRE_CUSTOMER, WIRE_NUMBER, "Where is my order? {€}")
    fact = read(pdu)
    assert isinstance(fact, TextWithoutId)
    assert fact == TextWithoutId(
        key=IDS.thread(NUMBER, CUSTOMER),
        mapping_id=UUID(int=9),
        scope="smpp:SMPP-1",
        our_address=NUMBER,
        customer_address=CUSTOMER,
        text="Where is my order? {€}",
        raw=fact.raw,
        delivery_id=fact.delivery_id,
        content=IDS.content("smpp:SMPP-1", NUMBER, CUSTOMER, "Where is my order? {€}"),
        repeats_since=None,
        occurrence=0,
    )
    assert bytes.fromhex(fact.raw) == encode(pdu)


def test_each_delivery_has_an_id_of_its_own() -> None:
    inbound = Inbound(SOMEWHERE, settings.read(SOMEWHERE, _no_tls), IDS, Random(1))
    pdu = text(WIRE_CUSTOMER, WIRE_NUMBER, "ok")
    ids = {fact.delivery_id for _ in range(3) if isinstance(fact := inbound.fact(pdu), TextWithoutId)}
    assert len(ids) == 3


@pytest.mark.parametrize(
    ("octets", "coding", "default", "shown"),
    [
        (b"\x00\x1b\x65", 0, "gsm", "@€"),
        (b"\xe9t\xe9", 0, "latin-1", "été"),
        (b"\xe9t\xe9", 3, "gsm", "été"),
        ("Привет 😀".encode("utf-16-be"), 8, "gsm", "Привет 😀"),
        (b"\x01\x02\x03", 4, "gsm", "[binary message, 3 octets]"),
        (b"", 0, "gsm", ""),
    ],
)
def test_alphabets(octets: bytes, coding: int, default: str, shown: str) -> None:
    fact = read(text(WIRE_CUSTOMER, WIRE_NUMBER, octets, coding), default_alphabet=default)
    assert isinstance(fact, TextWithoutId)
    assert fact.text == shown


@pytest.mark.parametrize(
    ("ton", "source", "customer"),
    [
        (1, "447700900123", CUSTOMER),
        (1, "+447700900123", CUSTOMER),
        (0, "447700900123", CUSTOMER),
        (2, "2125550123", "+12125550123"),
        (1, "12345", "12345"),
        (5, "My Bank", "My Bank"),
        (0, "?!*", "?!*"),
        (0, "", "unknown"),
    ],
)
def test_customers_addresses(ton: int, source: str, customer: str) -> None:
    fact = read(from_to(source, WIRE_NUMBER, ton=ton))
    assert isinstance(fact, TextWithoutId)
    assert fact.customer_address == customer
    assert fact.key == IDS.thread(fact.our_address, customer)


def test_a_text_to_a_number_that_is_not_ours_is_passed_on() -> None:
    fact = read(from_to(WIRE_CUSTOMER, "15005550999"))
    assert isinstance(fact, TextWithoutId)
    assert fact.our_address == "+15005550999"


# ── parts ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("method", [Wire.UDH_8, Wire.UDH_16, Wire.SAR])
def test_parts(method: Wire) -> None:
    facts = [read(pdu) for pdu in long_text(WIRE_CUSTOMER, WIRE_NUMBER, "é" * 100, method, 7)]
    first, second = facts
    assert isinstance(first, PartReceived)
    assert isinstance(second, PartReceived)
    assert first == PartReceived(
        key=IDS.thread(NUMBER, CUSTOMER),
        mapping_id=UUID(int=9),
        scope="smpp:SMPP-1",
        our_address=NUMBER,
        customer_address=CUSTOMER,
        raw=first.raw,
        reference=7,
        total=2,
        number=1,
        alphabet=Alphabet.UCS_2,
        data="é".encode("utf-16-be") * 66,
    )
    assert (second.number, len(second.data)) == (2, 68)


def test_a_part_of_a_binary_message_is_shown() -> None:
    [pdu, _] = long_text(WIRE_CUSTOMER, WIRE_NUMBER, "é" * 100, Wire.UDH_8, 7)
    fact = read(Pdu(pdu.command, 1, 0, {**pdu.fields, "data_coding": 4}, pdu.tlvs))
    assert isinstance(fact, TextWithoutId)
    assert fact.text == "[binary message, part 1 of 2, 132 octets]"


def test_a_payload_is_one_text() -> None:
    [pdu] = long_text(WIRE_CUSTOMER, WIRE_NUMBER, "é" * 1000, Wire.PAYLOAD, 7)
    fact = read(pdu)
    assert isinstance(fact, TextWithoutId)
    assert fact.text == "é" * 1000


# ── receipts ───────────────────────────────────────────────────────────────────────────────────


def sent(source: str = WIRE_NUMBER, destination: str = WIRE_CUSTOMER) -> Pdu:
    return Pdu(
        Command.SUBMIT_SM,
        1,
        fields={"source_addr": source, "destination_addr": destination, "short_message": b"Hi"},
    )


@pytest.mark.parametrize("form", list(ReceiptForm))
def test_a_receipt(form: ReceiptForm) -> None:
    fact = read(receipt(sent(), "00FF", "UNDELIV", form, "012"), message_ids="decimal_then_hex")
    assert isinstance(fact, ReceiptReceived)
    assert fact == ReceiptReceived(
        key=IDS.thread(NUMBER, CUSTOMER),
        mapping_id=UUID(int=9),
        scope="smpp:SMPP-1",
        provider_message_id="255",
        message_id=None,
        attempt=None,
        status=ReceiptStatus.UNDELIVERED,
        provider_status="UNDELIV",
        error_code=fact.error_code,
        raw=fact.raw,
    )
    assert (fact.error_code or "").lstrip("0") == "12"


def test_a_receipt_with_the_messages_own_addresses_has_the_same_key() -> None:
    fact = read(receipt(sent(WIRE_CUSTOMER, WIRE_NUMBER), "1", "DELIVRD", ReceiptForm.TEXT))
    assert fact.key == IDS.thread(NUMBER, CUSTOMER)


@pytest.mark.parametrize("addresses", [("", ""), (WIRE_CUSTOMER, WIRE_CUSTOMER), ("", WIRE_CUSTOMER)])
def test_a_receipt_that_does_not_tell_its_thread_is_keyed_by_its_id(addresses: tuple[str, str]) -> None:
    fact = read(receipt(sent(*addresses), "1", "DELIVRD", ReceiptForm.TEXT))
    assert fact.key == IDS.inbound("smpp:SMPP-1", "1")


# ── anything ───────────────────────────────────────────────────────────────────────────────────

latin = st.text(st.characters(max_codepoint=255, exclude_characters="\0"), max_size=40)


@given(
    fields=st.fixed_dictionaries(
        {
            "source_addr_ton": st.integers(0, 255),
            "source_addr": latin,
            "dest_addr_ton": st.integers(0, 255),
            "destination_addr": latin,
            "esm_class": st.integers(0, 255),
            "data_coding": st.integers(0, 255),
            "short_message": st.binary(max_size=255),
        }
    ),
    tlvs=st.dictionaries(
        st.sampled_from([0x1E, 0x20C, 0x20E, 0x20F, 0x423, 0x424, 0x427, 0x1400]), st.binary(max_size=20)
    ),
)
def test_whatever_comes_is_kept(fields: dict[str, str | int | bytes], tlvs: dict[int, bytes]) -> None:
    fact = read(Pdu(Command.DELIVER_SM, 1, 0, fields, tlvs))
    assert fact.raw


# ── on a connection ────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


BOUND_FOR = SUSPECT_FOR + timedelta(seconds=1)


@pytest.fixture
def carrier(smsc: Smsc, inbox: Inbox, clock: FakeClock) -> Iterator[SmppCarrier]:
    """Bound for a while: nothing is suspected."""
    opened = open_carrier(account(smsc), clock)
    keep(opened, inbox)
    clock.advance(BOUND_FOR)
    yield opened
    opened.close()


def hello(smsc: Smsc) -> Callable[[], bool]:
    delivery = smsc.send_text(WIRE_CUSTOMER, WIRE_NUMBER, "Hello")
    return lambda: delivery.acknowledged


def test_what_is_durable_is_acknowledged(smsc: Smsc, carrier: SmppCarrier, inbox: Inbox) -> None:
    smsc.wait_until(hello(smsc))
    [fact] = inbox.all(TextWithoutId)
    assert (fact.text, fact.repeats_since, fact.occurrence) == ("Hello", None, 0)


@pytest.mark.parametrize("kept", [True, False])
def test_what_could_not_be_kept_is_refused_and_comes_again(
    kept: bool, smsc: Smsc, carrier: SmppCarrier, inbox: Inbox, clock: FakeClock
) -> None:
    inbox.refusals, inbox.keeps_all = 1, kept
    delivery = smsc.send_text(WIRE_CUSTOMER, WIRE_NUMBER, "Hello")
    smsc.wait_until(lambda: delivery.answers == [Status.SYSTEM_ERROR])
    refused_at = clock.now()
    clock.advance(timedelta(minutes=20))
    smsc.redeliver()
    smsc.wait_until(lambda: delivery.acknowledged)
    again = inbox.all(TextWithoutId)[-1]
    assert (again.repeats_since, again.occurrence) == (refused_at - timedelta(seconds=1), 1)
    assert len(inbox.facts) == 1 + kept


def test_what_comes_again_after_a_lost_acknowledgement_is_under_suspicion(
    smsc: Smsc, carrier: SmppCarrier, inbox: Inbox, clock: FakeClock
) -> None:
    smsc.misbehave(LosesAcknowledgements())
    ended_at = clock.now()
    smsc.wait_until(hello(smsc))
    first, again = inbox.all(TextWithoutId)
    assert (first.repeats_since, first.occurrence) == (None, 0)
    assert (again.repeats_since, again.occurrence) == (ended_at - BOUND_FOR - UNPROVEN_FOR, 1)
    assert first.content == again.content
    assert first.delivery_id != again.delivery_id


def test_after_an_outage_the_suspicion_reaches_back_before_its_beginning(
    smsc: Smsc, carrier: SmppCarrier, inbox: Inbox, clock: FakeClock
) -> None:
    smsc.refuse()
    smsc.drop()
    wait_until(lambda: not carrier.ready())
    ended_at = clock.now()
    clock.advance(timedelta(hours=3))
    smsc.accept()
    smsc.wait_until(lambda: smsc.bound == 1)
    smsc.wait_until(hello(smsc))
    [fact] = inbox.all(TextWithoutId)
    assert (fact.repeats_since, fact.occurrence) == (ended_at - BOUND_FOR - UNPROVEN_FOR, 1)


def test_the_end_of_a_transmitter_casts_no_suspicion(smsc: Smsc, inbox: Inbox, clock: FakeClock) -> None:
    carrier = open_carrier(account(smsc, bind_mode="transmitter_and_receiver"), clock)
    keep(carrier, inbox)
    clock.advance(SUSPECT_FOR + timedelta(seconds=1))
    smsc.misbehave(ResetsBeforeTaking())
    with pytest.raises(Unknown):
        carrier.send(message())
    wait_until(lambda: smsc.connections == 3 and carrier.ready())
    smsc.wait_until(hello(smsc))
    assert [fact.repeats_since for fact in inbox.all(TextWithoutId)] == [None]
    carrier.close()


class DeliversFirst(Fault):
    """Delivers a text before it answers the bind."""

    concerns = BINDS

    def strike(self, link: Link, pdu: Pdu) -> None:
        delivery = Delivery(text(WIRE_CUSTOMER, WIRE_NUMBER, "Hello"), sent=1)
        sequence = link.next_sequence()
        link.under_way[sequence] = delivery
        link.send(replace(delivery.pdu, sequence=sequence))
        link.serve(pdu)


def test_what_comes_before_the_binds_answer_is_under_suspicion(smsc: Smsc, inbox: Inbox) -> None:
    smsc.misbehave(DeliversFirst())
    carrier = open_carrier(account(smsc))
    keep(carrier, inbox)
    [fact] = inbox.wait_for(TextWithoutId)
    assert fact.occurrence == 1
    carrier.close()


def test_what_comes_with_the_first_bind_is_under_suspicion(smsc: Smsc, inbox: Inbox) -> None:
    for _ in "ab":
        smsc.send_text(WIRE_CUSTOMER, WIRE_NUMBER, "Hello")
    clock = FakeClock()
    carrier = open_carrier(account(smsc), clock)
    keep(carrier, inbox)
    facts = inbox.wait_for(TextWithoutId, 2)
    assert [(fact.repeats_since, fact.occurrence) for fact in facts] == [
        (clock.now() - UNKNOWN_FOR, 1),
        (clock.now() - UNKNOWN_FOR, 2),
    ]
    carrier.close()


def test_a_messages_receipt_names_it_as_its_answer_did(inbox: Inbox) -> None:
    with Smsc(
        receipts=ReceiptForm.TEXT,
        message_id=lambda n: f"0{n + 40:X}",
        receipt_id=lambda named: f"{int(named, 16):010}",
    ) as smsc:
        carrier = open_carrier(account(smsc, message_ids="hex_then_decimal"))
        keep(carrier, inbox)
        handover = carrier.send(message())
        [fact] = inbox.wait_for(ReceiptReceived)
        assert fact.provider_message_id == handover.provider_message_id == "41"
        carrier.close()
