"""The far end of a provider, as the contract needs it: one class for each way in which texts can come.

A package that brings a provider derives one of them, over a fake of its gateway or over the gateway's own
sandbox. What the far end does not have, it declares: the tests that need it are then skipped, saying so.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, TypeVar

from contracts.far_end import Fault
from domain.errors import LogUnavailable
from domain.facts import Fact, ReceiptReceived, ReceiptStatus, TextReceived, TextWithoutId
from domain.ids import Identities
from domain.providers import Account, NotTaken, OutboundMessage, Provider, Unknown, WebhookRequest

IDS = Identities(b"an identity key of 32 bytes or more")
PATIENCE = 10.0
"""Seconds that a test waits for what should come at once."""

Text = TextReceived | TextWithoutId
T = TypeVar("T", bound=Fact)


def wait_until(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Return as soon as it holds; looks often, for who changes it tells nobody. Raises AssertionError."""
    never = threading.Event()
    for _ in range(int(seconds / 0.005)):
        if condition():
            return
        never.wait(0.005)
    raise AssertionError("it never came to be")


class Counterpart(ABC):
    """What every far end has. Derive one of the two below."""

    provider: Provider
    account: Account
    wrong_account: Account | None  # the same with credentials that are refused; None: it refuses none
    customer: str
    refused_customer: str  # never a number that can be sent to
    opted_out_customer: str | None  # on the provider's own opt-out list; None: it keeps none
    faults: frozenset[Fault] = frozenset(Fault) - {Fault.SLOW}  # what it can be made to do wrong
    failed_means: ClassVar[type[NotTaken] | type[Unknown]] = Unknown  # an answer that says it failed

    @property
    @abstractmethod
    def accepted(self) -> list[str]:
        """The texts it took, in order."""

    @abstractmethod
    def fail_next(self, fault: Fault, message: OutboundMessage) -> OutboundMessage:
        """Make the next request go wrong, which will be for this message.

        Returns the message to send: this one, or another where the far end goes by magic numbers.
        """

    @abstractmethod
    def unreachable(self) -> Account | None:
        """The account where nobody listens; None where there is no network in between."""

    @abstractmethod
    def unsupported(self) -> list[OutboundMessage]:
        """Messages that need what the provider does not have, beyond its declared limits."""

    @abstractmethod
    def receive_text(self, text: str) -> Text:
        """A new text of the customer's to the account's first address, as the provider reads it."""

    @abstractmethod
    def receive_receipt(
        self, message: OutboundMessage, provider_message_id: str, status: ReceiptStatus
    ) -> ReceiptReceived:
        """A receipt of a message that it took, as the provider reads it."""


class WebhookCounterpart(Counterpart):
    """A far end that calls webhooks."""

    signed: frozenset[str] = frozenset({"body", "url"})  # what its signatures cover

    @abstractmethod
    def text(self, text: str, provider_message_id: str) -> WebhookRequest:
        """A customer's text, signed."""

    @abstractmethod
    def receipt(
        self, message: OutboundMessage, provider_message_id: str, status: ReceiptStatus
    ) -> WebhookRequest | None:
        """A receipt of a message, signed. None: they come another way, by `receive_receipt`."""

    @abstractmethod
    def new_id(self) -> str:
        """An id as the provider gives them."""

    def read(self, request: WebhookRequest) -> Fact:
        """The one fact that a webhook says."""
        [fact] = self.provider.read_webhook(self.account, request, IDS).facts
        return fact

    def receive_text(self, text: str) -> Text:
        fact = self.read(self.text(text, self.new_id()))
        assert isinstance(fact, Text)
        return fact

    def receive_receipt(
        self, message: OutboundMessage, provider_message_id: str, status: ReceiptStatus
    ) -> ReceiptReceived:
        request = self.receipt(message, provider_message_id, status)
        assert request is not None, "where receipts come by no webhook, override receive_receipt"
        fact = self.read(request)
        assert isinstance(fact, ReceiptReceived)
        return fact


class Inbox:
    """Where a carrier delivers: facts are made durable, in the end. The first `refusals` are refused.

    With `keeps_all` those are kept all the same, as a log may have done that could not promise it.
    """

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.refusals = 0
        self.refused = 0  # how many have been
        self.keeps_all = False
        self.changes = threading.Condition()

    def deliver(self, facts: Sequence[Fact]) -> None:
        """Make them durable. Raises LogUnavailable."""
        with self.changes:
            is_refused = self.refusals > 0
            self.refusals -= is_refused
            self.refused += is_refused
            if not is_refused or self.keeps_all:
                self.facts += facts
            self.changes.notify_all()
        if is_refused:
            raise LogUnavailable("the log is away")

    def all(self, kind: type[T]) -> list[T]:
        """The facts of this kind."""
        return [each for each in self.facts if isinstance(each, kind)]

    def wait(self, condition: Callable[[], bool]) -> None:
        """Return when it holds, which only a delivery can bring about. Raises AssertionError."""
        with self.changes:
            assert self.changes.wait_for(condition, PATIENCE), self.facts

    def wait_for(self, kind: type[T], many: int = 1) -> list[T]:
        """The facts of this kind, once there are so many. Raises AssertionError."""
        self.wait(lambda: len(self.all(kind)) >= many)
        return self.all(kind)


class StandingCounterpart(Counterpart):
    """A far end that speaks on connections which the carrier keeps open. `inbox` is where that delivers."""

    def __init__(self) -> None:
        self.inbox = Inbox()

    @property
    @abstractmethod
    def connected(self) -> int:
        """How many connections it has, as it sees them."""

    @property
    @abstractmethod
    def acknowledged(self) -> int:
        """How many of its deliveries have been acknowledged to it."""

    @abstractmethod
    def say_text(self, text: str) -> None:
        """Deliver a new text of the customer's."""

    @abstractmethod
    def say_receipt(self, message: OutboundMessage, provider_message_id: str, status: ReceiptStatus) -> None:
        """Deliver a receipt."""

    @abstractmethod
    def lose_acknowledgement(self) -> None:
        """Lose the next acknowledgement, with the connection that it comes by."""

    @abstractmethod
    def redeliver(self) -> None:
        """Deliver again all that is not acknowledged, as soon as it is known that it was not."""

    @abstractmethod
    def leave(self) -> None:
        """End every connection, and take no new ones."""

    @abstractmethod
    def come_back(self) -> None:
        """Take connections again."""

    def receive_text(self, text: str) -> Text:
        fact = self._next(lambda: self.say_text(text))
        assert isinstance(fact, Text)
        return fact

    def receive_receipt(
        self, message: OutboundMessage, provider_message_id: str, status: ReceiptStatus
    ) -> ReceiptReceived:
        fact = self._next(lambda: self.say_receipt(message, provider_message_id, status))
        assert isinstance(fact, ReceiptReceived)
        return fact

    def _next(self, say: Callable[[], None]) -> Fact:
        """The fact that comes of what the far end says."""
        before = len(self.inbox.facts)
        say()
        self.inbox.wait(lambda: len(self.inbox.facts) > before)
        return self.inbox.facts[before]
