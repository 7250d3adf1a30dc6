"""Long texts: what a customer's telephone cut into parts (3GPP TS 23.040, 9.2.3.24), put together again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Self
from uuid import UUID

from domain import facts
from domain.aggregate import Aggregate
from domain.alphabets import Alphabet, decode
from domain.facts import TextReceived
from domain.values import ERASED

PARTS_WAIT = timedelta(minutes=10)
"""What has not come so long after the first part that came is not waited for any more."""

MISSING = "[…]"
"""Stands in a text where parts of it are missing."""

MOST_PARTS = 255
MOST_OCTETS = 1000
"""Of a part. A short message holds 140; the most parts of this size still make a text that can be stored."""


@dataclass(frozen=True)
class Part:
    """One part as it is kept: hexadecimal, or `ERASED` once the customer has been forgotten."""

    alphabet: Alphabet
    data: str


class LongText(Aggregate):
    """The texts whose parts come with one reference between the same two: telephones use it again, so that
    there may be many of them, one after the other. Each is a round; the next begins when one is over.
    """

    TOPIC = "parley.long-text.v1"

    class Created(Aggregate.Created):
        """A part came with a reference that had not been used before between the two."""

        TOPIC = "parley.long-text.created.v1"
        scope: str
        our_address: str
        reference: int
        total: int

        def apply(self, aggregate: "LongText") -> None:
            aggregate.scope = self.scope
            aggregate.our_address = self.our_address
            aggregate.total = self.total
            aggregate.round = 0
            aggregate.parts = {}
            aggregate.completed = {}
            aggregate.completed_at = None

    class PartReceived(Aggregate.Event):
        """One part of a text that is not over came in."""

        TOPIC = "parley.long-text.part-received.v1"
        round: int  # from 1
        thread_id: UUID
        mapping_id: UUID
        customer_id: UUID
        customer_address: str
        number: int  # from 1
        alphabet: Alphabet
        data: str  # hexadecimal

        def apply(self, aggregate: "LongText") -> None:
            if not aggregate.parts:
                aggregate.round = self.round
                aggregate.began_at = self.timestamp
            aggregate.thread_id = self.thread_id
            aggregate.mapping_id = self.mapping_id
            aggregate.customer_address = self.customer_address
            aggregate.parts = {**aggregate.parts, self.number: Part(self.alphabet, self.data)}

    class Completed(Aggregate.Event):
        """All parts were there: together they are a message."""

        TOPIC = "parley.long-text.completed.v1"
        round: int

        def apply(self, aggregate: "LongText") -> None:
            aggregate.completed, aggregate.parts = aggregate.parts, {}
            aggregate.completed_at = self.timestamp

    class GivenUp(Aggregate.Event):
        """Not all parts came: those that did are a message, unless the customer was forgotten meanwhile."""

        TOPIC = "parley.long-text.given-up.v1"
        round: int
        missing: tuple[int, ...]

        def apply(self, aggregate: "LongText") -> None:
            aggregate.parts = {}

    def __init__(self) -> None:
        """Declares the state; `Created` fills it."""
        self.scope: str
        self.our_address: str
        self.total: int
        self.round: int
        self.began_at: datetime
        self.thread_id: UUID
        self.mapping_id: UUID
        self.customer_address: str
        self.parts: dict[int, Part]  # of the text that is not over, by number; empty when there is none
        self.completed: dict[int, Part]  # of the last one that was complete
        self.completed_at: datetime | None

    @classmethod
    def create(cls, long_text_id: UUID, part: facts.PartReceived, at: datetime) -> Self:
        """For the first part with its reference, which is still to be taken."""
        return cls._begin(
            cls.Created,
            long_text_id,
            at,
            scope=part.scope,
            our_address=part.our_address,
            reference=part.reference,
            total=part.total,
        )

    def take(self, part: facts.PartReceived, customer_id: UUID, at: datetime) -> TextReceived | None:
        """Take in a part; the text that is over by that, as if its provider had put it together. It is
        complete, or given up because this part is one of another text.

        Raises ValueError for what can be no part.
        """
        _check(part)
        kept = Part(part.alphabet, part.data.hex())
        if self._is_repeat(part.number, kept, at):
            return None
        another = part.number in self.parts or self._is_erased
        over = self.give_up(at) if another else None
        self._record(
            self.PartReceived,
            at,
            round=self.round if self.parts else self.round + 1,
            thread_id=part.key,
            mapping_id=part.mapping_id,
            customer_id=customer_id,
            customer_address=part.customer_address,
            number=part.number,
            alphabet=kept.alphabet,
            data=kept.data,
        )
        if len(self.parts) < self.total:
            return over
        whole = self.remains()
        self._record(self.Completed, at, round=self.round)
        return whole

    def expire(self, at: datetime) -> TextReceived | None:
        """Give up what is not complete in its time; what has come of it."""
        if not self.parts or at < self.began_at + PARTS_WAIT:
            return None
        return self.give_up(at)

    def give_up(self, at: datetime) -> TextReceived | None:
        """Wait no longer for what is missing; what has come."""
        text = self.remains()
        missing = tuple(each for each in self._numbers if each not in self.parts)
        self._record(self.GivenUp, at, round=self.round, missing=missing)
        return text

    def remains(self) -> TextReceived | None:
        """What has come of the text that is not over, as a text; None when there is none, and when its
        customer has been forgotten.
        """
        if not self.parts or self._is_erased:
            return None
        return TextReceived(
            key=self.thread_id,
            mapping_id=self.mapping_id,
            scope=self.scope,
            provider_message_id=f"{self.id.hex}:{self.round}",
            our_address=self.our_address,
            customer_address=self.customer_address,
            text=_joined([self.parts.get(each) for each in self._numbers]),
            media=(),
            keyword=None,
            raw="",
        )

    @property
    def _numbers(self) -> range:
        return range(1, self.total + 1)

    @property
    def _is_erased(self) -> bool:
        return any(part.data == ERASED for part in self.parts.values())

    def _is_repeat(self, number: int, part: Part, at: datetime) -> bool:
        if self.parts.get(number) == part:
            return True
        recent = self.completed_at is not None and at - self.completed_at < PARTS_WAIT
        return recent and self.completed.get(number) == part


def _check(part: facts.PartReceived) -> None:
    if not 1 <= part.number <= part.total <= MOST_PARTS:
        raise ValueError(f"part {part.number} of {part.total}: it must be between 1 and {MOST_PARTS}")
    if len(part.data) > MOST_OCTETS:
        raise ValueError(f"part {part.number} has {len(part.data)} octets; at most {MOST_OCTETS} are allowed")


def _joined(parts: list[Part | None]) -> str:
    """The text of parts in order. A part may end within a character: their octets are joined first."""
    texts = []
    for alphabet, run in groupby(parts, lambda part: part.alphabet if part else None):
        octets = b"".join(bytes.fromhex(part.data) for part in run if part)
        texts.append(decode(octets, alphabet) if alphabet else MISSING)
    return "".join(texts)
