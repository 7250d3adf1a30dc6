"""Connections to one PostgreSQL server: psycopg's pool, told not to pause when the server was away."""

import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool, PoolTimeout

PATIENCE = 10
"""Seconds to wait for a connection, for a lock that others hold, and for a peer that does not answer."""

PATIENCE_FOR_ONE = 5
"""Seconds to wait until a connection is free, or can be made."""

_DEFAULTS: dict[str, Any] = {
    "connect_timeout": PATIENCE,
    "keepalives_idle": PATIENCE,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": PATIENCE * 1000,
    "application_name": "parley",
}
"""Parameters of libpq where the URL says nothing."""

Connection = psycopg.Connection[DictRow]


class Connections:
    """psycopg's pool, for any number of threads. Errors are psycopg's."""

    def __init__(self, url: str, most: int, prepare: Callable[[Connection], None]) -> None:
        """Remember the URL, and what to do with every new connection. Raises ValueError."""
        try:
            self._parameters = {**_DEFAULTS, **conninfo_to_dict(url), "autocommit": True}
        except psycopg.ProgrammingError:  # which quotes the URL, with its password
            raise ValueError(
                "The database's URL cannot be read: use postgresql://user:password@host:port/database"
            ) from None
        self._prepare = prepare
        self._pool = ConnectionPool(
            kwargs={**self._parameters, "row_factory": dict_row},
            connection_class=Connection,
            min_size=0,
            max_size=most,
            open=False,
            configure=prepare,
            check=_refuse_news,
            reconnect_timeout=0,  # whoever asks next has the pool try at once: it would pause ever longer
            num_workers=2,
        )
        self._doubtful = True  # whether the server is there

    @contextmanager
    def one(self) -> Iterator[Connection]:
        """A connection that nobody else uses meanwhile; a transaction left open is rolled back."""
        if self._doubtful:
            self._try()
        try:
            connection = self._pool.getconn(PATIENCE_FOR_ONE)
        except PoolTimeout:
            self._try()
            raise psycopg.OperationalError(
                f"all {self._pool.max_size} connections were in use for {PATIENCE_FOR_ONE} s"
            ) from None
        try:
            yield connection
        finally:
            self._doubtful = self._doubtful or connection.closed
            self._pool.putconn(connection)

    def _try(self) -> None:
        """Connect once. Raises at once, and says why, what the pool would be silent about for seconds."""
        self._doubtful = True
        self.connect().close()
        self._pool.open()  # the first time; nothing after that
        self._pool.drain()  # connections from before are broken, likely as not
        self._doubtful = False

    def connect(self) -> Connection:
        """One more connection, the caller's own."""
        connection = psycopg.connect(**self._parameters, row_factory=dict_row)
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        """Close every connection, those in use as soon as they are not."""
        self._pool.close()


def _refuse_news(connection: Connection) -> None:
    """Let the pool throw away a connection that the server has ended: without asking it, for a round trip."""
    if _has_news(connection):
        connection.close()
        raise psycopg.OperationalError("the server has ended this connection")


def _has_news(connection: Connection) -> bool:
    """Whether the server has said what nobody asked: in all likelihood that the connection is over."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
