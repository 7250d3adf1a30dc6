"""An empty store filled again with what it held: rows as they were, at the positions where they were.

PostgreSQL only. While this goes on, and until the workers' `restore` has done the rest, the table `relay`
says that the store is being restored: no other process may work on it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID, uuid4

from adapters.avro_codec import schema_for
from adapters.event_store.lru import Lru
from adapters.event_store.mapper import PREFIX_LENGTH
from adapters.event_store.outbox import write_told
from adapters.event_store.recorder import source_name
from adapters.keys import customers
from adapters.keys.vault import CHECK
from database.postgres import PostgresDatabase
from database.sql import Cursor, Row, micros
from domain.errors import ParleyError
from domain.ports import Source

KNOWN_KEYS = 100_000
"""Ids of keys that were looked up and are there."""

_MUST_BE_EMPTY = (
    "stored_events",
    "unit",
    "tombstone",
    "user_account",
    "api_key",
    "media",
    "parked",
    "parked_decision",
    "waiting_receipt",
)


class NotEmpty(ParleyError):
    """Only a store that holds nothing can be restored."""


class Stage(IntEnum):
    """How far a restore has come."""

    NONE = 0  # none is under way
    FILLING = 1  # what was backed up and the events are written: must be begun again if it is interrupted
    FOLLOWING = 2  # ingress is read again: goes on where it was interrupted


@dataclass(frozen=True, slots=True)
class KeptEvent:
    """An event as it was stored, and what its body says in clear."""

    position: int
    stream_id: UUID
    version: int
    topic: str
    state: bytes
    record: Mapping[str, Any]


@dataclass(frozen=True)
class KeptUnit:
    """What was saved together. `source`: how far it brought the ingress log."""

    events: Sequence[KeptEvent]
    source: Source | None


def stage(database: PostgresDatabase) -> Stage:
    """How far a restore of this store has come."""
    [row] = database.rows("SELECT restoring FROM relay")
    return Stage(row["restoring"])


def restoring(database: PostgresDatabase) -> bool:
    """Whether the store is being restored, or was left half restored: then nothing else may run on it."""
    return stage(database) is not Stage.NONE


def begin(database: PostgresDatabase, rows: Iterable[tuple[str, Row]]) -> None:
    """Take up what was backed up: rows, table by table. Raises NotEmpty."""
    with database.writing(alone=["tables"]) as c:
        _refuse_unless_empty(database, c)
        c.run("UPDATE relay SET restoring = :stage", {"stage": Stage.FILLING})
        c.run("DELETE FROM vault")  # a check of the master key, which the backup has as well
        for table, group in groupby(rows, itemgetter(0)):
            _insert(c, table, (row for _, row in group))


def _refuse_unless_empty(database: PostgresDatabase, c: Cursor) -> None:
    found = [table for table in _MUST_BE_EMPTY if c.one(f"SELECT 1 FROM {table} LIMIT 1")]  # noqa: S608
    if c.one("SELECT 1 FROM vault WHERE kind <> :check LIMIT 1", {"check": CHECK}):
        found.append("vault")
    if c.one("SELECT 1 FROM tracking WHERE application_name LIKE :ours LIMIT 1", {"ours": "ingress:%"}):
        found.append("tracking")
    if found:
        raise NotEmpty(
            f"The store is not empty: schema {database.name} has rows in {', '.join(found)}. Stop every"
            f' process, drop the schema (DROP SCHEMA "{database.name}" CASCADE), run `parley migrate`, and'
            " restore then."
        )


def _insert(c: Cursor, table: str, rows: Iterable[Row]) -> None:
    batch: list[Row] = []
    for row in rows:
        if table == "tombstone":
            del row["position"]  # numbered anew, in the same order
        batch.append(row)
        if len(batch) == 200:
            _insert_batch(c, table, batch)
            batch = []
    _insert_batch(c, table, batch)


def _insert_batch(c: Cursor, table: str, rows: list[Row]) -> None:
    if rows:
        columns = ", ".join(f'"{name}"' for name in rows[0])
        values = ", ".join(f":{name}" for name in rows[0])
        c.run_many(f"INSERT INTO {table} ({columns}) VALUES ({values})", rows)  # noqa: S608


class Refill:
    """Writes events, and marks the customers' keys that nobody has any more."""

    def __init__(self, database: PostgresDatabase, now: datetime) -> None:
        self._database = database
        self._now = now
        self._known: Lru[bytes, bool] = Lru(KNOWN_KEYS)
        self.lost: defaultdict[UUID, int] = defaultdict(int)  # keys that are lost, by customer

    def write(self, units: Sequence[KeptUnit]) -> None:
        """Write whole units that follow on those before."""
        events = [each for unit in units for each in unit.events]
        with self._database.connection() as connection, connection.transaction():
            cursor = connection.cursor()
            with cursor.copy(
                "COPY stored_events (notification_id, originator_id, originator_version, topic, state)"
                " FROM STDIN (FORMAT BINARY)"
            ) as copy:
                copy.set_types(["int8", "uuid", "int8", "text", "bytea"])
                for each in events:
                    copy.write_row((each.position, each.stream_id, each.version, each.topic, each.state))
            with cursor.copy(
                'COPY unit (position, token, partition, "offset") FROM STDIN (FORMAT BINARY)'
            ) as copy:
                copy.set_types(["int8", "uuid", "int4", "int8"])
                for unit in units:
                    source = unit.source
                    place = (source.partition, source.offset) if source else (None, None)
                    copy.write_row((unit.events[-1].position, uuid4(), *place))
        self._mark_lost_keys(events)

    def _mark_lost_keys(self, events: Sequence[KeptEvent]) -> None:
        """Leave a tombstone for each key that encrypted something here and is not in the backup: what it
        encrypted reads as erased, for ever.
        """
        owners = {
            sealed[1:PREFIX_LENGTH].hex(): each.record["customer_id"]
            for each in events
            for name in _encrypted(each.topic)
            if (sealed := each.record[name]) is not None
        }
        unknown = [key_id for key_id in owners if not self._known.get(bytes.fromhex(key_id))]
        if not unknown:
            return
        with self._database.writing(alone=["tombstone"]) as c:
            found = c.all(
                "SELECT id FROM vault WHERE id IN :ids UNION ALL SELECT id FROM tombstone WHERE id IN :ids",
                {"ids": unknown},
            )
            lost = set(unknown) - {row["id"] for row in found}
            c.run_many(
                "INSERT INTO tombstone (id, kind, name, erased_at) VALUES (:id, :kind, :name, :at)",
                [
                    {"id": each, "kind": customers.KIND, "name": owners[each].hex, "at": micros(self._now)}
                    for each in sorted(lost)
                ],
            )
        for key_id in unknown:
            self._known.put(bytes.fromhex(key_id), True, self._known.generation)
        for key_id in lost:
            self.lost[owners[key_id]] += 1

    def finish(
        self, epochs: Sequence[int], highest: int, tails: Mapping[int, int], sources: Mapping[int, int]
    ) -> None:
        """Begin the next epoch after what was written. `highest`: no new event's position may be up to this;
        `tails`: the position of the last event of each partition of the events topic; `sources`: how far each
        partition of the ingress log was ingested.
        """
        with self._database.writing() as c:
            row = c.one("SELECT coalesce(max(notification_id), 0) AS head FROM stored_events")
            head = row["head"] if row else 0
            c.run(
                "SELECT setval(pg_get_serial_sequence('stored_events', 'notification_id'), :next, false)",
                {"next": max(head, highest) + 1},
            )
            c.run_many(
                "INSERT INTO tracking VALUES (:name, :offset)",
                [{"name": source_name(each), "offset": offset} for each, offset in sources.items()],
            )
            c.run("DELETE FROM epoch")
            c.run_many(
                "INSERT INTO epoch VALUES (:number, :after)",
                [{"number": n, "after": after} for n, after in enumerate((*epochs, head), 1)],
            )
            write_told(c, head, tails)
            c.run("UPDATE relay SET restoring = :stage", {"stage": Stage.FOLLOWING})


def skip_ingress(database: PostgresDatabase, partition: int, offset: int) -> None:
    """Take a partition of the ingress log as ingested up to an offset."""
    with database.writing() as c:
        c.run(
            "INSERT INTO tracking VALUES (:name, :offset) ON CONFLICT (application_name) DO UPDATE"
            " SET notification_id = greatest(tracking.notification_id, excluded.notification_id)",
            {"name": source_name(partition), "offset": offset},
        )


def end(database: PostgresDatabase) -> None:
    """Let other processes work on the store."""
    with database.writing() as c:
        c.run("UPDATE relay SET restoring = :stage", {"stage": Stage.NONE})


@cache
def _encrypted(topic: str) -> tuple[str, ...]:
    return tuple(field["name"] for field in schema_for(topic)["fields"] if field.get("encrypted"))
