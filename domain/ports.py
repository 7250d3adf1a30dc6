"""The ports: everything that the domain and its workers need from the world outside.

Each is a small protocol with one implementation per outside system in `adapters/` (and the
projections' lookups in `projections/`), each proven by one contract suite in `tests/contracts/`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from eventsourcing.domain import Aggregate, AggregateEvent

from domain.facts import Fact


class Clock(Protocol):
    """The time, as UTC with a time zone."""

    def now(self) -> datetime:
        """The present moment."""


class RandomIds(Protocol):
    """Fresh random ids, for what has no name of its own."""

    def new(self) -> UUID:
        """An id that never was before."""


# ── the log ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class NewRecord:
    """A record to append. Records with the same key keep their order.

    `accepted_at`: when it was accepted, where that was earlier than now (it comes from a spool).
    """

    key: bytes
    value: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    accepted_at: datetime | None = None


@dataclass(frozen=True)
class Record:
    """A record as the log keeps it.

    `accepted_at` is by the clock of the process that accepted it, to the millisecond at least: processes'
    clocks differ, and what waited in a spool comes late, so it may be earlier than that of a record before.
    """

    partition: int
    offset: int
    key: bytes
    value: bytes
    headers: Mapping[str, str]
    accepted_at: datetime


@dataclass(frozen=True)
class Appended:
    """Where and when a record was made durable."""

    partition: int
    offset: int
    accepted_at: datetime


class Log(Protocol):
    """A durable, partitioned, append-only log: SQLite when embedded, a Kafka topic in the cluster."""

    @property
    def partitions(self) -> int:
        """How many partitions there are, numbered from 0. Never changes."""

    def append(self, records: Sequence[NewRecord]) -> list[Appended]:
        """Append them; durable when it returns. Calls from many threads share a commit.

        Raises LogUnavailable when durability cannot be promised now. Some may have been appended all the
        same: what is appended must bear being there twice.
        """

    def read(self, partition: int, after: int, limit: int) -> list[Record]:
        """At most `limit` records with an offset beyond `after` (-1: from the start), in order.

        Raises OffsetOutOfRange when records beyond `after` were removed unread.
        """

    def end(self, partition: int) -> int:
        """The offset of the last record, -1 when there never was one. Offsets are never reused."""

    def wait(self, timeout: float) -> None:
        """Return as soon as something may have been appended, at the latest after `timeout` seconds."""

    def trim(self, before: datetime) -> int:
        """Remove records accepted before then, up to the first that was accepted later; how many."""


# ── ingress: facts on the log ──────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Accepted:
    """A fact as the ingress log keeps it; `fact` is None when it cannot be read (`problem` says why)."""

    partition: int
    offset: int
    accepted_at: datetime
    fact: Fact | None
    problem: str = ""


class FactSource(Protocol):
    """Where facts are read."""

    def read(self, partition: int, after: int, limit: int) -> list[Accepted]:
        """At most `limit` facts beyond an offset, in order."""

    def wait(self, timeout: float) -> None:
        """Return as soon as a fact may have come, at the latest after `timeout` seconds."""


class Ingress(FactSource, Protocol):
    """The only way in for facts."""

    @property
    def partitions(self) -> int:
        """How many partitions there are, numbered from 0."""

    def accept(self, facts: Sequence[Fact]) -> None:
        """Make the facts durable. Returns only then."""

    def end(self, partition: int) -> int:
        """The offset of the last fact, -1 when there never was one."""


# ── the event store ────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Recorded:
    """An event with its position in the whole store. Positions rise in the order of commits."""

    position: int
    event: AggregateEvent


@dataclass(frozen=True)
class Source:
    """How far a partition of the ingress log has been ingested."""

    partition: int
    offset: int


@dataclass(frozen=True)
class Lease:
    """The sole right to do something until a moment. The epoch rises with each new owner."""

    name: str
    owner: str
    epoch: int
    until: datetime


@dataclass(frozen=True)
class Parked:
    """A fact that could not be ingested, kept with its reason for a person to look at."""

    partition: int
    offset: int
    reason: str


@dataclass(frozen=True)
class WaitingReceipt:
    """A receipt that matches no attempt yet; it expires visibly."""

    reference: UUID
    partition: int
    offset: int
    expires_at: datetime


@dataclass(frozen=True)
class Arrival:
    """A text without an id was taken in: remembered for as long as it may come again."""

    content: UUID  # as in `TextWithoutId`
    message_id: UUID
    accepted_at: datetime


@dataclass
class Unit:
    """What one transaction saves: all of it or none.

    `aggregates` with pending events; `source`, how far ingest has come with this; `unchanged`,
    streams (by version, 0 for none) that must not have moved since they were read; `lease`, under
    which it is done; and the side records of ingest.
    """

    aggregates: Sequence[Aggregate] = ()
    source: Source | None = None
    unchanged: Mapping[UUID, int] = field(default_factory=dict)
    lease: Lease | None = None
    parked: Sequence[Parked] = ()
    waiting: Sequence[WaitingReceipt] = ()
    matched: Collection[UUID] = ()  # references whose waiting receipts have been applied
    references: Mapping[UUID, UUID] = field(default_factory=dict)  # provider's reference → message
    arrivals: Sequence[Arrival] = ()


class EventStore(Protocol):
    """The aggregates' events, in order, once. Every method may raise StoreUnavailable."""

    def load(self, ids: Collection[UUID]) -> dict[UUID, Aggregate]:
        """The aggregates with these ids, by one query; those that do not exist are absent."""

    def save(self, unit: Unit) -> int:
        """Save a unit; the position of its last event (the store's head when it had none).

        Raises Conflict (someone saved first), AlreadyTracked (the source was ingested before),
        LeaseLost. In each case nothing was saved and the aggregates must be loaded anew.
        """

    def read(self, after: int, limit: int) -> list[Recorded]:
        """At most `limit` events beyond a position, in order."""

    def stream(self, stream_id: UUID) -> list[Recorded]:
        """All events of one aggregate, in order."""

    def head(self) -> int:
        """The position of the newest event, 0 when there is none."""

    def ingested(self, partition: int) -> int:
        """The offset up to which a partition of the ingress log has been ingested, -1 for none."""

    def messages_by_reference(self, references: Collection[UUID]) -> dict[UUID, UUID]:
        """The messages that providers know by these references."""

    def waiting_receipts(self, references: Collection[UUID]) -> list[WaitingReceipt]:
        """Receipts that wait for one of these references."""

    def arrivals(self, contents: Collection[UUID]) -> list[Arrival]:
        """When texts with these contents were taken in, the earliest first; by one query."""

    def forget_arrivals(self, before: datetime) -> None:
        """Forget the arrivals of texts that were accepted before then."""

    def wait(self, timeout: float) -> None:
        """Return as soon as something may have been saved, at the latest after `timeout` seconds."""


