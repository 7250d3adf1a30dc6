"""One PostgreSQL schema: its transactions, and word of what other processes commit."""

import logging
import re
import selectors
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any, LiteralString

import psycopg
from eventsourcing.postgres import PostgresDatastore, PostgresTrackingRecorder
from psycopg import sql
from psycopg.rows import DictRow

from database.database import Database
from database.postgres_connections import PATIENCE, Connection, Connections
from database.sql import NOTHING, Cursor, Row, Table, Values, packed
from domain.errors import StoreUnavailable

log = logging.getLogger(__name__)

SCRUB_TIMEOUT = 2.0  # seconds to wait for those who read
_LOOK_AGAIN = 0.01  # seconds

FIRST_BACK_OFF, LONGEST_BACK_OFF = 0.1, 5.0
"""Seconds between tries to hear other processes' word again."""

_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]\w*)")
_AMONG = re.compile(r"\b(NOT )?IN (:\w+)")

_NOT_PLAIN = ("\\u0000", ":true", ":false")
"""As JSON writes what `_plain` alters; in a text, the last two do no harm."""

_WORDS = {
    "SERIAL PRIMARY KEY": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    " TEXT": ' TEXT COLLATE "C"',  # compared by code point, as SQLite does, whatever the database's order is
    " BLOB": " BYTEA",
    " WITHOUT ROWID": "",
}
"""What DDL is called here."""

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(name, 0)) FROM unnest(:names::text[]) AS name"

_NOW: LiteralString = "SELECT pg_snapshot_xmax(pg_current_snapshot())::xid::text AS now"
_SEES_THE_PAST: LiteralString = (
    "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND backend_type = 'client backend' AND age(backend_xmin) > age(%(now)s::xid) LIMIT 1"
)

_AWAY = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.IdleInTransactionSessionTimeout,  # this process was held up for long
    psycopg.errors.ReadOnlySqlTransaction,  # the server has become a standby
)


SPACING = 0.005
"""Seconds, at least, from one word to the next: what is committed meanwhile is told of together."""


class _SyncedCursor(psycopg.Cursor[DictRow]):
    """Asks for an answer with Sync, not Flush: else the server thinks that more is to come, and would wait
    for a process that is held up, with all its locks, for ever.
    """

    def __init__(self, connection: Connection, sync: Callable[[], None]) -> None:
        super().__init__(connection)
        self._sync = sync

    def fetchone(self) -> DictRow | None:
        self._sync()
        return super().fetchone()

    def fetchall(self) -> list[DictRow]:
        self._sync()
        return super().fetchall()


class PostgresCursor(Cursor):
    """Statements on PostgreSQL: many values are one parameter, an array.

    In a transaction they are sent together, whenever an answer is asked for: what is wrong with one that
    asks for none shows then, or at the end.
    """

    hold = " FOR SHARE"

    def __init__(self, connection: Connection, sync: Callable[[], None] = lambda: None) -> None:
        self._connection = connection
        self._sync = sync

    @property
    def raw(self) -> psycopg.Cursor[DictRow]:
        return _SyncedCursor(self._connection, self._sync)  # each its own, or answers would be mixed up

    def run(self, statement: str, values: Values = NOTHING) -> None:
        self.raw.execute(_translated(statement), _bound(values))

    def run_many(self, statement: str, rows: Sequence[Values]) -> None:
        if rows:
            self.raw.executemany(_translated(statement), [_bound(row) for row in rows])

    # Many rows are one parameter, a JSON list: measured up to twice as fast as a statement for each.

    def put(self, table: Table, rows: Sequence[Row]) -> None:
        if rows:
            self.run(_upsert(table), {"rows": _json(rows)})

    def remove(self, table: Table, keys: Sequence[Row]) -> None:
        if keys:
            self.run(_removal(table), {"rows": _json(keys)})

    def all(self, statement: str, values: Values = NOTHING) -> list[Row]:
        return self.raw.execute(_translated(statement), _bound(values)).fetchall()

    def one(self, statement: str, values: Values = NOTHING) -> Row | None:
        return self.raw.execute(_translated(statement), _bound(values)).fetchone()


