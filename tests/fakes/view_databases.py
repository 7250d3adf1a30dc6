"""Views for tests: on a file, or in a PostgreSQL schema."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from database.database import Database
from database.postgres import PostgresDatabase
from database.sqlite import SQLiteDatabase
from projections.projection import Projection
from projections.registry import ALL
from projections.views import Views, make_views

Projections = Sequence[type[Projection]]

_PAGE = 8192  # octets
_NORMAL = 1  # the state of a line pointer whose row is there


def views_at(path: Path, projections: Projections = ALL) -> Views:
    """Views on a SQLite file, made if it is not there."""
    return views_on(SQLiteDatabase(path, durable=False), projections)


def views_on(database: Database, projections: Projections = ALL) -> Views:
    """Views on a database, made if they are not there."""
    make_views(database, projections)
    return Views(database, projections)


class Place(ABC):
    """Where views are kept; each of those opened is what another process would have."""

    def __init__(self) -> None:
        self._opened: list[Views] = []

    @abstractmethod
    def database(self) -> Database:
        """The place, opened once more."""

    @abstractmethod
    def octets(self) -> bytes:
        """What is kept of rows, those that can still be found and those that cannot."""

    @abstractmethod
    def beside(self) -> list[str]:
        """The names of databases that are there for a while."""

    @abstractmethod
    def plan(self, views: Views, statement: str) -> str:
        """How the database finds the rows of a query, once there are many."""

    def views(self, projections: Projections = ALL) -> Views:
        """Views that are closed after the test."""
        self._opened.append(views_on(self.database(), projections))
        return self._opened[-1]

    def close(self) -> None:
        for each in self._opened:
            each.close()
        self._opened.clear()


class SQLitePlace(Place):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def database(self) -> SQLiteDatabase:
        return SQLiteDatabase(self.path, durable=False)

    def octets(self) -> bytes:
        """Whatever is on the disk."""
        return b"".join(path.read_bytes() for path in self.path.parent.glob(f"{self.path.name}*"))

    def beside(self) -> list[str]:
        return [path.name for path in self.path.parent.glob("scratch-*")]

    def plan(self, views: Views, statement: str) -> str:
        with views.reading() as cursor:
            return "\n".join(row["detail"] for row in cursor.all(f"EXPLAIN QUERY PLAN {statement}"))


class PostgresPlace(Place):
    def __init__(self, url: str, schema: str) -> None:
        super().__init__()
        self.url = url
        self.schema = schema
        with self._connection() as connection:
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))

    def database(self) -> PostgresDatabase:
        return PostgresDatabase(self.url, self.schema, durable=False)

    def octets(self) -> bytes:
        """Every version of every row that a page points to, in tables and indexes.

        What no pointer leads to any more is room that the server has not used again yet.
        """
        with self._connection() as connection:
            connection.execute("CHECKPOINT")
            found = connection.execute(
                "SELECT pg_read_binary_file(pg_relation_filepath(oid)) FROM pg_class"
                " WHERE relnamespace = %s::regnamespace AND relkind IN ('r', 'i')",
                [self.schema],
            )
            return b"".join(part for (file,) in found for part in _rows(file))

    def beside(self) -> list[str]:
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT nspname FROM pg_namespace WHERE starts_with(nspname, %s) AND nspname <> %s",
                [self.schema, self.schema],
            )
            return [name for (name,) in rows]

    def plan(self, views: Views, statement: str) -> str:
        with views.reading() as cursor:
            cursor.run("SET LOCAL enable_seqscan = off")
            cursor.run("SET LOCAL enable_bitmapscan = off")
            return "\n".join(row["QUERY PLAN"] for row in cursor.all(f"EXPLAIN {statement}"))

    def empty(self) -> None:
        """Leave no row and no trace of one: much faster than making the tables again, or than TRUNCATE."""
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind = 'r'"
                " AND relname NOT IN ('projections', 'tracking') AND pg_relation_size(oid) > 0",
                [self.schema],
            )
            tables = [sql.Identifier(self.schema, name) for (name,) in rows]
            for table in tables:
                connection.execute(sql.SQL("DELETE FROM {}").format(table))
                connection.execute(sql.SQL("VACUUM (INDEX_CLEANUP ON) {}").format(table))
            tracking = sql.Identifier(self.schema, "tracking")
            positions = sql.SQL("DELETE FROM {} WHERE application_name <> '__migration__'")
            connection.execute(positions.format(tracking))

    def drop(self) -> None:
        with self._connection() as connection:
            connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(self.schema)))

    def _connection(self) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(self.url, autocommit=True, options="-c synchronous_commit=off")


def _rows(file: bytes) -> Iterator[bytes]:
    """What the line pointers of every page lead to (PostgreSQL's documentation, Database Page Layout)."""
    for start in range(0, len(file), _PAGE):
        page = file[start : start + _PAGE]
        lower = int.from_bytes(page[12:14], "little")
        for place in range(24, lower, 4):
            pointer = int.from_bytes(page[place : place + 4], "little")
            offset, state, length = pointer & 0x7FFF, pointer >> 15 & 3, pointer >> 17
            if state == _NORMAL:
                yield page[offset : offset + length]
