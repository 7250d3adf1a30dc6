"""SMPP: the contract that every provider passes, and what a mapping may say.

Its webhook tests are read as what they mean where texts come by a connection.
"""

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType

import pytest

from adapters.providers.smpp import SmppProvider
from adapters.smpp.pdu import Pdu, Status
from domain.facts import ReceiptReceived, ReceiptStatus, TextWithoutId
from domain.providers import (
    Account,
    BadRequest,
    Carrier,
    NotTaken,
    OptionValue,
    OutboundMessage,
    Unknown,
    WebhookRequest,
)
from tests.adapters.smpp.smpp_cases import (
    CUSTOMER,
    IDS,
    NUMBER,
    WIRE_CUSTOMER,
    WIRE_NUMBER,
    Hasty,
    Inbox,
    account,
    keep,
    message,
    open_carrier,
    with_credentials,
)
from tests.contracts.provider_contract import Counterpart, ProviderContract
from tests.fakes.clock import FakeClock
from tests.fakes.smsc import Smsc
from tests.fakes.smsc_faults import (
    Garbage,
    Refuses,
    ResetsAfterTaking,
    ResetsBeforeTaking,
    Silent,
    Throttled,
)
from tests.fakes.smsc_link import Fault

REFUSED = "+447700900999"
POSTED = WebhookRequest("https://parley.example/ingress/rest/SMPP-1", {}, b"", is_status=False)
STATS = [
    (ReceiptStatus.DELIVERED, "DELIVRD"),
    (ReceiptStatus.SENT, "ENROUTE"),
    (ReceiptStatus.DELIVERED, "DELIVRD"),
    (ReceiptStatus.FAILED, "REJECTD"),
]


class RefusesOne(Refuses):
    """There is a customer to whom nothing can be sent."""

    def __init__(self) -> None:
        super().__init__(Status.INVALID_DESTINATION, None)

    def is_due(self, pdu: Pdu) -> bool:
        return pdu.fields.get("destination_addr") == REFUSED.lstrip("+") and super().is_due(pdu)


class Far(Counterpart):
    """An SMSC, as the contract's far end."""

    customer = CUSTOMER
    refused_customer = REFUSED
    opted_out_customer = ""  # no SMSC tells
    _FAULTS: Mapping[str, Callable[[], Fault]] = MappingProxyType(
        {
            "throttled": Throttled,
            "failed": lambda: Refuses(Status.SYSTEM_ERROR),
            "hang": Silent,
            "reset-before": ResetsBeforeTaking,
            "reset-after": ResetsAfterTaking,
            "garbage": Garbage,
        }
    )

    def __init__(self, smsc: Smsc) -> None:
        self.smsc, self.provider = smsc, SmppProvider(FakeClock(), Hasty(1))
        self.account = account(smsc, response_seconds=0.2)
        self.wrong_account = with_credentials(self.account, password="mistaken")
        smsc.misbehave(RefusesOne())

    @property
    def accepted(self) -> list[str]:
        return [each.octets.decode() for each in self.smsc.taken]

    def fail_next(self, fault: str) -> None:
        self.smsc.misbehave(self._FAULTS[fault]())

    def text(self, text: str, provider_message_id: str) -> WebhookRequest:
        return POSTED

    def receipt(
        self, message: OutboundMessage, provider_message_id: str, status: ReceiptStatus
    ) -> WebhookRequest:
        return replace(POSTED, url=f"{POSTED.url}/status", is_status=True)

    def new_id(self) -> str:
        return str(len(self.smsc.taken) + 1)

    def unreachable(self) -> Account:
        with socket.socket() as closed:  # bound but not listening, then gone
            closed.bind(("127.0.0.1", 0))
            return replace(self.account, port=closed.getsockname()[1])

    def unsupported(self) -> list[OutboundMessage]:
        return [message(customer_address="My Shop"), message(media_urls=("https://example.com/1.png",))]


