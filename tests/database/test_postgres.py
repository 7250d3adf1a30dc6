"""What only a server goes through: connections that break, that are all in use, that are held up."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from psycopg.conninfo import make_conninfo

from database.postgres import PostgresDatabase
from domain.errors import StoreUnavailable
from tests.fakes.databases import proxy_to, through
from tests.servers.choose import Postgres
from tests.servers.process import free_port

PATIENCE = 10
ONE = [{"one": 1}]


def one(database: PostgresDatabase) -> list[dict[str, int]]:
    return database.rows("SELECT 1 AS one")


def backend(database: PostgresDatabase) -> int:
    [row] = database.rows("SELECT pg_backend_pid() AS pid")
    return int(row["pid"])


def test_nothing_is_connected_to_before_the_first_use() -> None:
    database = PostgresDatabase(f"postgresql://nobody@127.0.0.1:{free_port()}/nowhere", "none")
    with pytest.raises(StoreUnavailable, match="refused"):
        one(database)
    database.close()


def test_a_url_that_cannot_be_read_is_refused_without_its_password() -> None:
    with pytest.raises(ValueError, match="URL cannot be read") as caught:
        PostgresDatabase("postgresql://me:pa55word@[::1/parley", "none")
    assert "pa55word" not in str(caught.value)


def test_a_connection_is_used_again(postgres: Postgres, schema: str) -> None:
    database = PostgresDatabase(postgres.url, schema)
    assert len({backend(database) for _ in range(5)}) == 1
    database.close()


def test_settings_hold_on_every_connection(postgres: Postgres, schema: str) -> None:
    for durable, commit in ((True, "on"), (False, "off")):
        database = PostgresDatabase(postgres.url, schema, durable=durable)
        with database.reading() as first, database.reading() as second:
            for c in (first, second):
                names = (
                    "search_path",
                    "synchronous_commit",
                    "lock_timeout",
                    "idle_in_transaction_session_timeout",
                )
                found = {name: c.one(f"SHOW {name}") for name in names}
                assert found["search_path"] == {"search_path": schema}
                assert found["synchronous_commit"] == {"synchronous_commit": commit}
                assert found["lock_timeout"] == {"lock_timeout": "10s"}
                assert list(found.values())[-1] == {names[-1]: "10s"}
        database.close()


def test_the_urls_own_parameters_go_first(postgres: Postgres, schema: str) -> None:
    database = PostgresDatabase(make_conninfo(postgres.url, application_name="mine"), schema)
    assert database.rows("SELECT current_setting('application_name') AS name") == [{"name": "mine"}]
    database.close()


def test_who_finds_every_connection_in_use_waits_and_is_told(
    postgres: Postgres, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = PostgresDatabase(postgres.url, schema, connections=2)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: one(database), range(50))) == [ONE] * 50
    monkeypatch.setattr("database.postgres_connections.PATIENCE_FOR_ONE", 0.05)
    with database.reading(), database.reading(), pytest.raises(StoreUnavailable, match="all 2 connections"):
        one(database)
    assert one(database) == ONE
    database.close()


def test_a_lock_is_waited_for_but_not_for_ever(postgres: Postgres, schema: str) -> None:
    database = PostgresDatabase(postgres.url, schema)

    def ask_for_it() -> None:
        with database.writing() as c:
            c.run("SET LOCAL lock_timeout = '50ms'")
            c.one("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))", {"name": f"{schema}.a"})

    with database.writing(alone=["a"]) as c:
        c.one("SELECT 1")
        with pytest.raises(StoreUnavailable, match="lock timeout"):
            ask_for_it()
    assert one(database) == ONE
    database.close()


def test_a_transaction_that_falls_silent_is_ended(postgres: Postgres, schema: str) -> None:
    database = PostgresDatabase(postgres.url, schema)

    def fall_silent() -> None:
        with database.writing() as c:
            c.run("SET LOCAL idle_in_transaction_session_timeout = '50ms'")
            pid = c.one("SELECT pg_backend_pid() AS pid")
            until = time.monotonic() + PATIENCE
            while database.rows("SELECT 1 FROM pg_stat_activity WHERE pid = :pid", pid or {}):
                assert time.monotonic() < until

    with pytest.raises(StoreUnavailable, match="PostgreSQL"):
        fall_silent()
    assert one(database) == ONE
    database.close()


@pytest.mark.parametrize("how", ["stop", "crash", "kill"])
def test_the_server_comes_back_and_so_do_all_connections(
    new_postgres: Callable[[], Postgres], how: str
) -> None:
    server = new_postgres()
    database = PostgresDatabase(server.url, "parley")
    with database.reading() as first, database.reading() as second:
        assert first.one("SELECT 1 AS one") == second.one("SELECT 1 AS one") == ONE[0]
    getattr(server, how)()
    with pytest.raises(StoreUnavailable):
        one(database)
    server.start()
    with database.reading() as first, database.reading() as second:
        assert first.one("SELECT 1 AS one") == second.one("SELECT 1 AS one") == ONE[0]
    database.close()


def test_a_connection_that_breaks_in_the_midst_takes_the_others_with_it(
    postgres: Postgres, schema: str
) -> None:
    with proxy_to(postgres.url) as proxy:
        database = PostgresDatabase(through(proxy, postgres.url), schema)

        def break_both() -> None:
            with database.reading() as first, database.reading() as second:
                first.one("SELECT 1")
                second.one("SELECT 1")
                proxy.drop_connections()
                second.one("SELECT 1")

        with pytest.raises(StoreUnavailable):
            break_both()
        assert one(database) == ONE
        database.close()
