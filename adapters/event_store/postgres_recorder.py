"""The library's recorder on PostgreSQL."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, LiteralString
from uuid import UUID, uuid4

from eventsourcing.persistence import IntegrityError, Notification, StoredEvent, Tracking
from eventsourcing.postgres import PostgresProcessRecorder
from psycopg.errors import UniqueViolation
from psycopg.rows import tuple_row

from adapters.event_store.recorder import already_ingested, first_versions, source_name
from adapters.event_store.tables import IN_POSTGRES, SINCE_VERSION_2, STATEMENTS, VERSION
from database.postgres import PostgresDatabase
from database.sql import Cursor
from domain.errors import AlreadyTracked, Conflict, StoreUnavailable
from domain.ports import Source

log = logging.getLogger(__name__)

_SELECT: LiteralString = (
    "SELECT e.notification_id, e.originator_id, e.originator_version, e.topic, e.state FROM "
)

_INSERT: LiteralString = (
    "WITH saved AS (INSERT INTO stored_events (originator_id, originator_version, topic, state)"
    " SELECT * FROM unnest(%b::uuid[], %b::bigint[], %b::text[], %b::bytea[]) RETURNING notification_id)"
    " INSERT INTO unit SELECT max(notification_id), %b::uuid, %b::integer, %b::bigint FROM saved"
    " RETURNING position"
)
_HEAD = "SELECT coalesce(max(notification_id), 0) AS head FROM stored_events"


class PostgresRecorder(PostgresProcessRecorder):
    """A `Recorder`. Positions come from a sequence: they rise in the order of commits, because whoever saves
    locks the table for other writers first, and have gaps where a save failed.

    The library's database functions are never used: they take no lock, and a reader that follows the events
    then misses some.
    """

    def __init__(self, database: PostgresDatabase) -> None:
        super().__init__(database, tracking_table_name="tracking")
        self._database = database
        self.sql_create_statements = [
            each
            for each in self.sql_create_statements
            if not {"TYPE", "FUNCTION"} & set(each.as_string().split()[:4])
        ]

    def create_tables(self) -> None:
        self._database.make_schema()
        with self._database.writing(alone=["tables"]) as c:
            c.run("CREATE TABLE IF NOT EXISTS made (version INTEGER NOT NULL)")
            row = c.one("SELECT version FROM made")
            found = row["version"] if row else 0
            if found > VERSION:
                raise ValueError(
                    f"The store's tables are of version {found}, made by a newer Parley; this one knows"
                    f" {VERSION}. Use the newer one, or restore a backup."
                )
            if found < 1:
                self._create_table(c.raw)
                for statement in (*STATEMENTS, *IN_POSTGRES):
                    self._database.create(c, statement)
            if found < VERSION:
                for statement in SINCE_VERSION_2:
                    self._database.create(c, statement)
                c.run("DELETE FROM made")
                c.run("INSERT INTO made VALUES (:version)", {"version": VERSION})

    def check_tables(self) -> None:
        """Make sure that the tables are there as this version wants them. Raises ValueError."""
        found = None
        if "made" in self._database.tables():
            with self._database.reading() as c:
                found = c.one("SELECT version FROM made")
        if found is None or found["version"] != VERSION:
            raise ValueError(
                f"the schema {self._database.name} has no tables of version {VERSION}: run parley migrate"
            )

    def select_streams(self, known: Mapping[UUID, int]) -> list[Notification]:
        return self._select(
            _SELECT  # noqa: S608 - our own text
            + "unnest(%b::uuid[], %b::bigint[]) AS k (id, version) CROSS JOIN LATERAL"
            " (SELECT * FROM stored_events WHERE originator_id = k.id AND originator_version > k.version"
            " ORDER BY originator_version) AS e",
            (list(known), list(known.values())),
        )

    def select_after(self, position: int, limit: int) -> list[Notification]:
        return self._select(
            _SELECT + "stored_events AS e WHERE notification_id > %b ORDER BY notification_id LIMIT %b",
            (position, limit),
        )

    def head(self) -> int:
        return int(self._database.rows(_HEAD)[0]["head"])

    def ingested(self, partition: int) -> int:
        with self._database.connection() as connection, connection.cursor() as cursor:
            offset = self._max_tracking_id(source_name(partition), cursor)
        return -1 if offset is None else offset

    def save(
        self, stored: Sequence[StoredEvent], source: Source | None, check: Callable[[Cursor], None]
    ) -> int:
        token, position = uuid4(), None
        try:
            with self._database.writing() as c:
                c.run("LOCK TABLE stored_events IN EXCLUSIVE MODE")
                if source is not None:
                    self._track(c, source)
                check(c)
                position = self._insert(c, stored, source, token) if stored else _head(c)
        except UniqueViolation:  # of all that is inserted, only a version can be there already
            raise Conflict(self._taken(stored)) from None
        except StoreUnavailable:
            # The connection was lost, perhaps only after the server had committed.
            if position is None or not self._was_saved(token, None if stored else source):
                raise
            log.warning("a save whose answer was lost is there, up to position %d", position)
        return position

    def _insert(self, c: Cursor, stored: Sequence[StoredEvent], source: Source | None, token: UUID) -> int:
        values = (
            [each.originator_id for each in stored],
            [each.originator_version for each in stored],
            [each.topic for each in stored],
            [each.state for each in stored],
            token,
            source and source.partition,
            source and source.offset,
        )
        inserted = c.raw.execute(_INSERT, values, prepare=True)
        self._database.announce(c)
        return int(inserted.fetchone()["position"])

    def check_unchanged(self, c: Cursor, versions: Mapping[UUID, int]) -> None:
        stale = c.raw.execute(
            "SELECT k.id FROM unnest(%b::uuid[], %b::bigint[]) AS k (id, version) WHERE k.version <>"
            " coalesce((SELECT max(originator_version) FROM stored_events WHERE originator_id = k.id), 0)",
            (list(versions), list(versions.values())),
            prepare=True,
        ).fetchall()
        if stale:
            raise Conflict({row["id"] for row in stale})

    def _track(self, c: Cursor, source: Source) -> None:
        try:
            self._insert_tracking(c.raw, Tracking(source_name(source.partition), source.offset))
        except IntegrityError:
            raise AlreadyTracked(already_ingested(source)) from None

    def _was_saved(self, token: UUID, source: Source | None) -> bool:
        """Whether a unit is there whose commit was not answered: known once its lock on the table is gone.

        Raises StoreUnavailable while the server cannot be asked.
        """
        with self._database.writing() as c:
            c.run("LOCK TABLE stored_events IN EXCLUSIVE MODE")
            if source is not None:
                row = c.one(
                    "SELECT 1 FROM tracking WHERE application_name = :name AND notification_id >= :offset",
                    {"name": source_name(source.partition), "offset": source.offset},
                )
            else:
                row = c.one("SELECT 1 FROM unit WHERE token = :token", {"token": token})
        return row is not None

    def _taken(self, stored: Sequence[StoredEvent]) -> set[UUID]:
        """The streams in which somebody has used the first of these events' versions."""
        first = first_versions(stored)
        with self._database.reading() as c:
            rows = c.raw.execute(
                "SELECT originator_id FROM unnest(%b::uuid[], %b::bigint[]) AS k (id, version)"
                " JOIN stored_events ON originator_id = k.id AND originator_version = k.version",
                (list(first), list(first.values())),
            ).fetchall()
        return {row["originator_id"] for row in rows}

    def _select(self, statement: LiteralString, values: Sequence[Any]) -> list[Notification]:
        with self._database.connection() as connection:
            cursor = connection.cursor(binary=True, row_factory=tuple_row)
            cursor.execute(statement, values, prepare=True)
            return [
                Notification(stream_id, version, topic, state, position)
                for position, stream_id, version, topic, state in cursor.fetchall()
            ]


def _head(c: Cursor) -> int:
    row = c.one(_HEAD)
    return int(row["head"]) if row else 0
