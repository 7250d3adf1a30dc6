"""The values that messages are made of: how they came, what they are for, where they stand."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from domain.facts import MediaLink, ReceiptStatus


class Disposition(StrEnum):
    """What became of an inbound text when it was taken in."""

    STARTED = "started"  # it began a conversation
    JOINED = "joined"  # it joined the open one
    REFUSED = "refused"  # the mapping's maximum was reached
    KEYWORD = "keyword"  # STOP, START or HELP alone
    UNROUTED = "unrouted"  # no route has the number


class Sender(StrEnum):
    """Whose words an outbound message holds."""

    AGENT = "agent"
    SYSTEM = "system"


class Purpose(StrEnum):
    """What an outbound message is for."""

    REPLY = "reply"
    AGENT_JOINED = "agent_joined"
    AGENT_LEFT = "agent_left"
    TRANSFERRED = "transferred"
    ENDED = "ended"
    IDLE_TIMEOUT = "idle_timeout"
    MAX_CHATS = "max_chats"
    OPTED_OUT = "opted_out"
    OPTED_IN = "opted_in"
    HELP = "help"


class MessageStatus(StrEnum):
    """Where a message stands, in words for people too."""

    RECEIVED = "received"
    UNROUTED = "unrouted"
    SUPPRESSED = "suppressed"  # recorded, never sent
    REQUESTED = "requested"  # waits for its turn
    ATTEMPTING = "attempting"
    POSTPONED = "postponed"  # surely not taken; tried again later
    IN_DOUBT = "in_doubt"  # nobody knows whether it went
    ACCEPTED = "accepted"  # the provider has it
    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    REJECTED = "rejected"
    BLOCKED = "blocked"  # the customer opted out, or was forgotten, before it could go
    EXPIRED = "expired"
    DROPPED = "dropped"  # in doubt, and given up by a person


class Resolution(StrEnum):
    """What a person decides about a message in doubt."""

    RESEND = "resend"
    SENT = "sent"  # it did go
    DROP = "drop"


WAITING = (MessageStatus.REQUESTED, MessageStatus.POSTPONED)
"""Not handed over yet, and still to be."""

REPLY_TIME = timedelta(minutes=15)
"""A reply that could not be handed over within this time expires, and its agent is told."""

NOTICE_TIME = timedelta(minutes=5)
"""An automatic text that could not be handed over within this time is of no use any more."""


@dataclass(frozen=True)
class ReceiptSeen:
    """A receipt as far as it tells it from another."""

    attempt: int
    status: ReceiptStatus
    provider_status: str
    error_code: str | None


@dataclass(frozen=True)
class Envelope:
    """Between whom a text goes, and the text."""

    thread_id: UUID
    conversation_id: UUID | None
    mapping_id: UUID
    customer_id: UUID
    our_address: str
    customer_address: str
    text: str


@dataclass(frozen=True)
class Inbound:
    """How a customer's text came, and what became of it."""

    scope: str
    provider_message_id: str
    media: tuple[MediaLink, ...]
    keyword: str | None
    disposition: Disposition
    reason: str = ""  # why it is unrouted


@dataclass(frozen=True)
class Outbound:
    """Whose text it is, what for, and until when it may go."""

    sender: Sender
    agent: str | None
    purpose: Purpose
    consent_id: UUID
    expires_at: datetime
    media_ids: tuple[UUID, ...] = ()
    exempt: bool = False  # the one confirmation that an opted-out customer still gets
    suppressed: bool = False  # recorded, never sent
