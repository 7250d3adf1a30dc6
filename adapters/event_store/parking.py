"""What ingest sets aside beside the events: parked facts, waiting receipts, providers' references."""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from eventsourcing.sqlite import SQLiteCursor

from adapters.event_store.database import Database, from_micros, to_micros
from domain.errors import Unreadable
from domain.ports import Cipher, Parked, Unit, WaitingReceipt
from domain.values import ERASED


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
    """Facts and receipts that wait for a person or for an attempt, and what finds messages for them.

    The reasons may quote a customer: they are encrypted under the period's key.
    """

    def __init__(self, database: Database, cipher: Cipher) -> None:
        self._database = database
        self._cipher = cipher

    # ── for people who look after what was set aside ───────────────────────────────────────────

    def parked(self) -> list[Parked]:
        """Every parked fact. A reason whose period's key is gone reads `ERASED`."""
        with self._database.transaction(commit=False) as c:
            c.execute("SELECT partition, offset, reason FROM parked ORDER BY partition, offset")
            return [self._open(*row) for row in c.fetchall()]

    def parked_at(self, partition: int, offset: int) -> Parked | None:
        """The parked fact of one place in the ingress log."""
        with self._database.transaction(commit=False) as c:
            c.execute(
                "SELECT partition, offset, reason FROM parked WHERE partition = ? AND offset = ?",
                (partition, offset),
            )
            row = c.fetchone()
        return row and self._open(*row)

    def decide(self, decision: ParkedDecision) -> bool:
        """Take a fact out by a person's decision, which is kept; False when it was not parked."""
        place = (decision.partition, decision.offset)
        why = self._cipher.seal(decision.why.encode(), _context(*place))
        with self._database.transaction(commit=True) as c:
            c.execute("DELETE FROM parked WHERE partition = ? AND offset = ? RETURNING offset", place)
            if c.fetchone() is None:
                return False
            c.execute(
                "INSERT INTO parked_decision VALUES (?, ?, ?, ?, ?, ?)",
                (*place, decision.what, decision.login, why, to_micros(decision.at)),
            )
            return True

    def decisions(self, limit: int) -> list[ParkedDecision]:
        """The last decisions, the newest first."""
        with self._database.transaction(commit=False) as c:
            c.execute("SELECT * FROM parked_decision ORDER BY decided_at DESC, rowid DESC LIMIT ?", (limit,))
            return [
                ParkedDecision(
                    partition, offset, what, login, self._open(partition, offset, why).reason, from_micros(at)
                )
                for partition, offset, what, login, why, at in c.fetchall()
            ]

    def expired_receipts(self, now: datetime) -> list[WaitingReceipt]:
        """Receipts that have waited in vain, the oldest first. They still apply should their attempt come."""
        with self._database.transaction(commit=False) as c:
            c.execute(
                "SELECT * FROM waiting_receipt WHERE expires_at <= ? ORDER BY expires_at", (to_micros(now),)
            )
            return [_receipt(*row) for row in c.fetchall()]

    def dismiss_receipt(self, receipt: WaitingReceipt) -> bool:
        """Remove a waiting receipt; False when it was not there."""
        with self._database.transaction(commit=True) as c:
            c.execute(
                "DELETE FROM waiting_receipt WHERE reference = ? AND partition = ? AND offset = ?"
                " RETURNING offset",
                (receipt.reference.hex, receipt.partition, receipt.offset),
            )
            return c.fetchone() is not None

    # ── for the store ──────────────────────────────────────────────────────────────────────────

    def messages_by_reference(self, references: Collection[UUID]) -> dict[UUID, UUID]:
        """The messages that providers know by these references."""
        with self._database.transaction(commit=False) as c:
            c.execute(
                "SELECT reference, message_id FROM message_reference"
                " WHERE reference IN (SELECT value FROM json_each(?))",
                (_hex_list(references),),
            )
            return {UUID(reference): UUID(message_id) for reference, message_id in c.fetchall()}

    def waiting_receipts(self, references: Collection[UUID]) -> list[WaitingReceipt]:
        """Receipts that wait for one of these references, in the order of the log."""
        with self._database.transaction(commit=False) as c:
            c.execute(
                "SELECT * FROM waiting_receipt WHERE reference IN (SELECT value FROM json_each(?))"
                " ORDER BY partition, offset",
                (_hex_list(references),),
            )
            return [_receipt(*row) for row in c.fetchall()]

    def seal(self, parked: Iterable[Parked]) -> list[tuple[int, int, bytes]]:
        """The rows of parked facts. Done before the transaction, because it may have to make a key."""
        return [
            (p.partition, p.offset, self._cipher.seal(p.reason.encode(), _context(p.partition, p.offset)))
            for p in parked
        ]

    def insert(self, c: SQLiteCursor, unit: Unit, parked: list[tuple[int, int, bytes]]) -> None:
        """Write a unit's side records within its transaction."""
        if parked:
            c.executemany("INSERT OR REPLACE INTO parked VALUES (?, ?, ?)", parked)
        if unit.waiting:
            c.executemany(
                "INSERT OR REPLACE INTO waiting_receipt VALUES (?, ?, ?, ?)",
                [(w.reference.hex, w.partition, w.offset, to_micros(w.expires_at)) for w in unit.waiting],
            )
        if unit.matched:
            c.execute(
                "DELETE FROM waiting_receipt WHERE reference IN (SELECT value FROM json_each(?))",
                (_hex_list(unit.matched),),
            )
        if unit.references:
            # An SMSC gives its ids out again after a while: the newest message is meant.
            c.executemany(
                "INSERT OR REPLACE INTO message_reference VALUES (?, ?)",
                [(reference.hex, message.hex) for reference, message in unit.references.items()],
            )

    def _open(self, partition: int, offset: int, sealed: bytes) -> Parked:
        try:
            reason = self._cipher.open(sealed, _context(partition, offset)).decode()
        except Unreadable:
            reason = ERASED
        return Parked(partition, offset, reason)


def _receipt(reference: str, partition: int, offset: int, expires_at: int) -> WaitingReceipt:
    return WaitingReceipt(UUID(reference), partition, offset, from_micros(expires_at))


def _context(partition: int, offset: int) -> bytes:
    return f"parked:{partition}:{offset}".encode()


def _hex_list(ids: Iterable[UUID]) -> str:
    return json.dumps([each.hex for each in ids])
