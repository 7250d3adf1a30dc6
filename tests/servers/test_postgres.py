"""PostgreSQL for the tests: it keeps what was committed, however it ends."""

from collections.abc import Callable

import psycopg
import pytest
from psycopg import sql

from tests.servers.choose import Postgres


@pytest.mark.parametrize("end", ["stop", "crash", "kill"])
def test_what_was_committed_is_there_after_an_end_and_a_start(
    new_postgres: Callable[[], Postgres], end: str
) -> None:
    server = new_postgres()
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE kept (word text)")
        connection.execute("INSERT INTO kept VALUES ('hello')")

    getattr(server, end)()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.url)
    server.start()

    with psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT word FROM kept").fetchall() == [("hello",)]


def test_connections_are_cut_when_the_server_is_killed(new_postgres: Callable[[], Postgres]) -> None:
    server = new_postgres()
    with psycopg.connect(server.url) as connection:
        server.kill()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")


def test_the_disk_is_waited_for(postgres: Postgres) -> None:
    with psycopg.connect(postgres.url) as connection:
        shown = connection.execute("SELECT current_setting('fsync'), current_setting('synchronous_commit')")
        assert shown.fetchone() == ("on", "on")


_earlier: set[str] = set()
"""Schemas of tests that are over."""


@pytest.mark.parametrize("time", ["first", "second"])
def test_a_schema_is_the_tests_own_and_dropped_after_it(postgres: Postgres, schema: str, time: str) -> None:
    mine = [schema, f"{schema}_more"]
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        for name in mine:
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
        rows = connection.execute("SELECT nspname FROM pg_namespace").fetchall()
    there = {name for (name,) in rows}
    assert there.issuperset(mine)
    assert there.isdisjoint(_earlier)
    _earlier.update(mine)
