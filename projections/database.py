"""The views' file: its connections and transactions."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from eventsourcing.persistence import Tracking
from eventsourcing.sqlite import SQLiteCursor, SQLiteDatastore, SQLiteTrackingRecorder

BUSY_TIMEOUT = 30.0  # seconds to wait for another process that writes
SCRUB_TIMEOUT = 2.0  # seconds to wait for those who read; no longer, because writers wait meanwhile


class Database(SQLiteDatastore):
    """The library's datastore with transactions of our own, so that readers wait for nobody.

    The library's pool lets readers queue behind a writer who waits for another. A power cut may cost the
    last commits (`synchronous = NORMAL`): positions are lost with the rows, and the events come again.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path = path
        self._turn = threading.Lock()  # writers of this process
        self._mutex = threading.Lock()  # guards the next two
        self._idle: list[sqlite3.Connection] = []
        self._closed = False

    @contextmanager
    def transaction(self, *, commit: bool) -> Iterator[SQLiteCursor]:
        """A transaction: one that writes when it is to `commit`, else a reader's unchanging look."""
        with self._turn if commit else nullcontext(), self._connection() as connection:
            cursor = SQLiteCursor(connection.cursor())
            cursor.execute("BEGIN IMMEDIATE" if commit else "BEGIN")
            try:
                with cursor:
                    yield cursor
                if commit:
                    connection.commit()
            finally:
                if connection.in_transaction:
                    with suppress(sqlite3.Error):
                        connection.rollback()

    def scrub(self) -> bool:
        """Remove what was overwritten from the write-ahead log too; False when others read for too long."""
        with self._turn, self._connection() as connection:
            connection.execute(f"PRAGMA busy_timeout = {int(SCRUB_TIMEOUT * 1000)}")
            try:
                busy: int = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            finally:
                connection.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT * 1000)}")
        return not busy

    @contextmanager
    def attached(self, other: Path, name: str) -> Iterator[SQLiteCursor]:
        """A transaction that writes, with another file at hand under a name."""
        with self._turn, self._connection() as connection:
            connection.execute(f"ATTACH DATABASE :path AS {name}", {"path": str(other)})
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield SQLiteCursor(connection.cursor())
                connection.commit()
            finally:
                if connection.in_transaction:
                    connection.rollback()
                connection.execute(f"DETACH DATABASE {name}")

    def close(self) -> None:
        """Close every connection, those in use as soon as they are not."""
        with self._mutex:
            self._closed = True
            while self._idle:
                self._idle.pop().close()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with self._mutex:
            if self._closed:
                raise sqlite3.ProgrammingError(f"{self._path.name} has been closed.")
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
            self._path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
        )
        connection.row_factory = sqlite3.Row
        _use_write_ahead_log(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA temp_store = MEMORY")  # sorting must leave no text in files of its own
        return connection


class Positions(SQLiteTrackingRecorder):
    """The library's tracking: how far each projection has come."""

    def create_in(self, cursor: SQLiteCursor) -> None:
        """Create the library's table, the first time."""
        cursor.execute("PRAGMA user_version")
        if cursor.fetchone()[0] == 0:
            self._create_table(cursor)
            cursor.execute("PRAGMA user_version = 1")

    def of(self, cursor: SQLiteCursor, name: str) -> int:
        """The position of a projection, 0 before the first event."""
        return self._max_tracking_id(name, cursor) or 0

    def advance(self, cursor: SQLiteCursor, name: str, position: int) -> None:
        """Save it. Raises the library's IntegrityError when it is not beyond the saved one."""
        self._insert_tracking(cursor, Tracking(name, position))

    def forget(self, cursor: SQLiteCursor, name: str) -> None:
        """Let a projection begin again from zero."""
        cursor.execute("DELETE FROM tracking WHERE application_name = :name", {"name": name})


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Switch the file: SQLite's busy timeout does not cover it while another process switches a new file."""
    until = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                raise
            time.sleep(0.01)
        else:
            return
