"""The library's recorder on SQLite."""

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from eventsourcing.persistence import IntegrityError, Notification, StoredEvent, Tracking
from eventsourcing.sqlite import SQLiteProcessRecorder

from adapters.event_store.recorder import already_ingested, first_versions, source_name
from adapters.event_store.tables import EVENTS_ARE_KEPT_IN_SQLITE, SINCE_VERSION_2, STATEMENTS, VERSION
from database.sql import Cursor
from database.sqlite import SQLiteDatabase
from domain.errors import AlreadyTracked, Conflict
from domain.ports import Source


class SQLiteRecorder(SQLiteProcessRecorder):
    """A `Recorder`. Positions are row numbers: they rise by one in the order of commits, since events are
    never deleted. Ids are hexadecimal text.
    """

    def __init__(self, database: SQLiteDatabase) -> None:
        super().__init__(database)
        self._database = database

    def create_tables(self) -> None:
        with self._database.writing() as c:
            found = int(_one(c, "PRAGMA user_version"))
            if found > VERSION:
                raise ValueError(
                    f"The store's tables are of version {found}, made by a newer Parley; this one knows"
                    f" {VERSION}. Use the newer one, or restore a backup."
                )
            if found < 1:
                self._create_table(c.raw)
                for statement in (*EVENTS_ARE_KEPT_IN_SQLITE, *STATEMENTS):
                    self._database.create(c, statement)
            if found < VERSION:
                for statement in SINCE_VERSION_2:
                    self._database.create(c, statement)
                c.run(f"PRAGMA user_version = {VERSION}")

    def select_streams(self, known: Mapping[UUID, int]) -> list[Notification]:
        with self._database.reading() as c:
            c.raw.execute(
                "SELECT e.rowid, e.originator_id, e.originator_version, e.topic, e.state"
                " FROM json_each(?) AS k CROSS JOIN stored_events AS e"
                " ON e.originator_id = k.key AND e.originator_version > k.value"
                " ORDER BY e.originator_id, e.originator_version",
                (_by_hex(known),),
            )
            return _notifications(c)

    def select_after(self, position: int, limit: int) -> list[Notification]:
        with self._database.reading() as c:
            c.raw.execute(
                "SELECT rowid, originator_id, originator_version, topic, state FROM stored_events"
                " WHERE rowid > ? ORDER BY rowid LIMIT ?",
                (position, limit),
            )
            return _notifications(c)

    def head(self) -> int:
        with self._database.reading() as c:
            return self._head(c)

    def ingested(self, partition: int) -> int:
        with self._database.reading() as c:
            offset = self._max_tracking_id(source_name(partition), c.raw)
        return -1 if offset is None else offset

    def save(
        self, stored: Sequence[StoredEvent], source: Source | None, check: Callable[[Cursor], None]
    ) -> int:
        try:
            with self._database.writing() as c:
                if source is not None:
                    self._track(c, source)
                check(c)
                c.raw.executemany(self.insert_events_statement, [_row(each) for each in stored])
                return self._head(c)
        except sqlite3.IntegrityError:  # of all that is inserted, only a version can be there already
            raise Conflict(self._taken(stored)) from None

    def check_unchanged(self, c: Cursor, versions: Mapping[UUID, int]) -> None:
        c.raw.execute(
            "SELECT k.key FROM json_each(?) AS k WHERE k.value <> coalesce("
            "(SELECT max(originator_version) FROM stored_events WHERE originator_id = k.key), 0)",
            (_by_hex(versions),),
        )
        stale = {UUID(row[0]) for row in c.raw.fetchall()}
        if stale:
            raise Conflict(stale)

    def _head(self, c: Cursor) -> int:
        return self._max_notification_id(c.raw) or 0

    def _track(self, c: Cursor, source: Source) -> None:
        try:
            self._insert_tracking(c.raw, Tracking(source_name(source.partition), source.offset))
        except IntegrityError:
            raise AlreadyTracked(already_ingested(source)) from None

    def _taken(self, stored: Sequence[StoredEvent]) -> set[UUID]:
        """The streams in which somebody has used the first of these events' versions."""
        with self._database.reading() as c:
            c.raw.execute(
                "SELECT k.key FROM json_each(?) AS k WHERE EXISTS (SELECT 1 FROM stored_events"
                " WHERE originator_id = k.key AND originator_version = k.value)",
                (_by_hex(first_versions(stored)),),
            )
            return {UUID(row[0]) for row in c.raw.fetchall()}


def _one(c: Cursor, statement: str) -> int:
    c.run(statement)
    value: int = c.raw.fetchone()[0]
    return value


def _row(stored: StoredEvent) -> tuple[str, int, str, bytes]:
    assert isinstance(stored.originator_id, UUID)  # noqa: S101 - for mypy: so are all of Parley's
    return stored.originator_id.hex, stored.originator_version, stored.topic, stored.state


def _by_hex(numbers: Mapping[UUID, int]) -> str:
    return json.dumps({stream_id.hex: number for stream_id, number in numbers.items()})


def _notifications(c: Cursor) -> list[Notification]:
    return [
        Notification(UUID(stream_id), version, topic, state, position)
        for position, stream_id, version, topic, state in c.raw.fetchall()
    ]
