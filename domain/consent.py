"""Consent: whether a customer may be texted from a sender scope.

A scope is one of our addresses, or what its provider pools it with (a Messaging Service). The
stream begins with the first STOP: who never opted out has none.

Where the scope is wider than our address there are two streams, one for each: an opt-out then holds
for the whole pool, and still holds when the number leaves it. Either may say no.
"""

from datetime import datetime
from typing import Protocol, Self
from uuid import UUID

from domain.aggregate import Aggregate
from domain.ids import Identities
from domain.values import ERASED


class Between(Protocol):
    """What is between one of our addresses and a customer: a meeting, a conversation, a message."""

    @property
    def our_address(self) -> str:
        """One of our addresses."""

    @property
    def customer_address(self) -> str:
        """The customer's, unless they have been forgotten."""

    @property
    def customer_id(self) -> UUID:
        """The customer, whether forgotten or not."""

    @property
    def consent_id(self) -> UUID:
        """The stream of the customer's consent towards the sender scope."""


def consents(ids: Identities, between: Between) -> tuple[UUID, ...]:
    """The streams that say whether the customer may be texted: the sender scope's and our own address's.

    Of who was forgotten only the first is known, and nothing goes to them anyway.
    """
    if between.customer_address == ERASED:
        return (between.consent_id,)
    own = ids.consent(between.our_address, between.customer_address)
    return tuple(dict.fromkeys((between.consent_id, own)))


class Consent(Aggregate):
    """A customer's standing with one sender scope."""

    TOPIC = "parley.consent.v1"

    class Created(Aggregate.Created):
        """The customer opted out for the first time."""

        TOPIC = "parley.consent.created.v1"
        customer_id: UUID
        scope: str  # empty where only its id is known
        source: str

        def apply(self, aggregate: "Consent") -> None:
            aggregate.customer_id = self.customer_id
            aggregate.scope = self.scope
            aggregate.opted_out = True

    class OptedOut(Aggregate.Event):
        """The customer opted out again."""

        TOPIC = "parley.consent.opted-out.v1"
        customer_id: UUID
        source: str

        def apply(self, aggregate: "Consent") -> None:
            aggregate.opted_out = True

    class OptedIn(Aggregate.Event):
        """The customer opted back in."""

        TOPIC = "parley.consent.opted-in.v1"
        customer_id: UUID
        source: str

        def apply(self, aggregate: "Consent") -> None:
            aggregate.opted_out = False

    def __init__(self) -> None:
        """Declares the state; `Created` fills it."""
        self.customer_id: UUID
        self.scope: str
        self.opted_out: bool

    @classmethod
    def create(cls, consent_id: UUID, customer_id: UUID, scope: str, source: str, at: datetime) -> Self:
        """Record the first opt-out. `source` says how it is known: a text, the provider's list."""
        return cls._begin(cls.Created, consent_id, at, customer_id=customer_id, scope=scope, source=source)

    def opt_out(self, source: str, at: datetime) -> None:
        """Record an opt-out; repeated, it changes nothing."""
        if not self.opted_out:
            self._record(self.OptedOut, at, customer_id=self.customer_id, source=source)

    def opt_in(self, source: str, at: datetime) -> None:
        """Record an opt-in; without an opt-out before, it changes nothing."""
        if self.opted_out:
            self._record(self.OptedIn, at, customer_id=self.customer_id, source=source)
