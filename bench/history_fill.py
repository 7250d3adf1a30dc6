"""Years of history by the database's own copying: real rows, once more under other ids and later positions.

A copy of an event has its octets, so it is as large, but cannot be decrypted: nothing that is measured reads
it. Agents are not copied: those of the copies' conversations are names only, and nobody routes to them.
"""

import psycopg
from psycopg import sql

from database.sql import Table
from projections.deadlines import IDLE
from projections.desk import HOLDERS, INVOLVEMENTS
from projections.history_tables import CONVERSATIONS, MESSAGES
from projections.routing import HANDS
from projections.statistics import SITTINGS

_IDS = frozenset(
    {"id", "conversation_id", "thread_id", "message_id", "customer_id", "consent_id", "agent_id"}
)
_NAMES = frozenset({"customer_address", "agent", "login"})
_POSITIONS = frozenset({"position", "sequence", "since", "until"})
_COPIED = "topic ~ '^parley[.](customer|consent|thread|conversation|message)[.]'"

_WHILE_OPEN = (SITTINGS, IDLE, HANDS)
_FOR_EVER = (CONVERSATIONS, MESSAGES, HOLDERS, INVOLVEMENTS)
_ENDED = {"state": "'ended'", "ended_at": "last_activity_at", "end_reason": "'idle'", "outcome": "'handled'"}
"""What the row of a conversation says when it is over."""


class Filling:
    """The store and the views of a cluster without a process, to be filled."""

    def __init__(self, url: str, namespace: str) -> None:
        self._url = url
        self._namespace = namespace

    def fill(self, conversations: int, events: int) -> tuple[int, int]:
        """Copy what is there until there are so many open conversations and events; how many there are."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(self._sql("SET search_path = {0}, {1}"))
            connection.execute("SET work_mem = '256MB'")
            real = _number(connection, "SELECT count(*) FROM conversations WHERE state = 'assigned'")
            there = _number(connection, "SELECT count(*) FROM stored_events")
            a_copy = _number(connection, f"SELECT count(*) FROM stored_events WHERE {_COPIED}")  # noqa: S608 - ours
            open_until = max(1, -(-conversations // real))  # the first copy that is of closed ones
            until = max(open_until, 1 - (there - events) // a_copy)
            self._copy_events(connection, range(1, until))
            for table in _WHILE_OPEN:
                _copy(connection, table, range(1, open_until), open_until)
            for table in _FOR_EVER:
                _copy(connection, table, range(1, until), open_until)
            self._bring_up_to_date(connection)
            return (
                _number(connection, "SELECT count(*) FROM conversations WHERE state = 'assigned'"),
                _number(connection, "SELECT count(*) FROM stored_events"),
            )

    def _sql(self, statement: str) -> sql.Composed:
        schemas = (self._namespace, f"{self._namespace}_views")
        return sql.SQL(statement).format(*map(sql.Identifier, schemas))

    def _copy_events(self, connection: psycopg.Connection, copies: range) -> None:
        """One copy after the other, as if time had passed; a unit for some events; customers' keys."""
        before = _number(connection, "SELECT max(notification_id) FROM stored_events")
        _run(
            connection,
            "INSERT INTO stored_events (originator_id, originator_version, topic, state)"  # noqa: S608 - ours
            " SELECT md5(originator_id::text || n)::uuid, originator_version, topic, state"
            f" FROM stored_events CROSS JOIN {_each(copies)} WHERE {_COPIED} ORDER BY n, notification_id",
        )
        _run(
            connection,
            "INSERT INTO unit SELECT notification_id, gen_random_uuid() FROM stored_events"  # noqa: S608 - a number
            f" WHERE notification_id > {before} AND notification_id % 10 = 0"
            " ON CONFLICT DO NOTHING",
        )
        _run(
            connection,
            "INSERT INTO vault SELECT md5(id || n), kind, md5(name || n), sealed"  # noqa: S608 - a number
            f" FROM vault CROSS JOIN {_each(copies)} WHERE kind = 'customer'",
        )

    def _bring_up_to_date(self, connection: psycopg.Connection) -> None:
        """What was copied counts as shown and told; the planner knows of it, as autovacuum would see to."""
        for table, column in (("{1}.tracking", "notification_id"), ("{0}.relay", "position")):
            connection.execute(
                self._sql(f"UPDATE {table} SET {column} = (SELECT max(notification_id) FROM stored_events)")  # noqa: S608
            )
        connection.execute("DELETE FROM outbound")  # what waited to be sent does not wait twice
        connection.execute("VACUUM ANALYZE")


def _copy(connection: psycopg.Connection, table: Table, copies: range, open_until: int) -> None:
    span = _number(connection, "SELECT max(position) FROM messages")
    values = ", ".join(_value(table, name, span, open_until) for name in table.names)
    _run(
        connection,
        f"INSERT INTO {table.name} ({', '.join(table.names)})"  # noqa: S608 - our own DDL, numbers
        f" SELECT {values} FROM {table.name} CROSS JOIN {_each(copies)}",
    )


def _value(table: Table, name: str, span: int, open_until: int) -> str:
    """What a copy has in a column."""
    if table is CONVERSATIONS and name in _ENDED:
        return f"CASE WHEN n < {open_until} THEN {name} ELSE {_ENDED[name]} END"
    if name in _IDS:
        return f"md5({name} || n)"
    if name in _NAMES:
        return f"{name} || '-' || n"
    return f"{name} + n * {span}" if name in _POSITIONS else name


def _each(copies: range) -> str:
    return f"generate_series({copies.start}, {copies.stop - 1}) AS n"


def _run(connection: psycopg.Connection, statement: str) -> None:
    connection.execute(statement)


def _number(connection: psycopg.Connection, query: str) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0
