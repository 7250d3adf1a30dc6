"""Conversations and messages as readers get them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from database.sql import Row, moment, unhexed, unpacked
from domain.conversations import EndOutcome, EndReason, Origin, State
from domain.facts import Outcome, ReceiptStatus
from domain.message_values import Disposition, MessageStatus, Purpose, Resolution, Sender
from domain.values import DeliveryProvider
from projections.history_tables import OPEN


@dataclass(frozen=True)
class ConversationView:
    """One conversation."""

    id: UUID
    thread_id: UUID
    customer_id: UUID
    customer_address: str
    our_address: str
    display_name: str  # of the route as it is now; empty when no mapping has the number any more
    mapping_id: UUID
    mapping_code: str
    mapping_version: int
    delivery_provider: DeliveryProvider
    origin: Origin
    state: State
    queue: str | None
    agent: str | None
    opted_out: bool
    started_at: datetime
    last_activity_at: datetime
    idle_due_at: datetime | None  # while it is open
    queued_at: datetime | None  # when it last entered a queue
    assigned_at: datetime | None  # when its agent, the last one, got it
    first_response_at: datetime | None
    ended_at: datetime | None
    end_reason: EndReason | None
    outcome: EndOutcome | None
    ended_by: str | None
    work_code: str | None
    waited_seconds: int  # in queues, until agents got it
    closed: bool  # a missed or refused one that is off the list
    closed_by: str | None
    followed_up_in: UUID | None  # the conversation in which somebody wrote back
    position: int  # of its last change


@dataclass(frozen=True)
class MediaView:
    """A picture or file of a message. `media_id` is None until it is copied, or when it could not be."""

    content_type: str
    media_id: UUID | None
    size: int | None  # octets
    problem: str  # why it could not be had; empty otherwise


@dataclass(frozen=True)
class MessageView:
    """One message."""

    id: UUID
    conversation_id: UUID | None
    thread_id: UUID
    mapping_id: UUID
    customer_id: UUID
    our_address: str
    customer_address: str
    inbound: bool
    text: str
    at: datetime
    status: MessageStatus
    sender: Sender | None  # of an outbound one
    agent: str | None
    purpose: Purpose | None
    keyword: str | None  # of an inbound one
    disposition: Disposition | None
    reason: str  # why it is unrouted
    expires_at: datetime | None
    media: tuple[MediaView, ...]
    attempt: int  # how many there were
    provider_message_id: str | None
    error_code: str | None
    error_detail: str
    resolution: Resolution | None
    resolved_by: str | None
    resolved_why: str | None
    sequence: int  # its place among all messages
    position: int  # of its last change


@dataclass(frozen=True)
class AttemptView:
    """One try at handing a message over."""

    attempt: int
    lane: str
    attempted_at: datetime
    send_by: datetime
    outcome: Outcome | None
    settled_at: datetime | None
    provider_message_id: str | None
    error_code: str | None
    detail: str
    retry_at: datetime | None
    reconciled: bool


@dataclass(frozen=True)
class ReceiptView:
    """What the provider said of an attempt."""

    attempt: int
    received_at: datetime
    status: ReceiptStatus
    provider_status: str
    error_code: str | None


@dataclass(frozen=True)
class MessageDetail:
    """A message with all that was tried and said."""

    message: MessageView
    attempts: tuple[AttemptView, ...]
    receipts: tuple[ReceiptView, ...]


# Consent towards the sender scope that it began with, and towards our own address: either may say no.
CONVERSATION_COLUMNS = """c.*, r.display_name,
    EXISTS (SELECT 1 FROM consents k WHERE k.id = c.consent_id AND k.opted_out = 1)
    OR EXISTS (SELECT 1 FROM consents k WHERE k.customer_id = c.customer_id AND k.scope = c.our_address
        AND k.opted_out = 1) AS opted_out"""
CONVERSATION_JOINS = "LEFT JOIN routes r ON r.address = c.our_address"


def conversation_of(row: Row) -> ConversationView:
    """The document of a row of `CONVERSATION_COLUMNS`."""
    last_activity_at = moment(row["last_activity_at"])
    idle_due_at = last_activity_at + timedelta(minutes=row["idle_minutes"])
    return ConversationView(
        id=UUID(row["id"]),
        thread_id=UUID(row["thread_id"]),
        customer_id=UUID(row["customer_id"]),
        customer_address=row["customer_address"],
        our_address=row["our_address"],
        display_name=row["display_name"] or "",
        mapping_id=UUID(row["mapping_id"]),
        mapping_code=row["mapping_code"],
        mapping_version=row["mapping_version"],
        delivery_provider=DeliveryProvider(row["delivery_provider"]),
        origin=Origin(row["origin"]),
        state=State(row["state"]),
        queue=row["queue"],
        agent=row["agent"],
        opted_out=bool(row["opted_out"]),
        started_at=moment(row["started_at"]),
        last_activity_at=last_activity_at,
        idle_due_at=idle_due_at if row["state"] in OPEN else None,
        queued_at=moment(row["queued_at"]),
        assigned_at=moment(row["assigned_at"]),
        first_response_at=moment(row["first_response_at"]),
        ended_at=moment(row["ended_at"]),
        end_reason=row["end_reason"] and EndReason(row["end_reason"]),
        outcome=row["outcome"] and EndOutcome(row["outcome"]),
        ended_by=row["ended_by"],
        work_code=row["work_code"],
        waited_seconds=row["waited_seconds"],
        closed=bool(row["closed"]),
        closed_by=row["closed_by"],
        followed_up_in=unhexed(row["followed_up_in"]),
        position=row["position"],
    )


def message_of(row: Row) -> MessageView:
    """The document of a row of `messages`."""
    return MessageView(
        id=UUID(row["id"]),
        conversation_id=unhexed(row["conversation_id"]),
        thread_id=UUID(row["thread_id"]),
        mapping_id=UUID(row["mapping_id"]),
        customer_id=UUID(row["customer_id"]),
        our_address=row["our_address"],
        customer_address=row["customer_address"],
        inbound=bool(row["inbound"]),
        text=row["text"],
        at=moment(row["at"]),
        status=MessageStatus(row["status"]),
        sender=row["sender"] and Sender(row["sender"]),
        agent=row["agent"],
        purpose=row["purpose"] and Purpose(row["purpose"]),
        keyword=row["keyword"],
        disposition=row["disposition"] and Disposition(row["disposition"]),
        reason=row["reason"] or "",
        expires_at=moment(row["expires_at"]),
        media=tuple(_media_of(each) for each in unpacked(row["media"])),
        attempt=row["attempt"],
        provider_message_id=row["provider_message_id"],
        error_code=row["error_code"],
        error_detail=row["error_detail"],
        resolution=row["resolution"] and Resolution(row["resolution"]),
        resolved_by=row["resolved_by"],
        resolved_why=row["resolved_why"],
        sequence=row["sequence"],
        position=row["position"],
    )


def _media_of(media: Row) -> MediaView:
    return MediaView(
        content_type=media.get("content_type", ""),
        media_id=unhexed(media.get("media_id")),
        size=media.get("size"),
        problem=media.get("problem", ""),
    )


def attempt_of(row: Row) -> AttemptView:
    """The document of a row of `attempts`."""
    return AttemptView(
        attempt=row["attempt"],
        lane=row["lane"],
        attempted_at=moment(row["attempted_at"]),
        send_by=moment(row["send_by"]),
        outcome=row["outcome"] and Outcome(row["outcome"]),
        settled_at=moment(row["settled_at"]),
        provider_message_id=row["provider_message_id"],
        error_code=row["error_code"],
        detail=row["detail"],
        retry_at=moment(row["retry_at"]),
        reconciled=bool(row["reconciled"]),
    )


def receipt_of(row: Row) -> ReceiptView:
    """The document of a row of `receipts`."""
    return ReceiptView(
        attempt=row["attempt"],
        received_at=moment(row["received_at"]),
        status=ReceiptStatus(row["status"]),
        provider_status=row["provider_status"],
        error_code=row["error_code"],
    )
