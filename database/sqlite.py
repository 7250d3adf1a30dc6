"""One SQLite file: its connections, its transactions, and the promise that erased bytes are gone."""

import json
import re
import sqlite3
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from eventsourcing.sqlite import SQLiteCursor as LibraryCursor
from eventsourcing.sqlite import SQLiteDatastore, SQLiteTrackingRecorder

from database.database import Database
from database.sql import NOTHING, Cursor, Row, Table, Values
from domain.errors import StoreUnavailable

BUSY_TIMEOUT = 30.0  # seconds to wait for another process: SQLite's own queue between processes is unfair
SCRUB_TIMEOUT = 2.0  # seconds to wait for those who read; no longer, because writers wait meanwhile

_LOOK_AGAIN = 0.01  # seconds
_AMONG = re.compile(r"\bIN (:\w+)")


class FairLock:
    """A lock that is handed over in the order of asking, so that no writer starves in this process."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._held = False

    def __enter__(self) -> None:
        with self._mutex:
            if not self._held:
                self._held = True
                return
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        turn.acquire()

    def __exit__(self, *_: object) -> None:
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._held = False


class SQLiteCursor(Cursor):
    """Statements on SQLite: many values are one parameter, a JSON list."""

    def __init__(self, raw: LibraryCursor) -> None:
        self._raw = raw

    @property
    def raw(self) -> LibraryCursor:
        return self._raw

    def run(self, statement: str, values: Values = NOTHING) -> None:
        self._raw.execute(_translated(statement), _bound(values))

    def run_many(self, statement: str, rows: Sequence[Values]) -> None:
        if rows:
            self._raw.executemany(_translated(statement), rows)

    def put(self, table: Table, rows: Sequence[Row]) -> None:
        self.run_many(table.upsert, rows)

    def remove(self, table: Table, keys: Sequence[Row]) -> None:
        self.run_many(table.delete, keys)

    def all(self, statement: str, values: Values = NOTHING) -> list[Row]:
        self.run(statement, values)
        return [dict(row) for row in self._raw.fetchall()]

    def one(self, statement: str, values: Values = NOTHING) -> Row | None:
        self.run(statement, values)
        row = self._raw.fetchone()
        return None if row is None else dict(row)


class SQLiteDatabase(SQLiteDatastore):
    """The library's datastore with transactions of our own, so that readers wait for nobody.

    Writers take turns and begin IMMEDIATE, so that what they check stays true until they commit. A commit
    is on the disk when it returns; with `durable=False` a power cut may cost the last ones.
    """

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        super().__init__(str(path))
        self.path = path
        self._durable = durable
        self._turns = FairLock()
        self._mutex = threading.Lock()  # guards the next two
        self._idle: list[sqlite3.Connection] = []
        self._closed = False

    @property
    def name(self) -> str:
        return self.path.name

    @contextmanager
    def transaction(self, *, commit: bool) -> Iterator[LibraryCursor]:
        """A transaction as the library's recorders want it: their own cursor, their own errors."""
        with self._turns if commit else nullcontext(), self._connection() as connection:
            yield from _transact(connection, commit=commit)

    @contextmanager
    def writing(self, *, alone: Collection[str] = ()) -> Iterator[Cursor]:
        with self._unavailable(), self.transaction(commit=True) as raw:
            yield SQLiteCursor(raw)

    @contextmanager
    def reading(self) -> Iterator[Cursor]:
        with self._unavailable(), self.transaction(commit=False) as raw:
            yield SQLiteCursor(raw)

    def rows(self, statement: str, values: Values = NOTHING) -> list[Row]:
        with self.reading() as cursor:
            return cursor.all(statement, values)

    def create(self, cursor: Cursor, statement: str) -> None:
        cursor.raw.execute(statement.replace("SERIAL PRIMARY KEY", "INTEGER PRIMARY KEY AUTOINCREMENT"))

    def tables(self) -> set[str]:
        with self.reading() as cursor:
            return {row["name"] for row in cursor.all("SELECT name FROM sqlite_master WHERE type = 'table'")}

    def tracking(self) -> SQLiteTrackingRecorder:
        return SQLiteTrackingRecorder(self)

    def scrub(self, tables: Collection[str]) -> bool:
        """Empty the write-ahead log, which holds what was overwritten in any table."""
        with self._turns, self._connection() as connection:
            connection.execute(f"PRAGMA busy_timeout = {int(SCRUB_TIMEOUT * 1000)}")
            try:
                busy: int = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            finally:
                connection.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT * 1000)}")
        return not busy

    def announce(self, cursor: Cursor) -> None:
        pass

    def watch(self, seen: Callable[[], None]) -> None:
        pass

    @contextmanager
    def scratch(self) -> Iterator["SQLiteDatabase"]:
        with tempfile.TemporaryDirectory(dir=self.path.parent, prefix="scratch-") as folder:
            scratch = SQLiteDatabase(Path(folder) / "scratch.db", durable=False)
            try:
                yield scratch
            finally:
                scratch.overwrite()
                scratch.close()

    @contextmanager
    def beside(self, scratch: Database, *, alone: Collection[str]) -> Iterator[tuple[Cursor, str, str]]:
        assert isinstance(scratch, SQLiteDatabase)  # noqa: S101 - for mypy: scratch() makes no other
        with self._unavailable(), self._turns, self._connection() as connection:
            connection.execute("ATTACH DATABASE :path AS scratch", {"path": str(scratch.path)})
            try:
                with contextmanager(_transact)(connection, commit=True) as raw:
                    yield SQLiteCursor(raw), "main.", "scratch."
            finally:
                connection.execute("DETACH DATABASE scratch")

    def overwrite(self) -> None:
        """Empty every table, so that no byte of a row is left in the file."""
        tables = self.tables()
        with self.writing() as cursor:
            for table in tables:
                cursor.run(f"DELETE FROM {table}")  # noqa: S608 - a name that the database itself gave
        self.scrub(())

    def close(self) -> None:
        with self._mutex:
            self._closed = True
            while self._idle:
                self._idle.pop().close()

    @contextmanager
    def _unavailable(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_ERROR:  # a wrong statement
                raise
            raise StoreUnavailable(f"{self.name}: {error}") from error

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A connection that nobody else uses meanwhile."""
        with self._mutex:
            if self._closed:
                raise sqlite3.ProgrammingError(f"{self.name} has been closed.")
            connection = self._idle.pop() if self._idle else None
        connection = connection or self._connect()
        try:
            yield connection
        finally:
            self._put_back(connection)

    def _put_back(self, connection: sqlite3.Connection) -> None:
        with self._mutex:
            if self._closed:
                connection.close()
            else:
                self._idle.append(connection)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
        )
        connection.row_factory = sqlite3.Row
        use_write_ahead_log(connection, BUSY_TIMEOUT)
        connection.execute(f"PRAGMA synchronous = {'FULL' if self._durable else 'NORMAL'}")
        connection.execute("PRAGMA fullfsync = ON")  # macOS: its plain fsync leaves data in the drive's cache
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA temp_store = MEMORY")  # sorting must leave no text in files of its own
        return connection


def use_write_ahead_log(connection: sqlite3.Connection, patience: float) -> None:
    """Switch the file to write-ahead logging, trying for so many seconds.

    SQLite's busy timeout does not cover this statement: while another process is switching the same new
    file it fails at once. Raises sqlite3.OperationalError when patience is over.
    """
    until = time.monotonic() + patience
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                raise
            time.sleep(_LOOK_AGAIN)
        else:
            return


def _transact(connection: sqlite3.Connection, *, commit: bool) -> Iterator[LibraryCursor]:
    cursor = LibraryCursor(connection.cursor())
    cursor.execute("BEGIN IMMEDIATE" if commit else "BEGIN")
    try:
        with cursor:
            yield cursor
        if commit:
            connection.commit()
    finally:
        if connection.in_transaction:  # also after a commit that failed
            with suppress(sqlite3.Error):
                connection.rollback()


@lru_cache(maxsize=1000)
def _translated(statement: str) -> str:
    return _AMONG.sub(r"IN (SELECT value FROM json_each(\1))", statement)


def _bound(values: Values) -> Mapping[str, Any]:
    many = {name: json.dumps(list(each)) for name, each in values.items() if _is_many(each)}
    return {**values, **many} if many else values


def _is_many(value: object) -> bool:
    return isinstance(value, Collection) and not isinstance(value, str | bytes | memoryview)
