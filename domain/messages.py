"""Messages: one text each, inbound or outbound, with its attempts and receipts."""

import json
from datetime import datetime
from typing import Self
from uuid import UUID

from domain.aggregate import Aggregate
from domain.errors import Clash
from domain.facts import MediaFetched, MediaLink, Outcome, ReceiptStatus, SendSettled
from domain.masking import masked
from domain.message_values import (
    WAITING,
    Disposition,
    Envelope,
    Inbound,
    MessageStatus,
    Outbound,
    Purpose,
    ReceiptSeen,
    Resolution,
    Sender,
)
from domain.values import ERASED

_OUTCOME_STATUS = {
    Outcome.REJECTED: MessageStatus.REJECTED,
    Outcome.OPTED_OUT: MessageStatus.REJECTED,
    Outcome.POSTPONED: MessageStatus.POSTPONED,
    Outcome.IN_DOUBT: MessageStatus.IN_DOUBT,
}

_RECEIPT_RANK = {
    MessageStatus.ACCEPTED: 0,
    MessageStatus.QUEUED: 1,
    MessageStatus.SENT: 2,
    MessageStatus.DELIVERED: 3,
    MessageStatus.UNDELIVERED: 3,
    MessageStatus.FAILED: 3,
    MessageStatus.READ: 4,
}


