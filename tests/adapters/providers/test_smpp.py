"""SMPP: the contract that every provider passes, and what a mapping may say."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

import pytest

from adapters.providers.smpp import SmppProvider
from adapters.smpp.pdu import Pdu, Status
from contracts.far_end import Fault, closed_port
from contracts.providers import IDS, SendingContract, StandingContract, StandingCounterpart
from domain.facts import ReceiptStatus
from domain.providers import Account, NotTaken, OptionValue, OutboundMessage
from tests.adapters.smpp.smpp_cases import (
    CUSTOMER,
    NUMBER,
    WIRE_CUSTOMER,
    WIRE_NUMBER,
    Hasty,
    account,
    message,
    with_credentials,
)
from tests.fakes import smsc_faults, smsc_link
from tests.fakes.clock import FakeClock
from tests.fakes.smsc import Smsc

REFUSED = "+447700900999"
STATS = {
    ReceiptStatus.SENT: "ENROUTE",
    ReceiptStatus.DELIVERED: "DELIVRD",
    ReceiptStatus.FAILED: "REJECTD",
}
FAULTS: Mapping[Fault, Callable[[], smsc_link.Fault]] = MappingProxyType(
    {
        Fault.THROTTLED: smsc_faults.Throttled,
        Fault.FAILED: lambda: smsc_faults.Refuses(Status.SYSTEM_ERROR),
        Fault.HANG: smsc_faults.Silent,
        Fault.RESET_BEFORE: smsc_faults.ResetsBeforeTaking,
        Fault.RESET_AFTER: smsc_faults.ResetsAfterTaking,
        Fault.GARBAGE: smsc_faults.Garbage,
    }
)


class RefusesOne(smsc_faults.Refuses):
    """There is a customer to whom nothing can be sent."""

    def __init__(self) -> None:
        super().__init__(Status.INVALID_DESTINATION, None)

    def is_due(self, pdu: Pdu) -> bool:
        return pdu.fields.get("destination_addr") == REFUSED.lstrip("+") and super().is_due(pdu)


class Far(StandingCounterpart):
    """An SMSC, as the contract's far end."""

    customer = CUSTOMER
    refused_customer = REFUSED
    opted_out_customer = None  # SMPP has no status for it: only Parley's own list counts
    faults = frozenset(FAULTS)
    failed_means = NotTaken  # an answer with an error status says that nothing was taken

    def __init__(self, smsc: Smsc) -> None:
        super().__init__()
        self.smsc, self.provider = smsc, SmppProvider(FakeClock(), Hasty(1))
        self.account = account(smsc, response_seconds=0.2)
        self.wrong_account = with_credentials(self.account, password="mistaken")
        smsc.misbehave(RefusesOne())

    @property
    def accepted(self) -> list[str]:
        return [each.octets.decode() for each in self.smsc.taken]

    @property
    def connected(self) -> int:
        return self.smsc.bound

    @property
    def acknowledged(self) -> int:
        return sum(each.acknowledged for each in self.smsc.deliveries)

    def fail_next(self, fault: Fault, message: OutboundMessage) -> OutboundMessage:
        self.smsc.misbehave(FAULTS[fault]())
        return message

    def unreachable(self) -> Account:
        return replace(self.account, port=closed_port())

    def unsupported(self) -> list[OutboundMessage]:
        return [message(customer_address="My Shop"), message(media_urls=("https://example.com/1.png",))]

    def say_text(self, text: str) -> None:
        self.smsc.send_text(WIRE_CUSTOMER, WIRE_NUMBER, text.encode("utf-16-be"), 8)

    def say_receipt(self, message: OutboundMessage, provider_message_id: str, status: ReceiptStatus) -> None:
        [taken] = [each for each in self.smsc.taken if each.message_id == provider_message_id]
        self.smsc.send_receipt(taken, STATS[status])

    def lose_acknowledgement(self) -> None:
        self.smsc.misbehave(smsc_faults.LosesAcknowledgements())

    def redeliver(self) -> None:
        self.smsc.wait_until(lambda: all(each.answers for each in self.smsc.deliveries))
        self.smsc.redeliver()

    def leave(self) -> None:
        self.smsc.refuse()
        self.smsc.drop()

    def come_back(self) -> None:
        self.smsc.accept()


@pytest.fixture
def counterpart() -> Iterator[StandingCounterpart]:
    with Smsc() as smsc:
        yield Far(smsc)


class TestSmppProvider(SendingContract, StandingContract):
    """Where a connection is kept."""


class TestPassingBinds(SendingContract):
    """Where nobody keeps connections: each send binds for itself."""


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
