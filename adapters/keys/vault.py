"""Everything that is sealed under the master key: one table in the store."""

import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from adapters.keys.master import MasterKey
from database.database import Database
from database.sql import Cursor, Row, micros, moment
from domain.errors import ParleyError, Unreadable
from domain.ports import Clock

ID_LENGTH = 16

CHECK = "check"
"""The kind of the item that tells whether the master key is the right one."""

_WRONG = (
    "The master key is not the one that this store was made with. Set PARLEY_MASTER_KEY, or put back the file"
    " master.key, as it was then."
)

SCRUBS = 15
"""Tries to leave no trace of what was erased. Each takes seconds only where others keep the log in use."""


class WrongMasterKey(ParleyError):
    """The store was made under another master key."""


@dataclass(frozen=True)
class Item:
    """Something in the vault. Of a kind, a name is there at most once; the id never comes again."""

    id: bytes
    name: str
    value: bytes = field(repr=False)


@dataclass(frozen=True)
class Tombstone:
    """What is left of an item that was erased."""

    id: bytes
    name: str
    erased_at: datetime


class Vault:
    """Keeps small secret values by kind and name, and erases them so that no file holds them any more."""

    def __init__(self, database: Database, master: MasterKey, clock: Clock) -> None:
        """Open the vault. Raises WrongMasterKey."""
        self._database = database
        self._master = master
        self._clock = clock
        try:
            self.obtain(CHECK, ["master-key"], lambda: b"parley")
        except Unreadable:
            raise WrongMasterKey(_WRONG) from None

    def find(self, kind: str, names: Collection[str]) -> dict[str, Item]:
        """The items with these names; those that do not exist are absent. Raises Unreadable."""
        with self._database.reading() as c:
            return self._select(c, kind, names)

    def find_by_id(self, kind: str, ids: Collection[bytes]) -> dict[bytes, Item | None]:
        """The items with these ids, None for those erased; those that never were are absent."""
        with self._database.reading() as c:
            values = {"ids": [each.hex() for each in ids], "kind": kind}
            rows = c.all("SELECT * FROM vault WHERE id IN :ids AND kind = :kind", values)
            gone = c.all("SELECT id FROM tombstone WHERE id IN :ids AND kind = :kind", values)
        items = [self._open(row) for row in rows]
        erased = [bytes.fromhex(row["id"]) for row in gone]
        return {**dict.fromkeys(erased), **{item.id: item for item in items}}

    def obtain(self, kind: str, names: Collection[str], make: Callable[[], bytes]) -> dict[str, Item]:
        """The items with these names, making those that are missing: one query, one batch."""
        found = self.find(kind, names)
        missing = [name for name in names if name not in found]
        if not missing:
            return found
        rows = [self._row(kind, name, make()) for name in missing]
        with self._database.writing() as c:
            # Another process may have made some of them just now: those stay.
            c.run_many("INSERT INTO vault VALUES (:id, :kind, :name, :sealed) ON CONFLICT DO NOTHING", rows)
            return found | self._select(c, kind, missing)

    def erase(self, kind: str, names: Collection[str]) -> list[bytes]:
        """Remove items for ever, leaving tombstones; their ids.

        Raises TimeoutError when others keep the database from leaving no trace of them: they are gone then,
        but their bytes may still be in its files. Calling it again leaves none.
        """
        at = micros(self._clock.now())
        # Alone, so that tombstones are numbered in the order in which others see them.
        with self._database.writing(alone=["tombstone"]) as c:
            rows = c.all(
                "DELETE FROM vault WHERE kind = :kind AND name IN :names RETURNING id, kind, name",
                {"kind": kind, "names": list(names)},
            )
            c.run_many(
                "INSERT INTO tombstone (id, kind, name, erased_at) VALUES (:id, :kind, :name, :at)",
                [{**row, "at": at} for row in rows],
            )
        if not any(self._database.scrub(["vault"]) for _ in range(SCRUBS)):
            raise TimeoutError(
                f"{self._database.name} is busy and still holds what was erased in its log: try again."
            )
        return [bytes.fromhex(row["id"]) for row in rows]

    def names(self, kind: str) -> list[str]:
        """The names of all items of a kind, sorted."""
        with self._database.reading() as c:
            rows = c.all("SELECT name FROM vault WHERE kind = :kind ORDER BY name", {"kind": kind})
        return [row["name"] for row in rows]

    def tombstones(self, kind: str) -> list[Tombstone]:
        """What was erased, the oldest first: a restored copy of the vault must lose it again."""
        with self._database.reading() as c:
            rows = c.all("SELECT * FROM tombstone WHERE kind = :kind ORDER BY position", {"kind": kind})
        return [Tombstone(bytes.fromhex(row["id"]), row["name"], moment(row["erased_at"])) for row in rows]

    def erasures(self) -> int:
        """How often anything was erased. Caches of what the vault holds must be emptied when it rises."""
        rows = self._database.rows("SELECT coalesce(max(position), 0) AS erasures FROM tombstone")
        return int(rows[0]["erasures"])

    def _select(self, c: Cursor, kind: str, names: Collection[str]) -> dict[str, Item]:
        rows = c.all(
            "SELECT * FROM vault WHERE kind = :kind AND name IN :names", {"kind": kind, "names": list(names)}
        )
        return {row["name"]: self._open(row) for row in rows}

    def _row(self, kind: str, name: str, value: bytes) -> Row:
        item_id = os.urandom(ID_LENGTH).hex()
        sealed = self._master.wrap(value, _context(item_id, kind, name))
        return {"id": item_id, "kind": kind, "name": name, "sealed": sealed}

    def _open(self, row: Row) -> Item:
        context = _context(row["id"], row["kind"], row["name"])
        return Item(bytes.fromhex(row["id"]), row["name"], self._master.unwrap(row["sealed"], context))


def check_master(row: Row, master: MasterKey) -> None:
    """Make sure that a row of a vault was sealed under this master key. Raises WrongMasterKey."""
    try:
        master.unwrap(row["sealed"], _context(row["id"], row["kind"], row["name"]))
    except Unreadable:
        raise WrongMasterKey(_WRONG) from None


def erased(c: Cursor, ids: Iterable[bytes]) -> list[bytes]:
    """Which of these items are not in the vault any more; the others stay until the transaction is over."""
    wanted = {each.hex(): each for each in ids}
    rows = c.all("SELECT id FROM vault WHERE id IN :ids" + c.hold, {"ids": wanted})  # noqa: S608 - our own
    there = {row["id"] for row in rows}
    return [each for name, each in wanted.items() if name not in there]


def _context(id: str, kind: str, name: str) -> bytes:
    return f"{id}:{kind}:{name}".encode()
