"""The log in one SQLite file, for the embedded shape.

Durable means: in the write-ahead log and synced to the disk (`synchronous = FULL`). Since a sync costs
far more than a row, whoever appends first commits for all threads that wait meanwhile. Offsets rise over
the whole file and so have gaps within a partition; AUTOINCREMENT keeps them from ever being used again.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from pathlib import Path

from adapters.partitioning import partition_of
from database.sqlite import use_write_ahead_log
from domain.errors import LogUnavailable, OffsetOutOfRange
from domain.ports import Appended, Clock, NewRecord, Record

BUSY_TIMEOUT = 5.0  # seconds to wait for another process that is writing
TRIM_CHUNK = 1_000  # records removed per transaction, so that appends get their turn in between

# Times are microseconds since 1970. `trimmed` is the highest offset removed from a partition; `trimmed_at` is
# when the newest record removed from the file was accepted.
# `value` comes last, so that looking at the other columns never pages through a long one.
SCHEMA = (
    """CREATE TABLE IF NOT EXISTS log (
        topic TEXT NOT NULL,
        partitions INTEGER NOT NULL,
        trimmed_at INTEGER NOT NULL
    )""",
    """CREATE TABLE IF NOT EXISTS partition (
        number INTEGER PRIMARY KEY,
        trimmed INTEGER NOT NULL
    )""",
    """CREATE TABLE IF NOT EXISTS record (
        "offset" INTEGER PRIMARY KEY AUTOINCREMENT,
        partition INTEGER NOT NULL,
        accepted_at INTEGER NOT NULL,
        key BLOB NOT NULL,
        headers TEXT NOT NULL,
        value BLOB NOT NULL
    )""",
    """CREATE INDEX IF NOT EXISTS record_by_partition ON record (partition, "offset")""",
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(eq=False)
class _Batch:
    """What one caller appends: (partition, its own time if any, key, headers, value), and once it is
    durable, where it is.
    """

    rows: list[tuple[int, int | None, bytes, str, bytes]]
    appended: list[Appended] = field(default_factory=list)
    problem: str = ""

    @property
    def pending(self) -> bool:
        return not (self.appended or self.problem)


class SQLiteLog:
    """A `Log` in a file of its own. Any number of threads and processes may append and read.

    The times that it gives itself never go back, whatever its clock does.
    """

    def __init__(self, path: Path, topic: str, partitions: int, clock: Clock) -> None:
        """Open the file, creating it the first time.

        Raises ValueError when the file holds another topic or was made with another number of partitions.
        """
        self._path = path
        self._clock = clock
        self._partitions = partitions
        self._idle_readers: list[sqlite3.Connection] = []
        self._closed = False
        self._turns = threading.Condition()  # guards the next two, the readers and `_closed`
        self._waiting: list[_Batch] = []
        self._committing = False
        self._writing = threading.Lock()  # guards the writer: appends and trims take turns
        self._latest = 0  # the last time it gave; guarded by `_writing` too
        self._writer = self._connect()
        self._commits = threading.Condition()  # guards the next
        self._commit_count = 0
        self._seen = threading.local()  # the commit count that a thread knew when `wait` last returned
        try:
            self._create(topic)
        except BaseException:
            self._writer.close()
            raise

    @property
    def partitions(self) -> int:
        return self._partitions

    def append(self, records: Sequence[NewRecord]) -> list[Appended]:
        if not records:
            return []
        batch = _Batch([self._row(record) for record in records])
        with self._turns:
            self._waiting.append(batch)
            self._turns.wait_for(lambda: not (batch.pending and self._committing))
            leads = batch.pending
            if leads:
                self._committing = True
                group, self._waiting = self._waiting, []
        if leads:
            self._commit(group)
        if batch.problem:
            raise LogUnavailable(batch.problem)
        return batch.appended

    def read(self, partition: int, after: int, limit: int) -> list[Record]:
        self._check_partition(partition)
        with self._reader() as reader:
            rows = reader.execute(
                'SELECT "offset", key, value, headers, accepted_at FROM record'
                ' WHERE partition = ? AND "offset" > ? ORDER BY "offset" LIMIT ?',
                (partition, after, limit),
            ).fetchall()
            # After the rows: a trim between the two must be noticed rather than overlooked.
            (trimmed,) = reader.execute(
                "SELECT trimmed FROM partition WHERE number = ?", (partition,)
            ).fetchone()
        if trimmed > after:
            raise OffsetOutOfRange(
                f"Partition {partition}: records up to offset {trimmed} were removed; {after} was read last."
            )
        return [
            Record(partition, offset, key, value, json.loads(headers), _moment(at))
            for offset, key, value, headers, at in rows
        ]

    def end(self, partition: int) -> int:
        self._check_partition(partition)
        with self._reader() as reader:
            (offset,) = reader.execute(
                'SELECT coalesce((SELECT max("offset") FROM record WHERE partition = number), trimmed)'
                " FROM partition WHERE number = ?",
                (partition,),
            ).fetchone()
        return int(offset)

    def wait(self, timeout: float) -> None:
        """Wake for a commit of this process since this thread last returned from here; another process's
        appends are found by reading after the timeout.
        """
        with self._commits:
            seen = getattr(self._seen, "count", -1)
            self._commits.wait_for(lambda: self._commit_count != seen, timeout)
            self._seen.count = self._commit_count

    def trim(self, before: datetime) -> int:
        removed = 0
        while count := self._trim_chunk(_micros(before)):
            removed += count
        if removed:  # removed content should not linger in the write-ahead log either
            with self._writing, suppress(sqlite3.Error):
                self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return removed

    def close(self) -> None:
        """Close the file once what is being appended is done. Later appends raise LogUnavailable."""
        with self._writing, self._turns:
            self._closed = True
            self._writer.close()
            while self._idle_readers:
                self._idle_readers.pop().close()

    # ── writing ────────────────────────────────────────────────────────────────────────────────

    def _row(self, record: NewRecord) -> tuple[int, int | None, bytes, str, bytes]:
        at = None if record.accepted_at is None else _micros(record.accepted_at)
        headers = json.dumps(dict(record.headers))
        return partition_of(record.key, self._partitions), at, record.key, headers, record.value

    def _commit(self, group: list[_Batch]) -> None:
        """Append all batches of a group in one transaction and give every caller its outcome."""
        problem = "The append was interrupted."
        try:
            outcomes = self._insert(group)
            for batch, appended in zip(group, outcomes, strict=True):
                batch.appended = appended
        except LogUnavailable as error:
            problem = str(error)
        finally:  # whatever happened, nobody may wait for ever
            with self._turns:
                for batch in group:
                    batch.problem = "" if batch.appended else problem
                self._committing = False
                self._turns.notify_all()
        with self._commits:
            self._commit_count += 1
            self._commits.notify_all()

    def _insert(self, group: list[_Batch]) -> list[list[Appended]]:
        with self._transaction() as writer:
            (offset,) = writer.execute("SELECT max(seq) FROM sqlite_sequence").fetchone()
            (previous,) = writer.execute(
                'SELECT coalesce((SELECT accepted_at FROM record ORDER BY "offset" DESC LIMIT 1), trimmed_at)'
                " FROM log"
            ).fetchone()
            self._latest = max(self._latest, previous, _micros(self._clock.now()))
            rows = [
                (partition, self._latest if at is None else at, key, headers, value)
                for batch in group
                for partition, at, key, headers, value in batch.rows
            ]
            first = (offset or 0) + 1
            writer.executemany(
                "INSERT INTO record VALUES (?, ?, ?, ?, ?, ?)",
                ((offset, *row) for offset, row in enumerate(rows, first)),
            )
        places = (Appended(row[0], offset, _moment(row[1])) for offset, row in enumerate(rows, first))
        return [list(islice(places, len(batch.rows))) for batch in group]

    def _trim_chunk(self, before: int) -> int:
        """Remove some of the first records, up to one that was accepted later; how many."""
        with self._transaction() as writer:
            first = writer.execute(
                'SELECT "offset", accepted_at FROM record ORDER BY "offset" LIMIT ?', (TRIM_CHUNK,)
            ).fetchall()
            old = list(takewhile(lambda row: row[1] < before, first))
            if old:
                last, at = old[-1][0], max(at for _, at in old)
                writer.execute(
                    "UPDATE partition SET trimmed = max(trimmed, coalesce("
                    '(SELECT max("offset") FROM record WHERE partition = number AND "offset" <= ?), -1))',
                    (last,),
                )
                writer.execute("UPDATE log SET trimmed_at = max(trimmed_at, ?)", (at,))
                writer.execute('DELETE FROM record WHERE "offset" <= ?', (last,))
        return len(old)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction. Raises LogUnavailable when it failed (disk full, locked): nothing changed."""
        with self._writing:
            if self._closed:
                raise LogUnavailable(f"{self._path.name} has been closed.")
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                yield self._writer
                self._writer.execute("COMMIT")
            except sqlite3.Error as error:
                raise LogUnavailable(f"{self._path.name}: {error}") from error
            finally:
                if self._writer.in_transaction:
                    with suppress(sqlite3.Error):
                        self._writer.execute("ROLLBACK")

    # ── the file ───────────────────────────────────────────────────────────────────────────────

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
        )
        use_write_ahead_log(connection, BUSY_TIMEOUT)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA fullfsync = ON")  # macOS: its plain fsync leaves data in the drive's cache
        connection.execute("PRAGMA secure_delete = ON")
        return connection

    def _create(self, topic: str) -> None:
        with self._transaction() as writer:
            for statement in SCHEMA:
                writer.execute(statement)
            found = writer.execute("SELECT topic, partitions FROM log").fetchone()
            if found is None:
                writer.execute("INSERT INTO log VALUES (?, ?, 0)", (topic, self._partitions))
                numbers = [(number,) for number in range(self._partitions)]
                writer.executemany("INSERT INTO partition VALUES (?, -1)", numbers)
            elif found != (topic, self._partitions):
                raise ValueError(
                    f"{self._path.name} holds topic {found[0]!r} in {found[1]} partitions, not {topic!r} in"
                    f" {self._partitions}. These never change: open it as it is, or choose another file."
                )

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        """A connection that nobody else uses meanwhile: readers never wait for the writer or each other."""
        with self._turns:
            connection = self._idle_readers.pop() if self._idle_readers else None
        connection = connection or self._connect()
        try:
            yield connection
        finally:
            with self._turns:
                if self._closed:
                    connection.close()
                else:
                    self._idle_readers.append(connection)

    def _check_partition(self, partition: int) -> None:
        if not 0 <= partition < self._partitions:
            raise ValueError(f"partition: {partition} is not one of 0 to {self._partitions - 1}.")


def _micros(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def _moment(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)
