"""One file of the spool: records kept durably, in order, until the log has them.

It is the SQLite log with one partition, from which what was moved on is removed. Every record carries a
checksum over all that it says, and offsets follow one another without a gap: a flipped bit, a lost page or
a cut-off end shows. For the same reason the file has a rollback journal instead of a write-ahead log, whose
damaged tail SQLite drops without a word (https://www.sqlite.org/wal.html, "The WAL File"): what was
acknowledged is always in the file itself. It costs two or three more syncs for each commit.
"""

import fcntl
import json
import logging
import sqlite3
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from adapters.sqlite_log import BUSY_TIMEOUT, SQLiteLog
from domain.errors import LogUnavailable
from domain.ports import Appended, Clock, NewRecord

log = logging.getLogger(__name__)

SUFFIX = ".db"
BROKEN = ".broken"
TOPIC = "parley.spool"
BATCH_BYTES = 4 << 20  # read at once, though never less than one record

_CHECKSUM = struct.Struct(">I")  # CRC-32 of what follows
_HEAD = struct.Struct(">qII")  # microseconds since 1970, length of the key, length of the headers
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CORRUPTION = {
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    # What a file that is as it was made does not answer to the statements here.
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_READONLY,
}


class InUse(Exception):
    """Another live process has the file, or it is no more."""


class Broken(Exception):
    """The file cannot be read."""


@dataclass(frozen=True)
class Batch:
    """Records that follow one another: those that could be read, and how far this goes."""

    file: "SpoolFile"
    records: list[NewRecord]
    last: int
    count: int  # with those that could not be read
    size: int


