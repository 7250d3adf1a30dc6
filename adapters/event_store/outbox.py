"""The event store as the relay's outbox: rows as they are, and how far they were told. PostgreSQL only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from psycopg.rows import tuple_row

from adapters.avro_codec import decode
from adapters.event_store.leases import check_lease
from adapters.event_store.lru import Lru
from database.postgres import PostgresDatabase
from database.sql import Cursor
from domain.errors import ParleyError
from domain.ports import Clock, Lease, Source

KNOWN_THREADS = 100_000
"""Conversations and messages whose thread is remembered; about 30 MB."""

_OF_A_THREAD = ("parley.conversation.", "parley.message.")

# Whoever saves writes a row of `unit` for its last event: the first unit at or beyond an event is its own.
_SELECT: LiteralString = (
    "SELECT e.notification_id, e.originator_id, e.originator_version, e.topic, e.state,"
    ' u.position, u.partition, u."offset" FROM stored_events AS e CROSS JOIN LATERAL'
    " (SELECT * FROM unit WHERE position >= e.notification_id ORDER BY position LIMIT 1) AS u"
    " WHERE e.notification_id > %b ORDER BY e.notification_id LIMIT %b"
)


@dataclass(frozen=True, slots=True)
class OutboxEvent:
    """An event as it is told to others: nothing in it is decrypted."""

    position: int
    stream_id: UUID
    version: int
    topic: str
    state: bytes  # Avro, in its single-object encoding
    unit: int  # the position of the last event of its transaction
    source: Source | None  # how far that transaction brought the ingress log
    at: datetime
    key: UUID  # the thread where it is of one, else the stream
    conversation_id: UUID | None


@dataclass(frozen=True)
class Told:
    """How far the relay has come."""

    position: int
    tails: Mapping[int, int]  # by partition: the position of the last record that counts
    epochs: tuple[int, ...]  # after which position each began
    restoring: bool  # a restore has begun and is not finished


class NoThread(ParleyError):
    """An event of a conversation or message whose first event is not there: the store is damaged."""


class Outbox:
    """Reads the store's events in order, with what a record of each needs, and remembers what was told."""

    def __init__(self, database: PostgresDatabase, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._threads: Lru[UUID, UUID] = Lru(KNOWN_THREADS)

    def read(self, after: int, limit: int) -> list[OutboxEvent]:
        """At most `limit` events beyond a position, in order. Raises NoThread."""
        rows = self._select(_SELECT, (after, limit))
        opened = [decode(row[4])[1] for row in rows]
        keys = self._keys(rows, opened)
        return [_event(row, record, key) for row, record, key in zip(rows, opened, keys, strict=True)]

    def at(self, position: int) -> OutboxEvent | None:
        """The event at a position."""
        found = self.read(position - 1, 1)
        return found[0] if found and found[0].position == position else None

    def told(self) -> Told:
        """How far the relay has come."""
        with self._database.reading() as c:
            relay = c.one("SELECT * FROM relay")
            tails = c.all("SELECT partition, position FROM relay_tail")
            epochs = c.all('SELECT "after" FROM epoch ORDER BY number')
        assert relay is not None  # noqa: S101 - for mypy: it is made with the table
        return Told(
            relay["position"],
            {row["partition"]: row["position"] for row in tails},
            tuple(row["after"] for row in epochs),
            relay["restoring"] != 0,
        )

    def tell(self, position: int, tails: Mapping[int, int], lease: Lease) -> None:
        """Remember how far the relay has come. Raises LeaseLost."""
        with self._database.writing() as c:
            check_lease(c, lease, self._clock.now())
            write_told(c, position, tails)

    def tell_all(self) -> None:
        """Believe that nothing was told yet: for a topic that was made anew. No relay may run meanwhile."""
        with self._database.writing() as c:
            c.run("DELETE FROM relay_tail")
            write_told(c, 0, {})

    def _keys(self, rows: Sequence[Any], opened: Sequence[Mapping[str, Any]]) -> list[UUID]:
        """The key of each row: one query for all threads that are not known."""
        generation = self._threads.generation
        keys: list[UUID | None] = []
        found: dict[UUID, UUID] = {}
        for row, record in zip(rows, opened, strict=True):
            stream_id: UUID = row[1]
            if not row[3].startswith(_OF_A_THREAD):
                keys.append(stream_id)
                continue
            thread_id = record.get("thread_id") or found.get(stream_id) or self._threads.get(stream_id)
            if thread_id is not None and stream_id not in found:
                found[stream_id] = thread_id
                self._threads.put(stream_id, thread_id, generation)
            keys.append(thread_id)
        missing = {row[1] for row, key in zip(rows, keys, strict=True) if key is None}
        if missing:
            self._look_up(missing, found, generation)
        return [key or found[row[1]] for row, key in zip(rows, keys, strict=True)]

    def _look_up(self, missing: set[UUID], found: dict[UUID, UUID], generation: int) -> None:
        """Read their first events, which name the thread."""
        rows = self._select(
            "SELECT originator_id, state FROM stored_events"
            " WHERE originator_id = ANY(%b::uuid[]) AND originator_version = 1",
            (list(missing),),
        )
        for stream_id, state in rows:
            found[stream_id] = decode(state)[1]["thread_id"]
            self._threads.put(stream_id, found[stream_id], generation)
        if lost := missing - found.keys():
            raise NoThread(f"The store has no first event of stream {lost.pop()}: it is damaged.")

    def _select(self, statement: LiteralString, values: Sequence[Any]) -> list[Any]:
        with self._database.connection() as connection:
            cursor = connection.cursor(binary=True, row_factory=tuple_row)
            return cursor.execute(statement, values, prepare=True).fetchall()


def write_told(c: Cursor, position: int, tails: Mapping[int, int]) -> None:
    """Write how far the relay has come, within a transaction."""
    c.run("UPDATE relay SET position = :position", {"position": position})
    c.run_many(
        "INSERT INTO relay_tail VALUES (:partition, :position)"
        " ON CONFLICT (partition) DO UPDATE SET position = excluded.position",
        [{"partition": partition, "position": last} for partition, last in tails.items()],
    )


def _event(row: Any, record: Mapping[str, Any], key: UUID) -> OutboxEvent:
    position, stream_id, version, topic, state, unit, partition, offset = row
    conversation_id = record.get("conversation_id")
    if topic.startswith("parley.conversation."):
        conversation_id = stream_id
    return OutboxEvent(
        position,
        stream_id,
        version,
        topic,
        state,
        unit,
        None if partition is None else Source(partition, offset),
        record["timestamp"],
        key,
        conversation_id,
    )
