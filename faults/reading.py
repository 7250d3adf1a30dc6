"""Reading the evidence: PostgreSQL by psycopg, Kafka by a consumer of its own, ledger and journal."""

import hashlib
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from kafka import KafkaConsumer, TopicPartition
from psycopg import sql

from faults.evidence import Copy, Event, Evidence, Post, Reply, Send, Text, ViewRows
from faults.opening import read_event, unwrap

_FIELDS = {
    "received": ("provider_message_id", "thread_id", "text", "customer_address"),
    "requested": ("sender", "text", "purpose", "conversation_id", "suppressed"),
    "attempted": ("attempt", "send_by"),
    "accepted": ("attempt", "provider_message_id"),
    "settled": ("attempt", "outcome"),
    "resolved": ("resolution", "by"),
    "created": ("thread_id", "minutes"),
    "ended": ("reason",),
}
"""What the checker needs of the events of messages and conversations."""

# The store and its views are schemas; `__migration__` is the library's own mark among the positions.
_NEWER: LiteralString = (
    "SELECT notification_id, originator_id, originator_version, topic, state,"
    " extract(epoch FROM pg_xact_commit_timestamp(xmin)) FROM {store}.stored_events"
    " WHERE notification_id > %s ORDER BY notification_id LIMIT %s"
)
_KEYS: LiteralString = "SELECT id, name, sealed FROM {store}.vault WHERE kind = 'customer'"
_INGESTED: LiteralString = (
    "SELECT application_name, max(notification_id) FROM {store}.tracking GROUP BY application_name"
)
_SHOWN: LiteralString = (
    "SELECT application_name, max(notification_id) FROM {views}.tracking"
    " WHERE application_name <> '__migration__' GROUP BY application_name"
)
_IN_DOUBT: LiteralString = "SELECT message_id FROM {views}.outbound WHERE status = 'in_doubt'"
_UNSETTLED: LiteralString = "SELECT count(*) FROM {views}.outbound WHERE status <> 'in_doubt'"
_READY: LiteralString = (
    "SELECT count(*) FROM {views}.outbound o WHERE status IN ('requested', 'postponed')"
    " AND coalesce(retry_at, 0) <= {now} AND expires_at > {now}"
    " AND NOT EXISTS (SELECT 1 FROM {views}.outbound e WHERE e.thread_id = o.thread_id"
    " AND (e.status = 'attempting'"
    " OR e.status IN ('requested', 'postponed') AND e.sequence < o.sequence))"
)
_TABLES: LiteralString = "SELECT tables FROM {views}.projections"
_ROWS: LiteralString = 'SELECT t::text FROM {views}.{table} t ORDER BY t::text COLLATE "C"'

_ATTEMPT = re.compile(r"attempt=([0-9a-f]{32})\.([0-9]+)$")
_AT_ONCE = 5_000
READ_WITHIN = 30.0  # seconds for what Kafka has
LOOK_EVERY = 0.02


