"""Statements and rows as SQLite and PostgreSQL both understand them.

Ids are hexadecimal text, as in the event store's tables; moments are microseconds since 1970, UTC; truth
is 0 or 1; lists and documents are JSON. Parameters are named, `:like_this`; `IN :names` takes many values.

In DDL, `BLOB` is octets, and `SERIAL PRIMARY KEY` a number that rises with every row and never comes again.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar, overload
from uuid import UUID

Row = dict[str, Any]
Values = Mapping[str, Any]

NOTHING: Values = {}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, eq=False)
class Table:
    """A table. `columns` is its DDL, one a line; `indexes` lead from a name to what it is on."""

    name: str
    key: tuple[str, ...]
    columns: str
    indexes: Mapping[str, str]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(line.split()[0] for line in self.columns.strip().splitlines())

    def typed(self, names: Sequence[str]) -> str:
        """Some columns with their types, as DDL has them."""
        lines = map(str.split, self.columns.strip().splitlines())
        types = {words[0]: words[1].rstrip(",") for words in lines}
        return ", ".join(f"{name} {types[name]}" for name in names)

    @property
    def ddl(self) -> tuple[str, ...]:
        """The statements that create it."""
        columns = ", ".join(line.strip().rstrip(",") for line in self.columns.strip().splitlines())
        table = f"CREATE TABLE {self.name} ({columns}, PRIMARY KEY ({', '.join(self.key)}))"
        return (table, *(f"CREATE INDEX {name} ON {self.name} {on}" for name, on in self.indexes.items()))

    @cached_property
    def select(self) -> str:
        """The statement that finds one row by its key."""
        return f"SELECT * FROM {self.name} WHERE {self._by_key}"  # noqa: S608 - names from our own DDL

    @cached_property
    def delete(self) -> str:
        """The statement that removes one row by its key."""
        return f"DELETE FROM {self.name} WHERE {self._by_key}"  # noqa: S608 - names from our own DDL

    @cached_property
    def upsert(self) -> str:
        """The statement that inserts a row or replaces the one with the same key."""
        values = ", ".join(f":{name}" for name in self.names)
        return self.upsert_of(f"VALUES ({values})")

    def upsert_of(self, rows: str) -> str:
        """The statement that does so with the rows that a part of SQL stands for."""
        changes = ", ".join(f"{name} = excluded.{name}" for name in self.names if name not in self.key)
        otherwise = f"UPDATE SET {changes}" if changes else "NOTHING"
        return (
            f"INSERT INTO {self.name} ({', '.join(self.names)}) {rows}"
            f" ON CONFLICT ({', '.join(self.key)}) DO {otherwise}"
        )

    @property
    def _by_key(self) -> str:
        return " AND ".join(f"{name} = :{name}" for name in self.key)


class Cursor(ABC):
    """Runs statements within one transaction.

    A value for `IN :name` is a collection; `True` and `False` are kept as 1 and 0.
    """

    hold: ClassVar[str] = ""
    """Ends a `SELECT` so that the rows it finds stay as they are until this transaction is over."""

    @property
    @abstractmethod
    def raw(self) -> Any:
        """A cursor of the library underneath, for the event store's recorders."""

    @abstractmethod
    def run(self, statement: str, values: Values = NOTHING) -> None:
        """Run one statement."""

    @abstractmethod
    def run_many(self, statement: str, rows: Sequence[Values]) -> None:
        """Run one statement for each of many rows."""

    @abstractmethod
    def put(self, table: Table, rows: Sequence[Row]) -> None:
        """Insert whole rows, or replace those with the same keys. No key comes twice; no column is octets."""

    @abstractmethod
    def remove(self, table: Table, keys: Sequence[Row]) -> None:
        """Remove the rows with these keys, if they are there."""

    @abstractmethod
    def all(self, statement: str, values: Values = NOTHING) -> list[Row]:
        """The rows that a query finds."""

    @abstractmethod
    def one(self, statement: str, values: Values = NOTHING) -> Row | None:
        """The first row that a query finds."""


def like(part: str) -> str:
    """The pattern for `LIKE … ESCAPE '!'` that finds a part of a text that `folded` made."""
    escaped = folded(part).replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return f"%{escaped}%"


def folded(text: str) -> str:
    """A text as it is searched: in every language without regard to capitals, as no LIKE does."""
    return text.casefold()


@overload
def micros(moment: datetime) -> int: ...
@overload
def micros(moment: datetime | None) -> int | None: ...
def micros(moment: datetime | None) -> int | None:
    """A moment as a row keeps it."""
    return None if moment is None else (moment - _EPOCH) // _MICROSECOND


@overload
def moment(number: int) -> datetime: ...
@overload
def moment(number: int | None) -> datetime | None: ...
def moment(number: int | None) -> datetime | None:
    """The moment that `micros` made this number of."""
    return None if number is None else _EPOCH + timedelta(microseconds=number)


@overload
def hexed(id: UUID) -> str: ...
@overload
def hexed(id: UUID | None) -> str | None: ...
def hexed(id: UUID | None) -> str | None:
    """An id as a row keeps it."""
    return None if id is None else id.hex


@overload
def unhexed(text: str) -> UUID: ...
@overload
def unhexed(text: str | None) -> UUID | None: ...
def unhexed(text: str | None) -> UUID | None:
    """The id that `hexed` made this text of."""
    return None if text is None else UUID(text)


def packed(value: object) -> str:
    """A list or document as a row keeps it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def unpacked(text: str) -> Any:
    """What `packed` made this text of."""
    return json.loads(text)
