"""What ingest sets aside beside the events: parked facts, waiting receipts, providers' references, and when
texts without an id came.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from database.database import Database
from database.sql import Cursor, Row, micros, moment
from domain.errors import Unreadable
from domain.ports import Arrival, Cipher, Parked, Unit, WaitingReceipt
from domain.values import ERASED

_HERE = 'partition = :partition AND "offset" = :offset'


@dataclass(frozen=True)
class ParkedDecision:
    """What became of a parked fact, and why."""

    partition: int
    offset: int
    what: str  # "retried" or "discarded"
    login: str
    why: str
    at: datetime


class Parking:
    """Facts and receipts that wait for a person or for an attempt, what finds messages for them, and what
    tells texts that come again.

    The reasons may quote a customer: they are encrypted under the period's key.
    """

    def __init__(self, database: Database, cipher: Cipher) -> None:
        self._database = database
        self._cipher = cipher

    # ── for people who look after what was set aside ───────────────────────────────────────────

    def parked(self) -> list[Parked]:
        """Every parked fact. A reason whose period's key is gone reads `ERASED`."""
        with self._database.reading() as c:
            rows = c.all('SELECT * FROM parked ORDER BY partition, "offset"')
        return [self._open(row["partition"], row["offset"], row["reason"]) for row in rows]

    def parked_at(self, partition: int, offset: int) -> Parked | None:
        """The parked fact of one place in the ingress log."""
        with self._database.reading() as c:
            row = c.one(
                f"SELECT reason FROM parked WHERE {_HERE}",  # noqa: S608 - our own text
                {"partition": partition, "offset": offset},
            )
        return self._open(partition, offset, row["reason"]) if row else None

    def decide(self, decision: ParkedDecision) -> bool:
        """Take a fact out by a person's decision, which is kept; False when it was not parked."""
        place = {"partition": decision.partition, "offset": decision.offset}
        why = self._cipher.seal(decision.why.encode(), _context(**place))
        with self._database.writing() as c:
            if c.one(f"DELETE FROM parked WHERE {_HERE} RETURNING partition", place) is None:  # noqa: S608
                return False
            c.run(
                "INSERT INTO parked_decision VALUES (:partition, :offset, :what, :login, :why, :at)",
                {
                    **place,
                    "what": decision.what,
                    "login": decision.login,
                    "why": why,
                    "at": micros(decision.at),
                },
            )
            return True

    def decisions(self, limit: int) -> list[ParkedDecision]:
        """The last decisions, the newest first."""
        with self._database.reading() as c:
            rows = c.all(
                'SELECT * FROM parked_decision ORDER BY decided_at DESC, partition, "offset" LIMIT :limit',
                {"limit": limit},
            )
        return [self._decision(row) for row in rows]

    def expired_receipts(self, now: datetime) -> list[WaitingReceipt]:
        """Receipts that have waited in vain, the oldest first. They still apply should their attempt come."""
        with self._database.reading() as c:
            rows = c.all(
                "SELECT * FROM waiting_receipt WHERE expires_at <= :now ORDER BY expires_at",
                {"now": micros(now)},
            )
        return [_receipt(row) for row in rows]

    def dismiss_receipt(self, receipt: WaitingReceipt) -> bool:
        """Remove a waiting receipt; False when it was not there."""
        with self._database.writing() as c:
            found = c.one(
                f"DELETE FROM waiting_receipt WHERE reference = :reference AND {_HERE}"  # noqa: S608
                " RETURNING reference",
                {
                    "reference": receipt.reference.hex,
                    "partition": receipt.partition,
                    "offset": receipt.offset,
                },
            )
        return found is not None

    # ── for the store ──────────────────────────────────────────────────────────────────────────

    def messages_by_reference(self, references: Collection[UUID]) -> dict[UUID, UUID]:
        """The messages that providers know by these references."""
        with self._database.reading() as c:
            rows = c.all(
                "SELECT * FROM message_reference WHERE reference IN :references",
                {"references": _hex_list(references)},
            )
        return {UUID(row["reference"]): UUID(row["message_id"]) for row in rows}

    def waiting_receipts(self, references: Collection[UUID]) -> list[WaitingReceipt]:
        """Receipts that wait for one of these references, in the order of the log."""
        with self._database.reading() as c:
            rows = c.all(
                'SELECT * FROM waiting_receipt WHERE reference IN :references ORDER BY partition, "offset"',
                {"references": _hex_list(references)},
            )
        return [_receipt(row) for row in rows]

    def arrivals(self, contents: Collection[UUID]) -> list[Arrival]:
        """When texts with these contents were taken in, the earliest first."""
        with self._database.reading() as c:
            rows = c.all(
                "SELECT * FROM arrival WHERE content IN :contents ORDER BY accepted_at, message_id",
                {"contents": _hex_list(contents)},
            )
        return [
            Arrival(UUID(row["content"]), UUID(row["message_id"]), moment(row["accepted_at"])) for row in rows
        ]

    def forget_arrivals(self, before: datetime) -> None:
        """Forget the arrivals of texts that were accepted before then."""
        with self._database.writing() as c:
            c.run("DELETE FROM arrival WHERE accepted_at < :before", {"before": micros(before)})

    def seal(self, parked: Iterable[Parked]) -> list[Row]:
        """The rows of parked facts. Done before the transaction, because it may have to make a key."""
        return [
            {
                "partition": each.partition,
                "offset": each.offset,
                "reason": self._cipher.seal(each.reason.encode(), _context(each.partition, each.offset)),
            }
            for each in parked
        ]

    def insert(self, c: Cursor, unit: Unit, parked: Sequence[Row]) -> None:
        """Write a unit's side records within its transaction."""
        c.run_many(
            "INSERT INTO parked VALUES (:partition, :offset, :reason)"
            ' ON CONFLICT (partition, "offset") DO UPDATE SET reason = excluded.reason',
            parked,
        )
        c.run_many(
            "INSERT INTO waiting_receipt VALUES (:reference, :partition, :offset, :expires_at)"
            ' ON CONFLICT (reference, partition, "offset") DO UPDATE SET expires_at = excluded.expires_at',
            [_waiting_row(each) for each in unit.waiting],
        )
        if unit.matched:
            c.run(
                "DELETE FROM waiting_receipt WHERE reference IN :references",
                {"references": _hex_list(unit.matched)},
            )
        # An SMSC gives its ids out again after a while: the newest message is meant.
        c.run_many(
            "INSERT INTO message_reference VALUES (:reference, :message_id)"
            " ON CONFLICT (reference) DO UPDATE SET message_id = excluded.message_id",
            [
                {"reference": reference.hex, "message_id": message.hex}
                for reference, message in unit.references.items()
            ],
        )
        c.run_many(
            "INSERT INTO arrival VALUES (:content, :message_id, :accepted_at)",
            [_arrival_row(each) for each in unit.arrivals],
        )

    def _decision(self, row: Row) -> ParkedDecision:
        place = (row["partition"], row["offset"])
        why = self._open(*place, row["why"]).reason
        return ParkedDecision(*place, row["decision"], row["login"], why, moment(row["decided_at"]))

    def _open(self, partition: int, offset: int, sealed: bytes) -> Parked:
        try:
            reason = self._cipher.open(sealed, _context(partition, offset)).decode()
        except Unreadable:
            reason = ERASED
        return Parked(partition, offset, reason)


def _receipt(row: Row) -> WaitingReceipt:
    return WaitingReceipt(UUID(row["reference"]), row["partition"], row["offset"], moment(row["expires_at"]))


def _waiting_row(receipt: WaitingReceipt) -> Row:
    return {
        "reference": receipt.reference.hex,
        "partition": receipt.partition,
        "offset": receipt.offset,
        "expires_at": micros(receipt.expires_at),
    }


def _arrival_row(arrival: Arrival) -> Row:
    return {
        "content": arrival.content.hex,
        "message_id": arrival.message_id.hex,
        "accepted_at": micros(arrival.accepted_at),
    }


def _context(partition: int, offset: int) -> bytes:
    return f"parked:{partition}:{offset}".encode()


def _hex_list(ids: Iterable[UUID]) -> list[str]:
    return [each.hex for each in ids]
