"""Consent: whether a customer may be texted from a sender scope.

A scope is one of our addresses, or what its provider pools it with (a Messaging Service). The
stream begins with the first STOP: who never opted out has none.
"""

from datetime import datetime
from typing import Self
from uuid import UUID

from domain.aggregate import Aggregate


class Consent(Aggregate):
    """A customer's standing with one sender scope."""

    TOPIC = "parley.consent.v1"

    class Created(Aggregate.Created):
        """The customer opted out for the first time."""

        TOPIC = "parley.consent.created.v1"
        customer_id: UUID
        scope: str
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
