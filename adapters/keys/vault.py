"""Everything that is sealed under the master key: one table in the store's file."""

import json
import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from eventsourcing.sqlite import SQLiteCursor

from adapters.event_store.database import Database, from_micros, to_micros
from adapters.keys.master import MasterKey
from domain.errors import ParleyError, Unreadable
from domain.ports import Clock

ID_LENGTH = 16


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
            self.obtain("check", ["master-key"], lambda: b"parley")
        except Unreadable:
            raise WrongMasterKey(
                "The master key is not the one that this store was made with. Set PARLEY_MASTER_KEY, or put"
                " back the file master.key, as it was then."
            ) from None

    def find(self, kind: str, names: Collection[str]) -> dict[str, Item]:
        """The items with these names; those that do not exist are absent. Raises Unreadable."""
        with self._database.transaction(commit=False) as c:
            return self._select(c, kind, names)

    def find_by_id(self, kind: str, ids: Collection[bytes]) -> dict[bytes, Item | None]:
        """The items with these ids, None for those erased; those that never were are absent."""
        with self._database.transaction(commit=False) as c:
            c.execute(
                "SELECT id, kind, name, sealed FROM vault WHERE id IN (SELECT value FROM json_each(?))",
                (_hex_list(ids),),
            )
            items = [self._open(*row) for row in c.fetchall() if row[1] == kind]
            c.execute(
                "SELECT id FROM tombstone WHERE id IN (SELECT value FROM json_each(?)) AND kind = ?",
                (_hex_list(ids), kind),
            )
            erased = [bytes.fromhex(row[0]) for row in c.fetchall()]
        return {**dict.fromkeys(erased), **{item.id: item for item in items}}

    def obtain(self, kind: str, names: Collection[str], make: Callable[[], bytes]) -> dict[str, Item]:
        """The items with these names, making those that are missing: one query, one batch."""
        found = self.find(kind, names)
        missing = [name for name in names if name not in found]
        if not missing:
            return found
        rows = [self._row(kind, name, make()) for name in missing]
        with self._database.transaction(commit=True) as c:
            # Another process may have made some of them just now: those stay.
            c.executemany("INSERT OR IGNORE INTO vault VALUES (?, ?, ?, ?)", rows)
            return found | self._select(c, kind, missing)

    def erase(self, kind: str, names: Collection[str]) -> list[bytes]:
        """Remove items for ever, from the write-ahead log too, leaving tombstones; their ids.

        Raises TimeoutError when the write-ahead log could not be emptied: they are gone then, but their
        bytes may still be in it. Calling it again empties it.
        """
        at = to_micros(self._clock.now())
        with self._database.transaction(commit=True) as c:
            c.execute(
                "DELETE FROM vault WHERE kind = ? AND name IN (SELECT value FROM json_each(?))"
                " RETURNING id, kind, name",
                (kind, json.dumps(list(names))),
            )
            rows = [(*row, at) for row in c.fetchall()]
            c.executemany("INSERT INTO tombstone (id, kind, name, erased_at) VALUES (?, ?, ?, ?)", rows)
        self._database.scrub()
        return [bytes.fromhex(row[0]) for row in rows]

    def names(self, kind: str) -> list[str]:
        """The names of all items of a kind, sorted."""
        with self._database.transaction(commit=False) as c:
            c.execute("SELECT name FROM vault WHERE kind = ? ORDER BY name", (kind,))
            return [row[0] for row in c.fetchall()]

    def tombstones(self, kind: str) -> list[Tombstone]:
        """What was erased, the oldest first: a restored copy of the vault must lose it again."""
        with self._database.transaction(commit=False) as c:
            c.execute("SELECT id, name, erased_at FROM tombstone WHERE kind = ? ORDER BY position", (kind,))
            return [
                Tombstone(bytes.fromhex(item_id), name, from_micros(at)) for item_id, name, at in c.fetchall()
            ]

    def erasures(self) -> int:
        """How often anything was erased. Caches of what the vault holds must be emptied when it rises."""
        with self._database.transaction(commit=False) as c:
            c.execute("SELECT coalesce(max(position), 0) FROM tombstone")
            return int(c.fetchone()[0])

    def _select(self, c: SQLiteCursor, kind: str, names: Collection[str]) -> dict[str, Item]:
        c.execute(
            "SELECT id, kind, name, sealed FROM vault WHERE kind = ?"
            " AND name IN (SELECT value FROM json_each(?))",
            (kind, json.dumps(list(names))),
        )
        return {row[2]: self._open(*row) for row in c.fetchall()}

    def _row(self, kind: str, name: str, value: bytes) -> tuple[str, str, str, bytes]:
        item_id = os.urandom(ID_LENGTH).hex()
        return item_id, kind, name, self._master.wrap(value, _context(item_id, kind, name))

    def _open(self, id: str, kind: str, name: str, sealed: bytes) -> Item:
        return Item(bytes.fromhex(id), name, self._master.unwrap(sealed, _context(id, kind, name)))


def erased(c: SQLiteCursor, ids: Iterable[bytes]) -> list[bytes]:
    """Which of these items are not in the vault any more, as of a transaction."""
    c.execute(
        "SELECT value FROM json_each(?) WHERE NOT EXISTS (SELECT 1 FROM vault WHERE id = value)",
        (_hex_list(ids),),
    )
    return [bytes.fromhex(row[0]) for row in c.fetchall()]


def _context(id: str, kind: str, name: str) -> bytes:
    return f"{id}:{kind}:{name}".encode()


def _hex_list(ids: Iterable[bytes]) -> str:
    return json.dumps([each.hex() for each in ids])
