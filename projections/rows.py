"""The rows that a batch of events changes: read together, folded in memory, written together."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from database.sql import Cursor, Row, Table

Key = tuple[Any, ...]


class Rows:
    """Remembers the rows of a transaction: each is read and written once, however often it changes."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._known: dict[Table, dict[Key, Row | None]] = defaultdict(dict)
        self._changed: dict[Table, set[Key]] = defaultdict(set)

    def expect(self, table: Table, ids: Iterable[str]) -> None:
        """Read, by one query, the rows of which the key is one of these ids, or begins with it."""
        known = self._known[table]
        wanted = [each for each in ids if (each,) not in known]
        if not wanted:
            return
        if len(table.key) == 1:
            known.update(dict.fromkeys(((each,) for each in wanted), None))
        statement = f"SELECT * FROM {table.name} WHERE {table.key[0]} IN :ids"  # noqa: S608 - our DDL
        for row in self._cursor.all(statement, {"ids": wanted}):
            known[tuple(row[name] for name in table.key)] = row

    def get(self, table: Table, *key: Any) -> Row | None:
        """The row with this key as it stands now; to be changed by `change` only."""
        known = self._known[table]
        if key not in known:
            known[key] = self._cursor.one(table.select, dict(zip(table.key, key, strict=True)))
        return known[key]

    def change(self, table: Table, *key: Any, **values: Any) -> Row | None:
        """Change some columns of the row with this key; None when there is none."""
        row = self.get(table, *key)
        if row is not None:
            row.update(values)
            self._changed[table].add(key)
        return row

    def put(self, table: Table, **values: Any) -> Row:
        """Add a row or replace the one with the same key; columns that are not named are null."""
        row = dict.fromkeys(table.names) | values
        key = tuple(row[name] for name in table.key)
        self._known[table][key] = row
        self._changed[table].add(key)
        return row

    def delete(self, table: Table, *key: Any) -> None:
        """Remove the row with this key, if there is one."""
        self._known[table][key] = None
        self._changed[table].add(key)

    def run(self, statement: str, values: Mapping[str, Any]) -> None:
        """Change rows by a statement of one's own: for what is rare and concerns rows of unknown number."""
        self.flush()
        self._known.clear()
        self._cursor.run(statement, values)

    def flush(self) -> None:
        """Write what has changed."""
        for table, keys in self._changed.items():
            known = self._known[table]
            rows = [row for key in keys if (row := known[key]) is not None]
            gone = [dict(zip(table.key, key, strict=True)) for key in keys if known[key] is None]
            self._cursor.remove(table, gone)
            self._cursor.put(table, rows)
        self._changed.clear()
