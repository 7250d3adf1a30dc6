"""Customers, as far as they are more than a party to threads: they can be forgotten."""

from datetime import datetime
from typing import Self
from uuid import UUID

from domain.aggregate import Aggregate


class Customer(Aggregate):
    """Begins with being forgotten; views purge what they hold when they see it."""

    TOPIC = "parley.customer.v1"

    class Created(Aggregate.Created):
        """The customer was forgotten for the first time."""

        TOPIC = "parley.customer.created.v1"
        customer_id: UUID
        by: str

        def apply(self, aggregate: "Customer") -> None:
            aggregate.customer_id = self.customer_id

    class Forgotten(Aggregate.Event):
        """The customer had returned and was forgotten again."""

        TOPIC = "parley.customer.forgotten.v1"
        customer_id: UUID
        by: str

    def __init__(self) -> None:
        """Declares the state; `Created` fills it."""
        self.customer_id: UUID

    @classmethod
    def forget_first(cls, stream_id: UUID, customer_id: UUID, by: str, at: datetime) -> Self:
        """Forget a customer who has not been forgotten before."""
        return cls._begin(cls.Created, stream_id, at, customer_id=customer_id, by=by)

    def forget(self, by: str, at: datetime) -> None:
        """Forget the customer once more."""
        self._record(self.Forgotten, at, customer_id=self.customer_id, by=by)