class Message(Aggregate):
    """One text. An inbound one is received; an outbound one is requested, attempted and settled."""

    TOPIC = "parley.message.v1"

    class Created(Aggregate.Created):
        """What both directions have in common; never recorded by itself."""

        TOPIC = "parley.message.created.v1"
        thread_id: UUID
        conversation_id: UUID | None
        mapping_id: UUID
        customer_id: UUID
        our_address: str
        customer_address: str
        text: str

        def apply(self, aggregate: "Message") -> None:
            aggregate.thread_id = self.thread_id
            aggregate.conversation_id = self.conversation_id
            aggregate.mapping_id = self.mapping_id
            aggregate.customer_id = self.customer_id
            aggregate.our_address = self.our_address
            aggregate.customer_address = self.customer_address
            aggregate.text = self.text
            aggregate.attempt = 0
            aggregate.settled = {}
            aggregate.accepted_as = {}
            aggregate.receipts = frozenset()
            aggregate.stored_media = frozenset()
            aggregate.provider_message_id = None

    class Received(Created):
        """A customer's text came in."""

        TOPIC = "parley.message.received.v1"
        scope: str
        provider_message_id: str
        media: tuple[str, ...]  # the content types of its pictures and files
        media_urls: str | None  # theirs, as JSON; encrypted, since whoever has the URL may have the picture
        keyword: str | None
        disposition: Disposition
        reason: str  # why it is unrouted; empty otherwise

        def apply(self, aggregate: "Message") -> None:
            super().apply(aggregate)
            unrouted = self.disposition is Disposition.UNROUTED
            aggregate.status = MessageStatus.UNROUTED if unrouted else MessageStatus.RECEIVED
            aggregate.media = self.links()
            aggregate.provider_message_id = self.provider_message_id

        def links(self) -> tuple[MediaLink, ...]:
            """Where the provider keeps its pictures and files; `ERASED` when the customer is forgotten."""
            known = self.media_urls not in (None, ERASED)
            urls = json.loads(self.media_urls or "") if known else [ERASED] * len(self.media)
            return tuple(map(MediaLink, urls, self.media))

    class Requested(Created):
        """A text is to go out (or is only recorded, when suppressed)."""

        TOPIC = "parley.message.requested.v1"
        sender: Sender
        agent: str | None
        purpose: Purpose
        media_ids: tuple[UUID, ...]
        consent_id: UUID
        exempt: bool  # the one confirmation that an opted-out customer still gets
        suppressed: bool
        expires_at: datetime

        def apply(self, aggregate: "Message") -> None:
            super().apply(aggregate)
            aggregate.status = MessageStatus.SUPPRESSED if self.suppressed else MessageStatus.REQUESTED
            aggregate.sender = self.sender
            aggregate.agent = self.agent
            aggregate.purpose = self.purpose
            aggregate.media_ids = self.media_ids
            aggregate.consent_id = self.consent_id
            aggregate.exempt = self.exempt
            aggregate.expires_at = self.expires_at

    class Routed(Aggregate.Event):
        """An unrouted text found its conversation after the fix."""

        TOPIC = "parley.message.routed.v1"
        conversation_id: UUID | None
        disposition: Disposition
        by: str

        def apply(self, aggregate: "Message") -> None:
            aggregate.conversation_id = self.conversation_id
            aggregate.status = MessageStatus.RECEIVED

    class MediaStored(Aggregate.Event):
        """One of its pictures or files was copied, or could not be."""

        TOPIC = "parley.message.media-stored.v1"
        index: int
        media_id: UUID | None
        content_type: str
        size: int
        problem: str

        def apply(self, aggregate: "Message") -> None:
            aggregate.stored_media |= {self.index}

    class Attempted(Aggregate.Event):
        """The intent to hand it over, recorded before a byte leaves."""

        TOPIC = "parley.message.attempted.v1"
        attempt: int
        lane: str
        send_by: datetime  # not a byte leaves after this

        def apply(self, aggregate: "Message") -> None:
            aggregate.attempt = self.attempt
            aggregate.status = MessageStatus.ATTEMPTING
            aggregate.attempted_at = self.timestamp
            aggregate.send_by = self.send_by

    class Accepted(Aggregate.Event):
        """The provider has it."""

        TOPIC = "parley.message.accepted.v1"
        attempt: int
        scope: str
        provider_message_id: str
        reconciled: bool  # learnt afterwards, from a receipt or the provider's records

        def apply(self, aggregate: "Message") -> None:
            aggregate.settled = {**aggregate.settled, self.attempt: Outcome.ACCEPTED}
            aggregate.provider_message_id = self.provider_message_id
            aggregate.accepted_as = {**aggregate.accepted_as, self.provider_message_id: self.attempt}
            if aggregate.status not in _RECEIPT_RANK:
                aggregate.status = MessageStatus.ACCEPTED

    class Settled(Aggregate.Event):
        """The attempt did not end in acceptance."""

        TOPIC = "parley.message.settled.v1"
        attempt: int
        outcome: Outcome
        error_code: str | None
        detail: str
        retry_at: datetime | None

        def apply(self, aggregate: "Message") -> None:
            aggregate.settled = {**aggregate.settled, self.attempt: self.outcome}
            # An earlier attempt may turn out accepted while a later one is under way: that stands.
            if aggregate.status is MessageStatus.ATTEMPTING:
                aggregate.status = _OUTCOME_STATUS[self.outcome]

    class Receipted(Aggregate.Event):
        """The provider said what became of it."""

        TOPIC = "parley.message.receipted.v1"
        attempt: int
        status: ReceiptStatus
        provider_status: str
        error_code: str | None

        def apply(self, aggregate: "Message") -> None:
            seen = ReceiptSeen(self.attempt, self.status, self.provider_status, self.error_code)
            aggregate.receipts |= {seen}
            new = MessageStatus(self.status.value)
            if _RECEIPT_RANK[new] > _RECEIPT_RANK.get(aggregate.status, -1):
                aggregate.status = new

    class Resolved(Aggregate.Event):
        """A person decided about a message in doubt."""

        TOPIC = "parley.message.resolved.v1"
        customer_id: UUID
        resolution: Resolution
        by: str
        why: str  # encrypted, since people may quote the customer
        expires_at: datetime  # of the attempt that a resend allows

        def apply(self, aggregate: "Message") -> None:
            aggregate.status = {
                Resolution.RESEND: MessageStatus.REQUESTED,
                Resolution.SENT: MessageStatus.SENT,
                Resolution.DROP: MessageStatus.DROPPED,
            }[self.resolution]
            aggregate.expires_at = self.expires_at

    class Blocked(Aggregate.Event):
        """The customer had opted out, or been forgotten, when its turn came."""

        TOPIC = "parley.message.blocked.v1"

        def apply(self, aggregate: "Message") -> None:
            aggregate.status = MessageStatus.BLOCKED

    class Expired(Aggregate.Event):
        """It could not go in its time."""

        TOPIC = "parley.message.expired.v1"

        def apply(self, aggregate: "Message") -> None:
            aggregate.status = MessageStatus.EXPIRED

    def __init__(self) -> None:
        """Declares the state; `Created` fills it."""
        self.thread_id: UUID
        self.conversation_id: UUID | None
        self.mapping_id: UUID
        self.customer_id: UUID
        self.our_address: str
        self.customer_address: str
        self.text: str
        self.status: MessageStatus
        self.media: tuple[MediaLink, ...] = ()
        self.provider_message_id: str | None
        self.sender: Sender
        self.agent: str | None
        self.purpose: Purpose
        self.media_ids: tuple[UUID, ...] = ()
        self.consent_id: UUID
        self.exempt: bool
        self.expires_at: datetime
        self.attempt: int
        self.attempted_at: datetime
        self.send_by: datetime
        self.settled: dict[int, Outcome]
        self.accepted_as: dict[str, int]  # the provider's ids, and the attempts that have them
        self.receipts: frozenset[ReceiptSeen]
        self.stored_media: frozenset[int]

    @classmethod
    def receive(cls, message_id: UUID, envelope: Envelope, inbound: Inbound, at: datetime) -> Self:
        """Take in a customer's text."""
        media = tuple(each.content_type for each in inbound.media)
        urls = json.dumps([each.url for each in inbound.media]) if inbound.media else None
        fields = {**vars(envelope), **vars(inbound), "media": media, "media_urls": urls}
        return cls._begin(cls.Received, message_id, at, **fields)

    @classmethod
    def request(cls, message_id: UUID, envelope: Envelope, outbound: Outbound, at: datetime) -> Self:
        """Ask for a text to go out."""
        return cls._begin(cls.Requested, message_id, at, **vars(envelope), **vars(outbound))

    def route(self, conversation_id: UUID | None, disposition: Disposition, by: str, at: datetime) -> None:
        """Join an unrouted text to its conversation. Raises Clash when it has been routed."""
        if self.status is not MessageStatus.UNROUTED:
            raise Clash("the message is not unrouted")
        self._record(self.Routed, at, conversation_id=conversation_id, disposition=disposition, by=by)

    def store_media(self, fact: MediaFetched, at: datetime) -> None:
        """Note that one of its pictures or files was copied, or why not."""
        if fact.index not in self.stored_media:
            self._record(
                self.MediaStored,
                at,
                index=fact.index,
                media_id=fact.media_id,
                content_type=fact.content_type,
                size=fact.size,
                problem=masked(fact.problem),
            )

    def may_go(self, at: datetime) -> bool:
        """Whether it still waits to be handed over and its time is not over."""
        return self.status in WAITING and at < self.expires_at

    def attempt_sending(self, lane: str, send_by: datetime, at: datetime) -> int:
        """Record the intent to hand it over; the attempt's number, from 1."""
        number = self.attempt + 1
        self._record(self.Attempted, at, attempt=number, lane=lane, send_by=send_by)
        return number

    def block(self, at: datetime) -> None:
        """The customer has opted out or was forgotten: it never goes."""
        self._record(self.Blocked, at)

    def accept(
        self, attempt: int, scope: str, provider_message_id: str, at: datetime, *, reconciled: bool
    ) -> None:
        """The provider has it. Repeated, it changes nothing."""
        if 0 < attempt <= self.attempt and self.settled.get(attempt) is not Outcome.ACCEPTED:
            self._record(
                self.Accepted,
                at,
                attempt=attempt,
                scope=scope,
                provider_message_id=provider_message_id,
                reconciled=reconciled,
            )

    def settle(self, fact: SendSettled, at: datetime) -> bool:
        """An attempt ended without acceptance; False, and nothing changes, when it is settled already."""
        if fact.attempt != self.attempt or fact.attempt in self.settled:
            return False
        self._record(
            self.Settled,
            at,
            attempt=fact.attempt,
            outcome=fact.outcome,
            error_code=fact.error_code,
            detail=masked(fact.detail),
            retry_at=fact.retry_at,
        )
        return True

    def receipt(self, seen: ReceiptSeen, at: datetime) -> bool:
        """Keep what the provider says became of it; False when it said exactly so before."""
        if seen in self.receipts or not 0 < seen.attempt <= self.attempt:
            return False
        self._record(
            self.Receipted,
            at,
            attempt=seen.attempt,
            status=seen.status,
            provider_status=seen.provider_status,
            error_code=seen.error_code,
        )
        return True

    def refuse_unless_in_doubt(self) -> None:
        """Raises Clash when nothing about it is left to a person."""
        if self.status is not MessageStatus.IN_DOUBT:
            raise Clash(f"the message is not in doubt: it is {self.status}")

    def resolve(self, resolution: Resolution, by: str, why: str, expires_at: datetime, at: datetime) -> None:
        """Decide about a message in doubt. Raises Clash when it is not in doubt."""
        self.refuse_unless_in_doubt()
        self._record(
            self.Resolved,
            at,
            customer_id=self.customer_id,
            resolution=resolution,
            by=by,
            why=why,
            expires_at=expires_at,
        )

    def expire(self, at: datetime) -> bool:
        """Give it up because its time is over; False when it is not, or it has gone."""
        if self.status not in WAITING or at < self.expires_at:
            return False
        self._record(self.Expired, at)
        return True