class Store:
    """E and P, straight from the server: no proxy is in between."""

    def __init__(self, url: str, namespace: str, master_key: bytes) -> None:
        self._url = url
        self._namespace = namespace
        self._master = master_key
        self._position = 0
        self._keys_known: dict[bytes, bytes] = {}

    def connect(self) -> psycopg.Connection[Any]:
        """A connection for one look. Raises psycopg.OperationalError."""
        return psycopg.connect(self._url, autocommit=True, connect_timeout=10)

    def read_events(self) -> Iterator[Event]:
        """The events since the last look."""
        with self.connect() as connection:
            while rows := connection.execute(self._sql(_NEWER), (self._position, _AT_ONCE)).fetchall():
                keys = self._keys(connection)  # after the events: a key is there before what it sealed
                for position, stream, version, topic, state, committed in rows:
                    data = _data(topic, stream, version, bytes(state), keys)
                    at = data.pop("timestamp", 0.0)
                    digest = hashlib.sha256(state).hexdigest()
                    yield Event(position, stream.hex, version, topic, at, float(committed or 0), digest, data)
                self._position = rows[-1][0]

    def _keys(self, connection: psycopg.Connection[Any]) -> dict[bytes, bytes]:
        rows = connection.execute(self._sql(_KEYS)).fetchall()
        known, self._keys_known = self._keys_known, {}
        for item, name, sealed in rows:
            key_id = bytes.fromhex(item)
            key = known.get(key_id) or unwrap(self._master, bytes(sealed), item, "customer", name)
            self._keys_known[key_id] = key
        return self._keys_known

    def ingested(self) -> dict[int, int]:
        """How far each partition of the ingress log has been ingested."""
        with self.connect() as connection:
            rows = connection.execute(self._sql(_INGESTED)).fetchall()
        return {int(name.split(":")[1]): at for name, at in rows if name.startswith("ingress:")}

    def waiting_sends(self, *, all_of_them: bool) -> int:
        """How many messages could be handed over now and are not; or how many are not settled at all."""
        with self.connect() as connection:
            query = self._sql(_UNSETTLED if all_of_them else _READY)
            return int(connection.execute(query).fetchall()[0][0])

    def view_positions(self) -> dict[str, int]:
        """How far each read model has come."""
        with self.connect() as connection:
            return _positions(connection, self._sql(_SHOWN))

    def read_views(self, *, hashed: bool) -> ViewRows:
        """The read models, all as of one moment; their hashes too, if they are wanted."""
        with self.connect() as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            found = ViewRows(min(_positions(connection, self._sql(_SHOWN)).values(), default=0))
            found.in_doubt = {row[0] for row in connection.execute(self._sql(_IN_DOUBT))}
            if hashed:
                lists = connection.execute(self._sql(_TABLES)).fetchall()
                for table in sorted(name for (names,) in lists for name in names.split()):
                    found.hashes[table] = self._hash(connection, table)
            return found

    def _hash(self, connection: psycopg.Connection[Any], table: str) -> str:
        digest = hashlib.sha256()
        with connection.cursor(name="rows") as cursor:
            cursor.itersize = _AT_ONCE
            for (row,) in cursor.execute(self._sql(_ROWS, table)):
                digest.update(row.encode() + b"\n")
        return digest.hexdigest()

    def _sql(self, text: LiteralString, table: str = "") -> sql.Composed:
        return sql.SQL(text).format(
            store=sql.Identifier(self._namespace),
            views=sql.Identifier(f"{self._namespace}_views"),
            table=sql.Identifier(table),
            now=sql.Literal(int(time.time() * 1e6)),
        )


def _positions(connection: psycopg.Connection[Any], query: sql.Composed) -> dict[str, int]:
    return dict(connection.execute(query).fetchall())


def _data(topic: str, stream: UUID, version: int, state: bytes, keys: dict[bytes, bytes]) -> dict[str, Any]:
    _, kind, what, _ = topic.split(".")
    if kind not in {"message", "conversation"}:
        return {}
    record = read_event(topic, stream, version, state, keys)
    if topic == "parley.conversation.created.v1":
        record["minutes"] = record["terms"]["chat_control"]["idle_timeout_minutes"]
    return {name: record[name] for name in ("timestamp", *_FIELDS.get(what, ())) if name in record}


class Follower(threading.Thread):
    """Follows the store all along, as any reader does: what it saw must be all there is (I8)."""

    def __init__(self, store: Store, namespace: str) -> None:
        super().__init__(daemon=True, name="follower")
        self.seen: set[int] = set()
        self._store = store
        self._query = sql.SQL(
            "SELECT notification_id FROM {}.stored_events WHERE notification_id > %s ORDER BY 1 LIMIT 1000"
        ).format(sql.Identifier(namespace))
        self._position = 0
        self._over = threading.Event()

    def run(self) -> None:
        """Follow until stopped; a server that is away is asked again."""
        while not self._over.is_set():
            with suppress(psycopg.Error), self._store.connect() as connection:
                while not self._over.wait(LOOK_EVERY):
                    self._look(connection)
            self._over.wait(0.1)

    def _look(self, connection: psycopg.Connection[Any]) -> None:
        for (position,) in connection.execute(self._query, (self._position,)).fetchall():
            self.seen.add(position)
            self._position = position

    def stop(self) -> None:
        """End for good."""
        self._over.set()
        self.join(10)