class SpoolFile(SQLiteLog):
    """A spool file, held by one process at a time: by a lock that ends with the process."""

    def __init__(self, path: Path, clock: Clock, *, new: bool = False) -> None:
        """Open a file, or make a new one.

        Raises InUse; Broken, when the file has been set aside; LogUnavailable when it cannot be opened now.
        """
        self.name = path.stem
        self.damage = ""  # why the file takes nothing more: some of it could not be read
        self.broken = ""  # why nothing of it can be read any more
        self.arriving = 0  # appends under way
        self._file = path
        self._lock_file = _locked(path)
        try:
            if new:
                path.touch()
            self._check_there(new=new)
            super().__init__(path, TOPIC, 1, clock)
            self.records, self.size, self._moved = self._look_through()
        except BaseException as error:
            self._failed_to_open(error)
            raise

    def append(self, records: Sequence[NewRecord]) -> list[Appended]:
        try:
            return super().append(records)
        except LogUnavailable:
            raise
        except Exception as error:  # a number that is no time, a row that is not there
            self.broken = f"{type(error).__name__}: {error}"
            raise LogUnavailable(f"{self._file.name}: {self.broken}") from error

    def next_batch(self, limit: int) -> Batch | None:
        """At most `limit` of the oldest records not moved yet, in order; None when there is none.

        A record that is not as it was written is left out and the file marked as damaged. Raises Broken.
        """
        rows = self._in_sequence(self._rows(limit))
        if not rows:
            return None
        unpacked = [self._unpacked(offset, packed) for offset, packed in rows]
        readable = [record for record in unpacked if record is not None]
        size = sum(len(packed) for _, packed in rows)
        return Batch(self, readable, rows[-1][0], len(rows), size)

    def remove(self, last: int) -> None:
        """Forget the records up to this one. Raises LogUnavailable when they cannot be removed now: they are
        removed with the next, or come once more after a restart.
        """
        self._moved = last
        if self.damage:  # whoever looks into it later finds all there was
            return
        with self._transaction() as writer:
            writer.execute(
                "UPDATE log SET trimmed_at = max(trimmed_at,"
                ' coalesce((SELECT accepted_at FROM record WHERE "offset" = ?), 0))',
                (last,),
            )
            writer.execute("UPDATE partition SET trimmed = ?", (last,))
            writer.execute('DELETE FROM record WHERE "offset" <= ?', (last,))

    def mark_damaged(self, reason: str) -> None:
        """Note that some of the file is not as it was written."""
        if not self.damage:
            log.error("the spool file %s is damaged: %s; what can be read is moved on", self.name, reason)
            self.damage = reason

    def oldest(self) -> datetime | None:
        """When the record was accepted that waits longest; None when none does or it cannot be read."""
        with suppress(Broken, LogUnavailable, ValueError):
            rows = self._rows(1)
            return unpack(rows[0][1]).accepted_at if rows else None
        return None

    def close(self) -> None:
        super().close()
        self._lock_file.close()

    def set_aside(self, reason: str) -> None:
        """Rename the file and its journal: they are for a person to look at, and for nobody else."""
        self._close_connections()
        aside = self._file.with_suffix(BROKEN)
        journal = Path(f"{self._file}-journal")
        if journal.exists() and journal.stat().st_size:  # SQLite looks for it beside the file
            journal.rename(f"{aside}-journal")
        journal.unlink(missing_ok=True)
        self._file.rename(aside)
        _lock_path(self._file).unlink(missing_ok=True)
        self._lock_file.close()
        log.error("the spool file %s is set aside as %s: %s", self.name, aside.name, reason)

    # ── inside ─────────────────────────────────────────────────────────────────────────────────

    def _check_there(self, *, new: bool) -> None:
        """SQLite would take an empty file for a new one."""
        if not self._file.exists():
            raise InUse(self._file.name)
        if not new and self._file.stat().st_size == 0:
            raise Broken(f"{self._file.name} is empty: not even a new spool file is.")

    def _look_through(self) -> tuple[int, int, int]:
        """How many records and bytes there are, and up to which offset they were moved on."""
        with self._reader() as reader:
            count, size = reader.execute(
                "SELECT count(*), coalesce(sum(length(value)), 0) FROM record NOT INDEXED"
            ).fetchone()
            moved, last = reader.execute(
                "SELECT max(trimmed, 0), coalesce((SELECT max(seq) FROM sqlite_sequence), 0) FROM partition"
            ).fetchone()
        if count != last - moved:
            self.mark_damaged(f"it has {count} records of the {last - moved} between {moved} and {last}")
        return count, size, moved

    def _rows(self, limit: int) -> list[tuple[int, bytes]]:
        rows: list[tuple[int, bytes]] = []
        size = 0
        try:
            with self._reader() as reader, closing(reader.cursor()) as cursor:
                cursor.execute(
                    'SELECT "offset", CAST(value AS BLOB) FROM record NOT INDEXED'
                    ' WHERE "offset" > ? ORDER BY "offset" LIMIT ?',
                    (self._moved, limit),
                )
                for offset, packed in cursor:
                    rows.append((offset, packed or b""))
                    size += len(rows[-1][1])
                    if size >= BATCH_BYTES:
                        break
        except sqlite3.Error as error:
            self._note_corruption(error)
            if rows:
                return rows  # what stands before the broken page
            if self.broken:
                raise Broken(self.broken) from error
            raise LogUnavailable(f"{self._file.name}: {error}") from error
        return rows

    def _in_sequence(self, rows: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
        """The rows up to where they go back, which only those of a damaged file do."""
        before = self._moved
        for number, (offset, _) in enumerate(rows):
            if offset != before + 1:
                self.mark_damaged(f"after record {before} comes {offset}")
            if offset <= before:
                return rows[:number]
            before = offset
        return rows

    def _unpacked(self, offset: int, packed: bytes) -> NewRecord | None:
        try:
            return unpack(packed)
        except ValueError as error:
            self.mark_damaged(f"record {offset}: {error}")
            return None

    def _failed_to_open(self, error: BaseException) -> None:
        """Give the file free, or set it aside when it is broken; raise what that means to the caller."""
        self._note_corruption(error)
        if isinstance(error, ValueError | TypeError | ArithmeticError):  # no spool file, or not as written
            self.broken = str(error)
        if isinstance(error, Broken) or self.broken:
            reason = self.broken or str(error)
            try:
                self.set_aside(reason)
            except OSError as refused:
                self._lock_file.close()
                raise LogUnavailable(f"{reason}; it cannot be set aside: {refused}") from error
            raise Broken(reason) from error
        self._close_connections()
        self._lock_file.close()
        if isinstance(error, sqlite3.Error):
            raise LogUnavailable(f"{self._file.name}: {error}") from error

    def _close_connections(self) -> None:
        with suppress(AttributeError, sqlite3.Error):  # it may never have been opened
            super().close()

    def _note_corruption(self, error: BaseException | None) -> None:
        cause = error.__cause__ if isinstance(error, LogUnavailable) else error
        code: int = getattr(cause, "sqlite_errorcode", 0)
        if code & 0xFF in _CORRUPTION:
            self.broken = str(error)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            with super()._transaction() as writer:
                yield writer
        except LogUnavailable as error:
            self._note_corruption(error)
            raise

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self._file.absolute().as_uri()}?mode=rw",  # never makes one anew that was set aside
            uri=True,
            timeout=BUSY_TIMEOUT,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            connection.execute("PRAGMA journal_mode = TRUNCATE")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA fullfsync = ON")
            connection.execute("PRAGMA secure_delete = ON")
        except BaseException:
            connection.close()
            raise
        return connection


def pack(record: NewRecord, accepted_at: datetime) -> bytes:
    """All of a record as one string of bytes with its checksum."""
    headers = json.dumps(dict(record.headers)).encode()
    micros = (accepted_at - _EPOCH) // timedelta(microseconds=1)
    body = _HEAD.pack(micros, len(record.key), len(headers)) + record.key + headers + record.value
    return _CHECKSUM.pack(zlib.crc32(body)) + body


def unpack(packed: bytes) -> NewRecord:
    """The record, with its acceptance time. Raises ValueError when it is not as it was packed."""
    body = packed[_CHECKSUM.size :]
    if len(body) < _HEAD.size or packed[: _CHECKSUM.size] != _CHECKSUM.pack(zlib.crc32(body)):
        raise ValueError("its checksum is wrong")
    micros, key_length, headers_length = _HEAD.unpack_from(body)
    key_end = _HEAD.size + key_length
    headers_end = key_end + headers_length
    return NewRecord(
        key=body[_HEAD.size : key_end],
        value=body[headers_end:],
        headers=json.loads(body[key_end:headers_end]),
        accepted_at=_EPOCH + timedelta(microseconds=micros),
    )


def _lock_path(path: Path) -> Path:
    return path.with_suffix(".lock")


def _locked(path: Path) -> BinaryIO:
    """The lock beside a file, taken. Raises InUse."""
    lock = _lock_path(path).open("wb")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise InUse(path.name) from None
    return lock
