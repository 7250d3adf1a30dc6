"""One SQLite file: its connections, its transactions, and the promise that erased bytes are gone."""

import sqlite3
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from eventsourcing.sqlite import SQLiteCursor, SQLiteDatastore

from adapters.write_ahead import use_write_ahead_log

BUSY_TIMEOUT = 30.0  # seconds to wait for another process: SQLite's own queue between processes is unfair

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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


class Database(SQLiteDatastore):
    """The library's datastore with transactions of our own.

    Writers take turns and begin IMMEDIATE, so that what they check stays true until they commit. A commit
    is on the disk when it returns. Readers wait for nobody. Raises `sqlite3.Error` as SQLite does.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path = path
        self._turns = FairLock()
        self._mutex = threading.Lock()  # guards the next two
        self._idle: list[sqlite3.Connection] = []
        self._closed = False

    @contextmanager
    def transaction(self, *, commit: bool) -> Iterator[SQLiteCursor]:
        """A transaction: one that writes when it is to `commit`, else one that only reads."""
        with self._turns if commit else nullcontext(), self._connection() as connection:
            cursor = SQLiteCursor(connection.cursor())
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

    def scrub(self) -> None:
        """Remove what was deleted from the write-ahead log too: nothing of it is in any file afterwards.

        Raises TimeoutError when other processes keep the log in use; it can be called again.
        """
        with self._turns, self._connection() as connection:
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise TimeoutError(
                f"{self._path.name}: the write-ahead log is busy and still holds what was deleted: try again."
            )

    def close(self) -> None:
        """Close every connection, those in use as soon as they are not."""
        with self._mutex:
            self._closed = True
            while self._idle:
                self._idle.pop().close()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A connection that nobody else uses meanwhile."""
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
        use_write_ahead_log(connection, BUSY_TIMEOUT)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA fullfsync = ON")  # macOS: its plain fsync leaves data in the drive's cache
        connection.execute("PRAGMA secure_delete = ON")
        return connection


def to_micros(moment: datetime) -> int:
    """A moment as SQLite keeps it: microseconds since 1970, UTC."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """The moment that `to_micros` made this number of."""
    return _EPOCH + timedelta(microseconds=micros)