class Topics:
    """K, and how long the ingress log is."""

    def __init__(self, bootstrap: str, namespace: str) -> None:
        self._events = f"{namespace}.events"
        self._ingress = f"{namespace}.ingress"
        self._consumer = KafkaConsumer(
            bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        places = self._places(self._events)
        self._consumer.assign(places)
        self._consumer.seek_to_beginning(*places)
        self._at = dict.fromkeys(places, 0)

    def read_copies(self) -> Iterator[Copy]:
        """The records of the events' topic since the last look. Raises TimeoutError."""
        ends = self._consumer.end_offsets(list(self._at))
        until = time.monotonic() + READ_WITHIN
        while any(self._at[place] < end for place, end in ends.items()):
            if time.monotonic() > until:
                raise TimeoutError(f"{self._events} could not be read within {READ_WITHIN:.0f} s")
            for place, records in self._consumer.poll(timeout_ms=200, max_records=_AT_ONCE).items():
                for record in records:
                    yield _copy(record)
                self._at[place] = records[-1].offset + 1

    def ingress_ends(self) -> dict[int, int]:
        """The offset of the last record of each partition of the ingress log, -1 for none."""
        ends = self._consumer.end_offsets(self._places(self._ingress))
        return {place.partition: end - 1 for place, end in ends.items()}

    def close(self) -> None:
        """Close the consumer."""
        self._consumer.close()

    def _places(self, topic: str) -> list[Any]:
        return [TopicPartition(topic, each) for each in sorted(self._consumer.partitions_for_topic(topic))]


def _copy(record: Any) -> Copy:
    headers = dict(record.headers)
    position, previous = int(headers["parley_position"]), int(headers["parley_previous"])
    digest = hashlib.sha256(record.value).hexdigest()
    return Copy(record.partition, record.offset, record.key.hex(), position, previous, digest)


class Lines:
    """A file of JSON lines that grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place = 0

    def read(self) -> Iterator[dict[str, Any]]:
        """The whole lines since the last look."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._place)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._place += len(line)
                yield json.loads(line)


def add_sends(evidence: Evidence, ledger: Lines) -> Counter[str]:
    """Take in what the provider took since the last look; what it made go wrong."""
    faults: Counter[str] = Counter()
    for each in ledger.read():
        if each["kind"] == "fault":
            faults[each["fault"]] += 1
        match = _ATTEMPT.search(each.get("callback") or "") if each["kind"] == "message" else None
        if each["kind"] == "message":
            record = each["record"]
            message, attempt = (match[1], int(match[2])) if match else ("", 0)
            evidence.sends.append(
                Send(record["sid"], message, attempt, record["to"], record["body"], each["at"])
            )
    return faults


class JournalReader:
    """Takes in what the load wrote down."""

    def __init__(self, path: Path) -> None:
        self._lines = Lines(path)
        self._begun: dict[int, int] = {}  # posts without an answer yet: their place among their text's
        self._replies: dict[str, Reply] = {}

    def add_to(self, evidence: Evidence) -> None:
        """Take in what was written since the last look."""
        for each in self._lines.read():
            self._add(evidence, each)

    def _add(self, evidence: Evidence, entry: dict[str, Any]) -> None:
        kind, at = entry["kind"], entry["at"]
        if kind == "text":
            text = Text(entry["sid"], entry["customer"], entry["ours"], entry["body"])
            evidence.texts[text.sid] = text
        elif kind == "post":
            posts = evidence.texts[entry["sid"]].posts
            self._begun[entry["post"]] = len(posts)
            posts.append(Post(entry["api"], at))
        elif kind == "answer":
            posts, place = evidence.texts[entry["sid"]].posts, self._begun.pop(entry["post"])
            posts[place] = replace(posts[place], answered=at, status=entry["status"])
        elif kind == "reply":
            reply = self._replies[entry["text"]] = Reply(entry["text"])
            evidence.replies.append(reply)
        elif kind == "replied":
            self._replies[entry["text"]].message = entry["message"]
