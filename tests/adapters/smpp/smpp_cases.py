"""What the tests of SMPP share: an account at the fake, and somewhere to deliver to."""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from random import Random
from typing import TypeVar
from uuid import UUID, uuid4

from adapters.providers.smpp import SmppProvider
from adapters.smpp.carrier import SmppCarrier
from domain.errors import LogUnavailable
from domain.facts import Fact
from domain.ids import Identities
from domain.providers import Account, OptionValue, OutboundMessage
from tests.fakes.clock import FakeClock
from tests.fakes.smsc import Smsc

IDS = Identities(b"an identity key of 32 bytes or more")
NUMBER, CUSTOMER = "+15005550006", "+447700900123"
WIRE_NUMBER, WIRE_CUSTOMER = "15005550006", "447700900123"
LONG = "Grüße! " * 60
"""Three parts of GSM text."""

T = TypeVar("T", bound=Fact)


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


class Inbox:
    """Where facts are made durable, in the end: the first `refusals` deliveries are refused.

    With `keeps_all` those are kept all the same, as a log may have done that could not promise it.
    """

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.refusals = 0
        self.keeps_all = False
        self.changes = threading.Condition()

    def deliver(self, facts: Sequence[Fact]) -> None:
        with self.changes:
            refused = self.refusals > 0
            self.refusals -= refused
            if not refused or self.keeps_all:
                self.facts += facts
            self.changes.notify_all()
        if refused:
            raise LogUnavailable("the log is away")

    def all(self, kind: type[T]) -> list[T]:
        return [each for each in self.facts if isinstance(each, kind)]

    def wait_for(self, kind: type[T], many: int = 1) -> list[T]:
        with self.changes:
            assert self.changes.wait_for(lambda: len(self.all(kind)) >= many, 10), self.facts
        return self.all(kind)


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


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Return as soon as it holds; looks often, for who changes it tells nobody."""
    never = threading.Event()
    for _ in range(int(seconds / 0.005)):
        if condition():
            return
        never.wait(0.005)
    raise AssertionError("it never came to be")
