"""What a provider brings that gives no ids and puts no parts together, as facts for a `Stage`."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from domain.alphabets import Alphabet, encode
from domain.facts import DeadlineKind, PartReceived, TextWithoutId
from domain.long_texts import LongText
from tests.domain.given import CUSTOMER, OURS, Events, Stage

SCOPE = "smpp:TW"


def without_id(
    stage: Stage, text: str = "Hello", customer: str = CUSTOMER, delivery: str = "d1", **suspicion: Any
) -> TextWithoutId:
    """A text under no suspicion of being a repeat, unless `repeats_since` and `occurrence` are given."""
    return TextWithoutId(
        key=stage.ids.thread(OURS, customer),
        mapping_id=stage.ids.mapping("TW"),
        scope=SCOPE,
        our_address=OURS,
        customer_address=customer,
        text=text,
        raw="",
        delivery_id=delivery,
        content=stage.ids.content(SCOPE, OURS, customer, text),
        **({"repeats_since": None, "occurrence": 0} | suspicion),
    )


def part(
    stage: Stage,
    number: int,
    text: str | bytes,
    *,
    total: int = 3,
    reference: int = 7,
    customer: str = CUSTOMER,
    alphabet: Alphabet = Alphabet.GSM,
) -> PartReceived:
    """One part of a long text: of three, and in GSM's alphabet, unless told otherwise."""
    data = text if isinstance(text, bytes) else encode(text, alphabet)
    assert data is not None
    return PartReceived(
        key=stage.ids.thread(OURS, customer),
        mapping_id=stage.ids.mapping("TW"),
        scope=SCOPE,
        our_address=OURS,
        customer_address=customer,
        raw="",
        reference=reference,
        total=total,
        number=number,
        alphabet=alphabet,
        data=data,
    )


def parts(stage: Stage, *texts: str | bytes, **fields: Any) -> list[PartReceived]:
    """All the parts of a long text, in order."""
    return [part(stage, number, text, total=len(texts), **fields) for number, text in enumerate(texts, 1)]


def long_text_id(stage: Stage, fact: PartReceived) -> UUID:
    """The stream that a part belongs to."""
    return stage.ids.long_text(
        fact.scope, fact.our_address, fact.customer_address, fact.reference, fact.total
    )


def long_text(stage: Stage, fact: PartReceived) -> LongText:
    """What a part belongs to, as it is now."""
    return stage.get(LongText, long_text_id(stage, fact))


def overdue(stage: Stage, fact: PartReceived) -> Events:
    """The time for the missing parts of what this part belongs to falls due now."""
    return stage.deadline(DeadlineKind.PARTS, long_text_id(stage, fact))


def ingest_each(stage: Stage, facts: Sequence[PartReceived | TextWithoutId]) -> Events:
    """One batch each."""
    return [event for fact in facts for event in stage.ingest(fact)]
