"""Databases with the tables of a store, for tests: a SQLite file, or a PostgreSQL schema."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from adapters.event_store.postgres_recorder import PostgresRecorder
from adapters.event_store.sqlite_recorder import SQLiteRecorder
from database.postgres import PostgresDatabase
from database.sqlite import SQLiteDatabase
from tests.fakes.tcp_proxy import TcpProxy

Opened: TypeAlias = SQLiteDatabase | PostgresDatabase

KINDS = ("sqlite", "postgres")


def store_at(path: Path) -> SQLiteDatabase:
    """A file with the tables of a store, made if they are not there."""
    database = SQLiteDatabase(path)
    SQLiteRecorder(database).create_tables()
    return database


def store_in(url: str, schema: str, *, durable: bool = True) -> PostgresDatabase:
    """A schema with the tables of a store, made if they are not there."""
    database = PostgresDatabase(url, schema, durable=durable)
    PostgresRecorder(database).create_tables()
    return database


def recorder_of(database: Opened) -> SQLiteRecorder | PostgresRecorder:
    """The recorder that goes with a database."""
    if isinstance(database, SQLiteDatabase):
        return SQLiteRecorder(database)
    return PostgresRecorder(database)


class Place(ABC):
    """Where a database is kept. Each one opened is what another process would have."""

    def __init__(self) -> None:
        self._opened: list[Opened] = []

    def open(self) -> Opened:
        """The database; closed after the test."""
        self._opened.append(self._open())
        return self._opened[-1]

    def close(self) -> None:
        for each in self._opened:
            each.close()

    @property
    @abstractmethod
    def words(self) -> list[str]:
        """The same as arguments for a program (`from_words`)."""

    @abstractmethod
    def _open(self) -> Opened: ...


class FilePlace(Place):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    @property
    def words(self) -> list[str]:
        return [str(self.path)]

    def _open(self) -> SQLiteDatabase:
        return SQLiteDatabase(self.path)


class SchemaPlace(Place):
    def __init__(self, url: str, schema: str, *, durable: bool = False) -> None:
        super().__init__()
        self.url = url
        self.schema = schema
        self.durable = durable

    @property
    def words(self) -> list[str]:
        return [self.url, self.schema]

    def _open(self) -> PostgresDatabase:
        return PostgresDatabase(self.url, self.schema, durable=self.durable)


def proxy_to(url: str) -> TcpProxy:
    """A proxy before the server that a URL names."""
    parts = conninfo_to_dict(url)
    return TcpProxy(str(parts["host"]), int(str(parts["port"])))


def through(proxy: TcpProxy, url: str) -> str:
    """What leads to the same database through the proxy."""
    return make_conninfo(url, host="127.0.0.1", port=proxy.port)


def from_words(words: list[str]) -> Opened:
    """Open what these arguments name."""
    return PostgresDatabase(*words) if len(words) > 1 else SQLiteDatabase(Path(words[0]))


def empty_place(request: pytest.FixtureRequest, kind: str) -> Iterator[Place]:
    """A place of one kind, where nothing has been made yet."""
    place: Place
    if kind == "sqlite":
        place = FilePlace(request.getfixturevalue("tmp_path") / "store.db")
    else:
        schema = request.getfixturevalue("schema")
        place = SchemaPlace(request.getfixturevalue("postgres").url, schema)
    yield place
    place.close()


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A place with the tables of a store, once on each kind of database."""
    for made in empty_place(request, request.param):
        recorder_of(made.open()).create_tables()
        yield made
