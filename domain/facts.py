"""Facts: what enters by the ingress log.

What providers tell us, the outcomes of our own sends, and deadlines falling due become facts, and
facts become events only through ingest. A fact is immutable and says nothing about what it means:
`intake.py` decides that.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from domain.alphabets import Alphabet


class ReceiptStatus(StrEnum):
    """What a provider says became of an attempt, in the order in which it can only advance."""

    QUEUED = "queued"
    SENT = "sent"
    UNDELIVERED = "undelivered"
    DELIVERED = "delivered"
    FAILED = "failed"
    READ = "read"


class Outcome(StrEnum):
    """What became of handing an attempt to a provider."""

    ACCEPTED = "accepted"  # the provider took it and gave it an id
    REJECTED = "rejected"  # it never will: the customer or the text is refused
    OPTED_OUT = "opted_out"  # rejected, because the provider's own list has the customer opted out
    POSTPONED = "postponed"  # surely not taken: may be tried again
    IN_DOUBT = "in_doubt"  # nobody knows: never silently tried again


class DeadlineKind(StrEnum):
    """What can fall due."""

    IDLE = "idle"  # a conversation without a message from either side
    EXPIRY = "expiry"  # an outbound message that could not go in its time
    AGENT_LOST = "agent_lost"  # an agent whose desk has been disconnected for the grace period
    PARTS = "parts"  # a long text of which not all parts have come


@dataclass(frozen=True)
class MediaLink:
    """A picture or file of an MMS, where the provider keeps it."""

    url: str
    content_type: str


@dataclass(frozen=True)
class TextReceived:
    """A customer's text, as a provider delivered it."""

    TOPIC: ClassVar[str] = "parley.fact.text-received.v1"

    key: UUID  # the thread
    mapping_id: UUID
    scope: str  # within which provider_message_id is unique: the provider and its account
    provider_message_id: str
    our_address: str
    customer_address: str
    text: str
    media: tuple[MediaLink, ...]
    keyword: str | None  # STOP, START or HELP, where the provider itself acted on it
    raw: str  # the payload as it came, for people who investigate


@dataclass(frozen=True)
class TextWithoutId:
    """A customer's text by a provider that gives no id to it (SMPP)."""

    TOPIC: ClassVar[str] = "parley.fact.text-without-id.v1"

    key: UUID  # the thread
    mapping_id: UUID
    scope: str  # the provider and its account
    our_address: str
    customer_address: str
    text: str
    raw: str  # the payload as it came, for people who investigate
    delivery_id: str  # ours, new for each delivery: the same fact twice on the log has the same
    content: UUID  # `Identities.content`: equal where everything between the same two is equal
    # Not None: it came just after a reconnect, or a refusal of ours, that may have lost our acknowledgement:
    # equal ones accepted since then may be this very text.
    repeats_since: datetime | None
    occurrence: int  # how many equal ones have come under that suspicion, with this one; else 0


@dataclass(frozen=True)
class PartReceived:
    """One part of a customer's long text, by a provider that does not put parts together (SMPP)."""

    TOPIC: ClassVar[str] = "parley.fact.part-received.v1"

    key: UUID  # the thread
    mapping_id: UUID
    scope: str  # the provider and its account
    our_address: str
    customer_address: str
    raw: str  # the payload as it came, for people who investigate
    reference: int  # the sender's number for the long text; used again after a while
    total: int  # how many parts it has
    number: int  # which one this is, from 1
    alphabet: Alphabet
    data: bytes  # without the header that makes it a part


@dataclass(frozen=True)
class ReceiptReceived:
    """What a provider says of an earlier attempt."""

    TOPIC: ClassVar[str] = "parley.fact.receipt-received.v1"

    key: UUID  # the thread where both addresses are known, else the message or the provider's id
    mapping_id: UUID
    scope: str
    provider_message_id: str
    message_id: UUID | None  # known when our attempt's id came back with the receipt
    attempt: int | None
    status: ReceiptStatus
    provider_status: str
    error_code: str | None
    raw: str


@dataclass(frozen=True)
class SendSettled:
    """The outcome of an attempt of ours, or of looking it up afterwards."""

    TOPIC: ClassVar[str] = "parley.fact.send-settled.v1"

    key: UUID  # the thread
    message_id: UUID
    attempt: int
    outcome: Outcome
    scope: str
    provider_message_id: str | None
    error_code: str | None
    detail: str
    retry_at: datetime | None  # when POSTPONED
    reconciled: bool  # True when the provider's records were looked up afterwards


@dataclass(frozen=True)
class DeadlineFell:
    """A deadline that has fallen due."""

    TOPIC: ClassVar[str] = "parley.fact.deadline-fell.v1"

    key: UUID  # the thread, or the agent
    kind: DeadlineKind
    subject_id: UUID  # conversation, message, agent or long text
    due_at: datetime


@dataclass(frozen=True)
class MediaFetched:
    """A picture or file of an inbound message has been copied into Parley, or could not be."""

    TOPIC: ClassVar[str] = "parley.fact.media-fetched.v1"

    key: UUID  # the thread
    message_id: UUID
    index: int  # which of the message's media, from 0
    media_id: UUID | None  # None when it could not be had
    content_type: str
    size: int  # octets
    problem: str  # why not, in words for people; empty when it worked


Fact = (
    TextReceived | TextWithoutId | PartReceived | ReceiptReceived | SendSettled | DeadlineFell | MediaFetched
)

FACTS: tuple[type[Fact], ...] = (
    TextReceived,
    TextWithoutId,
    PartReceived,
    ReceiptReceived,
    SendSettled,
    DeadlineFell,
    MediaFetched,
)
