"""Rows of `store.db`: the library's recorder, reading many streams and writing whole units at once."""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from eventsourcing.persistence import IntegrityError, Notification, StoredEvent, Tracking
from eventsourcing.sqlite import SQLiteCursor, SQLiteProcessRecorder

from adapters.event_store.database import Database
from adapters.event_store.tables import STATEMENTS, VERSION
from adapters.keys.vault import erased
from domain.errors import AlreadyTracked, Conflict
from domain.ports import Source


class StoreRecorder(SQLiteProcessRecorder):
    """Positions are row numbers: they rise by one in the order of commits, since events are never deleted."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)

    def construct_create_table_statements(self) -> list[str]:
        return [*super().construct_create_table_statements(), *STATEMENTS]

    def create_table(self) -> None:
        """Create all tables, the first time. Raises ValueError when a newer Parley made the file."""
        with self.datastore.transaction(commit=True) as c:
            c.execute("PRAGMA user_version")
            found = c.fetchone()[0]
            if found > VERSION:
                raise ValueError(
                    f"The store's tables are of version {found}, made by a newer Parley; this one knows"
                    f" {VERSION}. Use the newer one, or restore a backup."
                )
            if found < VERSION:
                self._create_table(c)
                c.execute(f"PRAGMA user_version = {VERSION}")

    def select_streams(self, known: Mapping[UUID, int]) -> list[Notification]:
        """The events of many streams beyond a known version of each, stream by stream, by one query."""
        with self.datastore.transaction(commit=False) as c:
            c.execute(
                "SELECT e.rowid, e.originator_id, e.originator_version, e.topic, e.state"
                " FROM json_each(?) AS k CROSS JOIN stored_events AS e"
                " ON e.originator_id = k.key AND e.originator_version > k.value"
                " ORDER BY e.originator_id, e.originator_version",
                (_by_hex(known),),
            )
            rows = c.fetchall()
        return [
            Notification(UUID(stream_id), version, topic, state, position)
            for position, stream_id, version, topic, state in rows
        ]

    def head(self) -> int:
        """The position of the newest event, 0 when there is none."""
        with self.datastore.transaction(commit=False) as c:
            return self.head_in(c)

    def head_in(self, c: SQLiteCursor) -> int:
        """The same, as of a transaction."""
        return self._max_notification_id(c) or 0

    def insert_in(self, c: SQLiteCursor, stored: Sequence[StoredEvent]) -> None:
        """Insert events within a transaction. Raises `sqlite3.IntegrityError` when a version is taken."""
        self._insert_events(c, stored)

    def _insert_events(
        self, c: SQLiteCursor, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int]:
        before = self.head_in(c)
        rows = [(_hex(s.originator_id), s.originator_version, s.topic, s.state) for s in stored_events]
        c.executemany(self.insert_events_statement, rows)
        tracking: Tracking | None = kwargs.get("tracking")
        if tracking is not None:
            self._insert_tracking(c, tracking)
        return range(before + 1, before + 1 + len(rows))

    def track_in(self, c: SQLiteCursor, source: Source) -> None:
        """Note within a transaction how far ingest has come. Raises AlreadyTracked when it had before."""
        try:
            self._insert_tracking(c, Tracking(source_name(source.partition), source.offset))
        except IntegrityError:
            raise AlreadyTracked(
                f"Partition {source.partition} has been ingested up to offset {source.offset} before."
            ) from None

    def check_unchanged_in(self, c: SQLiteCursor, versions: Mapping[UUID, int]) -> None:
        """Make sure, within a transaction, that streams have not moved. Raises Conflict naming those."""
        c.execute(
            "SELECT k.key FROM json_each(?) AS k WHERE k.value <> coalesce("
            "(SELECT max(originator_version) FROM stored_events WHERE originator_id = k.key), 0)",
            (_by_hex(versions),),
        )
        stale = _ids(c)
        if stale:
            raise Conflict(stale)

    def check_keys_in(self, c: SQLiteCursor, streams_by_key: Mapping[bytes, Collection[UUID]]) -> None:
        """Make sure, within a transaction, that the customer keys that were used still exist.

        Raises Conflict naming the streams that hold something encrypted under a destroyed one.
        """
        gone = erased(c, streams_by_key)
        if gone:
            raise Conflict({stream for key_id in gone for stream in streams_by_key[key_id]})

    def taken(self, stored: Sequence[StoredEvent]) -> set[UUID]:
        """The streams in which somebody has used the first of these events' versions."""
        first: dict[str, int] = {}
        for event in stored:
            first.setdefault(_hex(event.originator_id), event.originator_version)
        with self.datastore.transaction(commit=False) as c:
            c.execute(
                "SELECT k.key FROM json_each(?) AS k WHERE EXISTS (SELECT 1 FROM stored_events"
                " WHERE originator_id = k.key AND originator_version = k.value)",
                (json.dumps(first),),
            )
            return _ids(c)


def source_name(partition: int) -> str:
    """The name under which a partition of the ingress log is tracked."""
    return f"ingress:{partition}"


def _hex(stream_id: UUID | str) -> str:
    return stream_id.hex if isinstance(stream_id, UUID) else stream_id


def _by_hex(numbers: Mapping[UUID, int]) -> str:
    return json.dumps({stream_id.hex: number for stream_id, number in numbers.items()})


def _ids(c: SQLiteCursor) -> set[UUID]:
    return {UUID(row[0]) for row in c.fetchall()}


def migrate(path: Path) -> None:
    """Create the tables of a store's file, or find them there. To be called once, before anything opens it.

    Raises ValueError when a newer Parley made the file.
    """
    database = Database(path)
    try:
        StoreRecorder(database).create_table()
    finally:
        database.close()