class PostgresDatabase(PostgresDatastore):
    """The library's datastore, for one schema of a database, with connections and transactions of our own.

    What is committed is on the disk; with `durable=False` a crash of the server may cost the last commits,
    never their order.
    """

    def __init__(self, url: str, schema: str, *, connections: int = 10, durable: bool = True) -> None:
        """Name the database (`postgresql://…`) and schema; nothing is connected to before the first use."""
        super().__init__("", "", "", "", "", schema=schema, lock_timeout=PATIENCE)
        self.url = url
        self._durable = durable
        self._watchers: list[Callable[[], None]] = []
        self._word: threading.Thread | None = None
        self._closing = threading.Event()
        self._connections = Connections(url, connections, self._begin)
        self._until_closed, self._end_of_word = socket.socketpair()

    @property
    def name(self) -> str:
        return self.schema

    def register_type_adapters(self) -> None:
        """Do nothing: the library's recorders ask for this, and Parley uses none of their types."""

    def make_schema(self) -> None:
        """Make the schema if it is not there."""
        with self.connection() as connection:
            connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(self.schema)))

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection that nobody else uses meanwhile; each statement is a transaction of its own."""
        try:
            with self._connections.one() as connection:
                yield connection
        except _AWAY as error:
            raise StoreUnavailable(f"PostgreSQL, {self.schema}: {str(error).strip()}") from error

    get_connection = connection  # as the library's recorders call it

    @contextmanager
    def writing(self, *, alone: Collection[str] = ()) -> Iterator[Cursor]:
        with self._transaction("BEGIN") as cursor:
            if alone:
                # In one order, so that no two wait for each other. The answer is waited for: whatever the
                # block does, also by other connections, it does alone.
                names = [f"{self.schema}.{each}" for each in sorted(alone)]
                cursor.all(_LOCK, {"names": names})
            yield cursor

    @contextmanager
    def reading(self) -> Iterator[Cursor]:
        with self._transaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") as cursor:
            yield cursor

    def rows(self, statement: str, values: Values = NOTHING) -> list[Row]:
        with self.connection() as connection:
            return PostgresCursor(connection).all(statement, values)

    @contextmanager
    def _transaction(self, begin: LiteralString) -> Iterator[Cursor]:
        with self.connection() as connection, connection.pipeline() as pipeline:
            connection.execute(begin)
            yield PostgresCursor(connection, pipeline.sync)
            connection.execute("COMMIT")

    def create(self, cursor: Cursor, statement: str) -> None:
        for theirs, ours in _WORDS.items():
            statement = statement.replace(theirs, ours)
        cursor.raw.execute(statement)

    def tables(self) -> set[str]:
        with self.reading() as cursor:
            rows = cursor.all(
                "SELECT tablename FROM pg_tables WHERE schemaname = :schema", {"schema": self.schema}
            )
        return {row["tablename"] for row in rows}

    def tracking(self) -> PostgresTrackingRecorder:
        return PostgresTrackingRecorder(self, tracking_table_name="tracking")

    def scrub(self, tables: Collection[str]) -> bool:
        """Remove these tables' dead rows, which nobody can read any more by SQL, from tables and indexes.

        The room is given back, not overwritten: octets may stay in the server's files until it is used
        again, and in its log for as long as that is kept.
        """
        if not tables:
            return True
        with self.connection() as connection:
            if not self._all_see_the_present(connection):
                return False
            for table in tables:
                vacuum = sql.SQL("VACUUM (INDEX_CLEANUP ON) {}")
                try:
                    connection.execute(vacuum.format(sql.Identifier(self.schema, table)))
                except psycopg.errors.LockNotAvailable:
                    return False
        return True

    def _all_see_the_present(self, connection: psycopg.Connection[DictRow]) -> bool:
        """Wait until no transaction is under way that may still see rows which are dead by now."""
        row = connection.execute(_NOW).fetchone()
        until = time.monotonic() + SCRUB_TIMEOUT
        while connection.execute(_SEES_THE_PAST, row).fetchone() is not None:
            if time.monotonic() >= until:
                return False
            time.sleep(_LOOK_AGAIN)
        return True

    # ── word from other processes ──────────────────────────────────────────────────────────────

    def announce(self, cursor: Cursor) -> None:
        cursor.raw.execute(sql.SQL("NOTIFY {}").format(sql.Identifier(self.schema)))

    def watch(self, seen: Callable[[], None]) -> None:
        self._watchers.append(seen)
        if self._word is None:
            self._word = threading.Thread(target=self._listen, name=f"{self.schema}-word", daemon=True)
            self._word.start()

    def _listen(self) -> None:
        """Call the watchers for every word, and after a break, in which some may have been missed."""
        pause = FIRST_BACK_OFF
        while not self._closing.is_set():
            try:
                with self._connections.connect() as connection:
                    connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self.schema)))
                    self._tell()
                    pause = FIRST_BACK_OFF
                    self._tell_of_every_word(connection)
            except (psycopg.Error, StoreUnavailable) as error:
                if self._closing.is_set():
                    return
                log.warning("%s: no word from other processes for %.1f s: %s", self.schema, pause, error)
                self._closing.wait(pause)
                pause = min(2 * pause, LONGEST_BACK_OFF)

    def _tell_of_every_word(self, connection: Connection) -> None:
        with selectors.DefaultSelector() as ready:
            ready.register(connection, selectors.EVENT_READ)
            ready.register(self._until_closed, selectors.EVENT_READ)
            while not self._closing.is_set():
                ready.select()
                if list(connection.notifies(timeout=0)):
                    self._tell()
                    self._closing.wait(SPACING)

    def _tell(self) -> None:
        for seen in self._watchers:
            seen()

    # ── a database for a while ─────────────────────────────────────────────────────────────────

    @contextmanager
    def scratch(self) -> Iterator["PostgresDatabase"]:
        scratch = PostgresDatabase(self.url, f"{self.schema}_scratch", connections=2, durable=False)
        self._drop(scratch.schema)  # what a process left that was killed
        scratch.make_schema()
        try:
            yield scratch
        finally:
            scratch.close()
            self._drop(scratch.schema)

    def _drop(self, schema: str) -> None:
        with self.connection() as connection:
            connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))

    @contextmanager
    def beside(self, scratch: Database, *, alone: Collection[str]) -> Iterator[tuple[Cursor, str, str]]:
        with self.writing(alone=alone) as cursor:
            yield cursor, f'"{self.schema}".', f'"{scratch.name}".'

    def close(self) -> None:
        self._closing.set()
        self._end_of_word.close()
        if self._word is not None and self._word is not threading.current_thread():
            self._word.join(PATIENCE)
        self._until_closed.close()
        self._connections.close()

    def __del__(self) -> None:
        """Close what the library would close, unless the constructor failed."""
        if hasattr(self, "_end_of_word"):
            self.close()

    def _begin(self, connection: Connection) -> None:
        """How each connection begins. A transaction that falls silent is ended: it may hold others up."""
        connection.execute(
            sql.SQL(
                "SET search_path = {}; SET synchronous_commit = {}; SET lock_timeout = {patience};"
                " SET idle_in_transaction_session_timeout = {patience}"
            ).format(
                sql.Identifier(self.schema),
                sql.Literal("on" if self._durable else "off"),
                patience=sql.Literal(f"{PATIENCE}s"),
            )
        )


@cache
def _upsert(table: Table) -> str:
    rows = f"json_to_recordset(:rows) AS r ({table.typed(table.names)})"
    return table.upsert_of(f"SELECT {', '.join(table.names)} FROM {rows}")  # noqa: S608 - names from our DDL


@cache
def _removal(table: Table) -> str:
    same = " AND ".join(f"t.{name} = k.{name}" for name in table.key)
    keys = f"json_to_recordset(:rows) AS k ({table.typed(table.key)})"
    return f"DELETE FROM {table.name} AS t USING {keys} WHERE {same}"  # noqa: S608 - names from our DDL


def _json(rows: Sequence[Row]) -> str:
    written = packed(rows)
    if any(each in written for each in _NOT_PLAIN):
        written = packed([_bound(row) for row in rows])
    return written


@lru_cache(maxsize=1000)
def _translated(statement: str) -> LiteralString:
    among = _AMONG.sub(lambda found: f"{'<> ALL' if found[1] else '= ANY'}({found[2]})", statement)
    return _PARAMETER.sub(r"%(\1)s", among.replace("%", "%%"))


def _bound(values: Values) -> dict[str, Any]:
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd")  # which PostgreSQL cannot keep in a text
    if isinstance(value, Collection) and not isinstance(value, bytes | memoryview):
        return [_plain(each) for each in value]
    return value