class Leases(Protocol):
    """Sole rights that are handed from process to process."""

    def acquire(self, name: str, owner: str, duration: timedelta) -> Lease | None:
        """Take or renew a lease; None while somebody else holds it."""

    def release(self, lease: Lease) -> None:
        """Give it up early. Does nothing when it is no longer ours."""

    def prolong(self, prefix: str, owner: str, duration: timedelta) -> None:
        """Renew all the leases of an owner that begin so, those too that ran out; for names that only the
        owner uses.
        """

    def held(self, prefix: str) -> set[str]:
        """The names of the leases that anybody holds now, of those that begin so."""


# ── secrets and keys ───────────────────────────────────────────────────────────────────────────


class Secrets(Protocol):
    """Provider secrets, encrypted at rest. Events hold only the references."""

    def put(self, value: str) -> UUID:
        """Keep a secret; its reference."""

    def get(self, reference: UUID) -> str:
        """The secret. Raises KeyError when it has been removed."""

    def remove(self, reference: UUID) -> None:
        """Destroy it."""


class Cipher(Protocol):
    """Authenticated encryption with a key that rotates by period and is destroyed after some days."""

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """Encrypt, bound to a context that must be given again to open it."""

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Decrypt. Raises Unreadable when the period's key is gone or anything was altered."""


class CustomerKeys(Protocol):
    """The keys under which customers' texts and numbers are encrypted."""

    def destroy(self, customer_id: UUID) -> int:
        """Destroy every key of a customer; how many there were. Their events can never be read again."""


class Media(Protocol):
    """Pictures and files of messages, encrypted with the customer's key."""

    def put(self, media_id: UUID, customer_id: UUID, content_type: str, content: bytes) -> None:
        """Keep it. Keeping the same id again changes nothing."""

    def get(self, media_id: UUID) -> tuple[str, bytes]:
        """Content type and content. Raises KeyError when it is not there or the customer was forgotten."""


# ── views ──────────────────────────────────────────────────────────────────────────────────────


class Lookups(Protocol):
    """What commands need to know of other streams; as of the projections' position."""

    def open_conversations(self, mapping_code: str, our_address: str | None = None) -> int:
        """How many conversations are open on a mapping, or on one of its addresses."""

    def open_with_customer(self, customer_id: UUID) -> int:
        """How many conversations are open with a customer, on all our addresses."""

    def waiting_in(self, queue: str) -> int:
        """How many conversations wait in a queue."""
