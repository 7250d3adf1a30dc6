"""What the tests of SMPP share: an account at the fake, and somewhere to deliver to."""

from collections.abc import Iterable
from dataclasses import replace
from random import Random
from uuid import UUID, uuid4

from adapters.providers.smpp import SmppProvider
from adapters.smpp.carrier import SmppCarrier
from contracts.providers import IDS, Inbox, wait_until
from domain.providers import Account, OptionValue, OutboundMessage
from tests.fakes.clock import FakeClock
from tests.fakes.smsc import Smsc

NUMBER, CUSTOMER = "+15005550006", "+447700900123"
WIRE_NUMBER, WIRE_CUSTOMER = "15005550006", "447700900123"
LONG = "Grüße! " * 60
"""Three parts of GSM text."""


class Hasty(Random):
    """Pauses only for a moment, whatever it may."""

    def uniform(self, a: float, b: float) -> float:
        return min(b, 0.01)


def account(smsc: Smsc, **options: OptionValue) -> Account:
    return Account(
        mapping_id=UUID(int=9),
        code="SMPP-1",
        credentials={"user": smsc.system_id, "password": smsc.password},
        options={"response_seconds": 1.0, **options},
        addresses=(NUMBER,),
        default_country="US",
        webhook_url="",
        host=smsc.host,
        port=smsc.port,
    )


def with_credentials(given: Account, **credentials: str) -> Account:
    return replace(given, credentials={**given.credentials, **credentials})


def message(text: str = "We open at nine.", **changes: object) -> OutboundMessage:
    plain = OutboundMessage(uuid4(), 1, NUMBER, CUSTOMER, text)
    return replace(plain, **changes)  # type: ignore[arg-type]


def open_carrier(given: Account, clock: FakeClock | None = None) -> SmppCarrier:
    return SmppProvider(clock or FakeClock(), Hasty(1)).open(given)


def keep(carrier: SmppCarrier, inbox: Inbox, numbers: Iterable[int] = (0,)) -> None:
    """Connect, and wait until all is bound."""
    for number in numbers:
        carrier.connect(number, IDS, inbox.deliver)
    wait_until(lambda: set(states(carrier)) == {"bound"})


def states(carrier: SmppCarrier) -> list[str]:
    """How each session stands."""
    return [
        state.removeprefix("transmitter ").removeprefix("receiver ")
        for connection in carrier.connections()
        for state in connection.partition(": ")[2].split(", ")
    ]