class TestSmppProvider(ProviderContract):
    """Where nobody keeps connections: each send binds for itself."""

    @pytest.fixture
    def counterpart(self) -> Iterator[Counterpart]:
        with Smsc() as smsc:
            yield Far(smsc)

    # ── sending ──

    @pytest.mark.parametrize("fault", ["hang", "reset-before", "reset-after", "garbage"])
    def test_nobody_knows_and_nothing_is_sent_again(
        self, fault: str, counterpart: Counterpart, carrier: Carrier, message: OutboundMessage
    ) -> None:
        counterpart.fail_next(fault)
        with pytest.raises(Unknown):
            carrier.send(message)
        assert counterpart.accepted == ([message.text] if fault in {"reset-after", "garbage"} else [])

    def test_an_error_of_the_smscs_own_is_not_taken(
        self, counterpart: Counterpart, carrier: Carrier, message: OutboundMessage
    ) -> None:
        counterpart.fail_next("failed")
        with pytest.raises(NotTaken):
            carrier.send(message)
        assert counterpart.accepted == []

    def test_an_opted_out_customer_is_told_apart(
        self, counterpart: Counterpart, carrier: Carrier, message: OutboundMessage
    ) -> None:
        pytest.skip("SMPP has no status for it: only Parley's own list counts")

    # ── what comes in ──

    def test_a_text_becomes_a_fact(self, counterpart: Counterpart) -> None:
        with listening(counterpart) as (smsc, inbox, _):
            smsc.send_text(WIRE_CUSTOMER, WIRE_NUMBER, "Where is my order? 😀".encode("utf-16-be"), 8)
            [fact] = inbox.wait_for(TextWithoutId)
        assert fact.text == "Where is my order? 😀"
        assert fact.scope == counterpart.provider.scope(counterpart.account)
        assert fact.mapping_id == counterpart.account.mapping_id
        assert (fact.our_address, fact.customer_address) == (NUMBER, CUSTOMER)
        assert fact.key == IDS.thread(NUMBER, CUSTOMER)
        assert fact.raw

    def test_the_same_text_twice_is_the_same_fact(self, counterpart: Counterpart) -> None:
        with listening(counterpart) as (smsc, inbox, _):
            inbox.refusals, inbox.keeps_all = 1, True
            delivery = smsc.send_text(WIRE_CUSTOMER, WIRE_NUMBER, "Hello?")
            smsc.wait_until(lambda: bool(delivery.answers))
            smsc.redeliver()
            first, second = inbox.wait_for(TextWithoutId, 2)
        # SMPP names no texts: ingest counts the equal ones, and finds the second to be the first.
        assert first.content == second.content
        assert second.repeats_since is not None
        assert (first.occurrence, second.occurrence) == (1, 1)

    def test_equal_texts_with_ids_of_their_own_are_two_facts(self, counterpart: Counterpart) -> None:
        with listening(counterpart) as (smsc, inbox, _):
            for _ in "ab":
                smsc.send_text(WIRE_CUSTOMER, WIRE_NUMBER, "ok")
            first, second = inbox.wait_for(TextWithoutId, 2)
        assert first.delivery_id != second.delivery_id
        assert (first.occurrence, second.occurrence) == (1, 2)

    def test_receipts_in_any_order_name_their_attempt(
        self, counterpart: Counterpart, message: OutboundMessage
    ) -> None:
        with listening(counterpart) as (smsc, inbox, carrier):
            handover = carrier.send(message)
            for many, (status, stat) in enumerate(STATS, 1):
                smsc.send_receipt(smsc.taken[0], stat)
                fact = inbox.wait_for(ReceiptReceived, many)[-1]
                assert (fact.status, fact.provider_message_id) == (status, handover.provider_message_id)
                assert (fact.message_id, fact.attempt) == (None, None)

    @pytest.mark.parametrize("forge", [lambda request: request])
    def test_a_forged_webhook_is_refused(
        self,
        forge: Callable[[WebhookRequest], WebhookRequest],
        counterpart: Counterpart,
        message: OutboundMessage,
    ) -> None:
        for request in (POSTED, counterpart.receipt(message, "1", ReceiptStatus.DELIVERED)):
            with pytest.raises(BadRequest):
                counterpart.provider.read_webhook(counterpart.account, forge(request), IDS)


class TestKeptConnections(TestSmppProvider):
    """The same where a connection is kept."""

    @pytest.fixture
    def carrier(self, counterpart: Counterpart) -> Iterator[Carrier]:
        with listening(counterpart) as (_, _, carrier):
            yield carrier


@contextmanager
def listening(counterpart: Counterpart) -> Iterator[tuple[Smsc, Inbox, Carrier]]:
    """With a connection bound, whose facts come to the inbox."""
    assert isinstance(counterpart, Far)
    carrier, inbox = open_carrier(counterpart.account), Inbox()
    keep(carrier, inbox)
    yield counterpart.smsc, inbox, carrier
    carrier.close()


# ── what a mapping may say ─────────────────────────────────────────────────────────────────────


MAPPING = Account(
    mapping_id=IDS.mapping("SMPP-1"),
    code="SMPP-1",
    credentials={"user": "parley", "password": "secret"},
    options={},
    addresses=(NUMBER,),
    default_country="US",
    webhook_url="",
    host="smsc.example.com",
    port=2775,
)


@pytest.mark.parametrize(
    "host", ["", "smsc", "smsc-1.example.com", "smsc.example.com.", "192.0.2.1", "2001:db8::1"]
)
def test_hosts(host: str) -> None:
    assert SmppProvider().check(replace(MAPPING, host=host)) == []


@pytest.mark.parametrize("host", ["smpp://smsc", "smsc.example.com:2775", "a b", "-a", "smsc/", "smsc\n"])
def test_what_is_no_host_is_named(host: str) -> None:
    assert [each.field for each in SmppProvider().check(replace(MAPPING, host=host))] == ["host"]


@pytest.mark.parametrize(
    ("credentials", "options", "field"),
    [
        ({"user": "x" * 16}, {}, "credentials.user"),
        ({"password": "x" * 9}, {}, "credentials.password"),
        ({"password": "gehe1m\u00e9"}, {}, "credentials.password"),
        ({}, {"system_type": "x" * 13}, "options.system_type"),
        ({}, {"service_type": "x" * 6}, "options.service_type"),
    ],
)
def test_what_does_not_fit_is_named(
    credentials: dict[str, str], options: dict[str, OptionValue], field: str
) -> None:
    given = replace(with_credentials(MAPPING, **credentials), options=options)
    assert [each.field for each in SmppProvider().check(given)] == [field]


def test_every_option_that_has_a_default_is_in_its_own_bounds() -> None:
    for option in SmppProvider.options:
        assert type(option.default) is option.kind or option.default in option.choices
        if isinstance(option.default, int | float):
            assert option.minimum is None or option.minimum <= option.default
            assert option.maximum is None or option.default <= option.maximum


def test_a_carrier_wants_as_many_connections_as_the_mapping_says() -> None:
    assert SmppProvider.keeps_connections
    assert SmppProvider().open(replace(MAPPING, options={"binds": 4})).standing == 4
