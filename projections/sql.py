"""The one place that speaks to the database: statements that SQLite and PostgreSQL both understand.

Ids are hexadecimal text, as in the event store's tables; moments are microseconds since 1970, UTC; truth
is 0 or 1; lists and documents are JSON. Parameters are named, `:like_this`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, overload
from uuid import UUID

from eventsourcing.sqlite import SQLiteCursor

Row = dict[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, eq=False)
class Table:
    """A projection's table. `columns` is its DDL, one a line; `indexes` lead from a name to what it is on."""

    name: str
    key: tuple[str, ...]
    columns: str
    indexes: Mapping[str, str]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(line.split()[0] for line in self.columns.strip().splitlines())

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
        columns, values = ", ".join(self.names), ", ".join(f":{name}" for name in self.names)
        changes = ", ".join(f"{name} = excluded.{name}" for name in self.names if name not in self.key)
        otherwise = f"UPDATE SET {changes}" if changes else "NOTHING"
        return (
            f"INSERT INTO {self.name} ({columns}) VALUES ({values})"  # noqa: S608 - names from our own DDL
            f" ON CONFLICT ({', '.join(self.key)}) DO {otherwise}"
        )

    @property
    def _by_key(self) -> str:
        return " AND ".join(f"{name} = :{name}" for name in self.key)


class Cursor:
    """Runs statements within one transaction."""

    def __init__(self, raw: SQLiteCursor) -> None:
        self.raw = raw
        """The library's own cursor, for its tracking."""

    def run(self, statement: str, values: Mapping[str, Any] | None = None) -> None:
        """Run one statement."""
        self.raw.execute(statement, values or {})

    def run_many(self, statement: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run one statement for each of many rows."""
        if rows:
            self.raw.executemany(statement, rows)

    def all(self, statement: str, values: Mapping[str, Any] | None = None) -> list[Row]:
        """The rows that a query finds."""
        self.run(statement, values)
        return [dict(row) for row in self.raw.fetchall()]

    def one(self, statement: str, values: Mapping[str, Any] | None = None) -> Row | None:
        """The first row that a query finds."""
        self.run(statement, values)
        row = self.raw.fetchone()
        return None if row is None else dict(row)


def among(name: str, values: Iterable[str]) -> tuple[str, dict[str, str]]:
    """A list for `IN`, as named parameters: the text in parentheses and the values. Not for no values."""
    named = {f"{name}{number}": value for number, value in enumerate(values)}
    return f"({', '.join(f':{each}' for each in named)})", named


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
