"""The views' database: transactions, positions, waiting, versions."""

import threading
import time
from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar

import pytest
from eventsourcing.domain import AggregateEvent

from database import postgres, sqlite
from database.sql import Cursor, Table
from domain.errors import StoreUnavailable
from domain.ports import Recorded
from projections import views as views_module
from projections.configuration import Configuration
from projections.projection import Handler, Projection
from projections.registry import ALL, migrate_views, open_views
from projections.routing import Routing
from projections.views import Views
from tests.contracts.view_contract import Tables, rows_of
from tests.domain.given import CUSTOMER, OTHER, Stage
from tests.fakes.view_databases import Place, SQLitePlace
from tests.projections.conftest import See

OWN = ("projections", "tracking")  # tables that no projection has
PATIENCE = 10.0  # seconds after which a test gives up
READERS = 10  # as many connections as PostgreSQL gives one process


class Failing(Projection):
    """Writes, then fails."""

    name = "failing"
    version = 1
    tables = (Table("failing", ("id",), "id TEXT NOT NULL", {}),)
    handlers: ClassVar[Mapping[type[AggregateEvent], Handler]] = {}

    def apply(self, cursor: Cursor, recorded: Sequence[Recorded]) -> None:
        cursor.run("INSERT INTO failing (id) VALUES (:id)", {"id": "x"})
        raise LookupError("no")


def count(views: Views, table: str) -> int:
    with views.reading() as cursor:
        row = cursor.one(f"SELECT COUNT(*) AS found FROM {table}")  # noqa: S608 - a test's own name
    assert row is not None
    return int(row["found"])


def everything(views: Views) -> list[Tables]:
    return [rows_of(views, each) for each in ALL]


def recorded(stage: Stage) -> list[Recorded]:
    return stage.store.read(0, stage.store.head())


def test_before_the_first_event_every_position_is_zero(views: Views) -> None:
    assert views.positions() == {each.name: 0 for each in ALL}
    assert views.position("history") == 0


def test_a_failure_leaves_rows_and_positions_of_all_as_they_were(bare: Place, stage: Stage) -> None:
    views = bare.views([Configuration, Failing])
    with pytest.raises(LookupError):
        views.apply(views.projections, recorded(stage))
    assert (count(views, "entries"), count(views, "failing")) == (0, 0)
    assert views.positions() == {"configuration": 0, "failing": 0}


def test_a_projection_that_is_behind_sees_only_what_it_has_not_seen(views: Views, stage: Stage) -> None:
    some = recorded(stage)
    first = [each for each in views.projections if each.name == "configuration"]
    views.apply(first, some)
    assert views.positions() == {**{each.name: 0 for each in ALL}, "configuration": len(some)}
    views.apply(views.projections, some)
    assert set(views.positions().values()) == {len(some)}


def test_readers_wait_for_no_writer_and_see_nothing_half(views: Views, stage: Stage, see: See) -> None:
    see(stage)
    before = count(views, "entries")
    with views.transaction() as cursor:
        cursor.run("DELETE FROM entries")
        assert count(views, "entries") == before
    assert count(views, "entries") == 0


def test_a_reader_sees_one_moment_however_long_it_looks(views: Views, stage: Stage, see: See) -> None:
    with views.reading() as cursor:
        before = cursor.all("SELECT * FROM entries")
        see(stage)
        assert cursor.all("SELECT * FROM entries") == before == []
    assert count(views, "entries") > 0


def test_many_threads_may_read_at_once(views: Views, stage: Stage, see: See) -> None:
    see(stage)
    expected = count(views, "entries")
    together = threading.Barrier(READERS, timeout=PATIENCE)
    found: list[int] = []

    def read() -> None:
        with views.reading() as cursor:
            together.wait()  # all of them are within a transaction now
            found.append(len(cursor.all("SELECT * FROM entries")))

    threads = [threading.Thread(target=read) for _ in range(READERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert found == [expected] * READERS


def test_what_has_been_reached_is_not_waited_for(views: Views, stage: Stage, see: See) -> None:
    see(stage)
    head = stage.store.head()
    assert views.wait_for(head, 0)
    assert not views.wait_for(head + 1, 0)
    assert views.wait_beyond(head - 1, 0)
    assert not views.wait_beyond(head, 0.01)


def test_all_projections_are_waited_for(views: Views, stage: Stage) -> None:
    some = recorded(stage)
    views.apply(views.projections[1:], some)
    assert not views.wait_for(1, 0)
    views.apply(views.projections[:1], some)
    assert views.wait_for(len(some), 0)


@pytest.mark.parametrize("elsewhere", [False, True], ids=["this process", "another process"])
def test_a_commit_wakes_those_who_wait(views: Views, place: Place, stage: Stage, elsewhere: bool) -> None:
    writer = place.views() if elsewhere else views
    done: list[float] = []
    waiting = threading.Thread(
        target=lambda: done.append(time.monotonic()) if views.wait_beyond(0, PATIENCE) else None
    )
    waiting.start()
    writer.apply(writer.projections, recorded(stage))
    committed = time.monotonic()
    waiting.join(PATIENCE)
    assert done[0] - committed < PATIENCE / 2


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
def test_on_postgres_nobody_has_to_look_for_what_another_process_did(
    views: Views, place: Place, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views_module, "POLL", PATIENCE)
    writer = place.views()
    stage.text()
    for number, some in enumerate(recorded(stage), 1):
        views.wait(0)
        waiting = threading.Thread(target=views.wait, args=[PATIENCE])
        waiting.start()
        writer.apply(writer.projections, [some])
        committed = time.monotonic()
        assert views.wait_for(number, PATIENCE)
        waiting.join(PATIENCE)
        assert time.monotonic() - committed < PATIENCE / 2


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
def test_word_of_other_processes_comes_again_after_a_break(
    views: Views,
    place: Place,
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(views_module, "POLL", PATIENCE)
    writer = place.views()
    with writer.transaction() as cursor:
        cursor.all(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )
    some = recorded(stage)
    waiting = threading.Thread(target=views.wait_for, args=[len(some), PATIENCE])
    waiting.start()
    begun = time.monotonic()
    writer.apply(writer.projections, some)
    waiting.join(PATIENCE)
    assert time.monotonic() - begun < PATIENCE / 2
    assert "no word from other processes" in caplog.text


def test_another_process_continues_where_the_first_one_was(
    views: Views, place: Place, stage: Stage, see: See
) -> None:
    see(stage)
    again = place.views()
    assert again.positions() == views.positions()
    assert again.wait_for(stage.store.head(), 0)


def test_processes_that_see_the_same_events_at_once_add_nothing_twice_and_miss_nothing(
    views: Views, place: Place, played: Stage
) -> None:
    some = recorded(played)
    views.apply(views.projections, some)
    expected = everything(views)
    for each in ALL:
        views.reset(each.name)
    others = [views, place.views(), place.views()]
    failures: list[BaseException] = []

    def run(views: Views, size: int) -> None:
        try:
            while (position := min(views.positions().values())) < len(some):
                views.apply(views.projections, some[position : position + size])
        except BaseException as failure:
            failures.append(failure)
            raise

    threads = [threading.Thread(target=run, args=each) for each in zip(others, (7, 10, 13), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert failures == []
    assert everything(views) == expected
    assert set(views.positions().values()) == {len(some)}


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
def test_a_connection_that_is_cut_off_in_the_middle_leaves_everything_as_it_was(
    views: Views, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = recorded(stage)
    routing = views.projections[-1]

    def cut(cursor: Cursor, recorded: Sequence[Recorded]) -> None:
        found = cursor.one("SELECT pg_backend_pid() AS pid")
        assert found is not None
        assert count(views, "entries") == 0
        with views.transaction() as other:
            other.run("SELECT pg_terminate_backend(:pid)", found)
        cursor.one("SELECT 1 AS one")

    with monkeypatch.context() as patch:
        patch.setattr(routing, "apply", cut)
        with pytest.raises(StoreUnavailable):
            views.apply(views.projections, some)
    assert count(views, "entries") == 0
    assert set(views.positions().values()) == {0}
    views.apply(views.projections, some)
    assert set(views.positions().values()) == {len(some)}


def test_a_new_version_begins_again_from_zero_with_its_own_tables(bare: Place, stage: Stage) -> None:
    class Newer(Projection):
        name = Configuration.name
        version = Configuration.version + 1
        tables = (Table("entries", ("id",), "id TEXT NOT NULL", {}),)
        handlers: ClassVar[Mapping[type[AggregateEvent], Handler]] = {}

    views = bare.views([Configuration, Routing])
    views.apply(views.projections, recorded(stage))
    with views.reading() as cursor:
        assert {"id", "code"} <= set(cursor.all("SELECT * FROM entries")[0])
    renewed = bare.views([Newer, Routing])
    assert renewed.positions() == {"configuration": 0, "routing": stage.store.head()}
    with renewed.transaction() as cursor:
        cursor.run("INSERT INTO entries VALUES ('1')")
        assert cursor.all("SELECT * FROM entries") == [{"id": "1"}]
    assert "routes" not in renewed.database.tables()


def test_views_that_were_not_made_are_not_opened(bare: Place) -> None:
    database = bare.database()
    with pytest.raises(ValueError, match=r"history.*run parley migrate"):
        open_views(database)
    migrate_views(database)
    migrate_views(database)
    views = open_views(database)
    assert views.positions() == {each.name: 0 for each in ALL}
    views.close()


def test_two_processes_may_make_the_views_at_once(bare: Place) -> None:
    together = threading.Barrier(2, timeout=PATIENCE)
    made: list[set[str]] = []

    def make() -> None:
        database = bare.database()
        together.wait()
        migrate_views(database)
        made.append(database.tables())
        database.close()

    threads = [threading.Thread(target=make) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert [len(each) for each in made] == [sum(len(each.tables) for each in ALL) + len(OWN)] * 2


def test_texts_come_back_as_they_were(views: Views, stage: Stage, see: See) -> None:
    texts = [r"C:\users\u0000", 'Żółw "x" 👋\n\t', "%(name)s 100% :name", "null", ""]
    for text in texts:
        stage.text(text)
    see(stage)
    with views.reading() as cursor:
        rows = cursor.all("SELECT text FROM messages WHERE inbound = 1 ORDER BY sequence")
    assert [row["text"] for row in rows] == texts


def test_what_no_text_on_postgres_may_hold_is_replaced(
    views: Views, place: Place, stage: Stage, see: See
) -> None:
    stage.text("a\x00b")
    see(stage)
    with views.reading() as cursor:
        [row] = cursor.all("SELECT text FROM messages")
    assert row["text"] == ("a\x00b" if isinstance(place, SQLitePlace) else "a\ufffdb")


def test_a_trace_that_a_reader_holds_goes_with_a_later_commit(
    views: Views, place: Place, stage: Stage, see: See, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.text("A very private matter")
    see(stage)
    with views.reading() as cursor, monkeypatch.context() as patch:
        patch.setattr(sqlite, "SCRUB_TIMEOUT", 0.01)
        patch.setattr(postgres, "SCRUB_TIMEOUT", 0.01)
        cursor.all("SELECT * FROM messages")
        stage.forget(CUSTOMER)
        see(stage)
        assert b"very private" in place.octets()
    stage.text("Hello", OTHER)
    see(stage)
    assert b"very private" in place.octets()  # not at every commit: each time it waits for readers
    monkeypatch.setattr(views, "_scrub_after", 0.0)
    stage.text("Hello again", OTHER)
    see(stage)
    assert b"very private" not in place.octets()


def test_only_where_customers_are_forgotten_is_anything_scrubbed(
    views: Views, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    scrubbed: list[set[str]] = []

    def scrub(tables: Collection[str]) -> bool:
        scrubbed.append(set(tables))
        return True

    monkeypatch.setattr(views.database, "scrub", scrub)
    parts = {each.name: each for each in views.projections}
    stage.text()
    views.apply(views.projections, before := recorded(stage))
    assert scrubbed == []
    stage.forget(CUSTOMER)
    after = recorded(stage)[len(before) :]
    views.apply([parts["desk"], parts["routing"]], after)
    assert scrubbed == []
    views.apply([parts["history"]], after)
    assert scrubbed == [{"conversations", "messages", "attempts"}]


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_opening_leaves_no_trace_of_what_a_killed_process_purged(
    views: Views, place: Place, stage: Stage, see: See, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.text("A very private matter")
    see(stage)
    stage.forget(CUSTOMER)
    monkeypatch.setattr(views, "settle", lambda _: None)  # as if it had been killed just before
    see(stage)
    assert b"very private" in place.octets()
    place.views()
    assert b"very private" not in place.octets()


def test_reset_empties_one_projection_only(views: Views, stage: Stage, see: See) -> None:
    stage.agent("ana")
    see(stage)
    views.reset("desk")
    assert count(views, "agents") == 0
    assert count(views, "routable") == 1
    assert views.position("desk") == 0
    assert views.position("routing") == stage.store.head()
    assert not views.wait_for(1, 0)
    with pytest.raises(KeyError):
        views.reset("nothing")


@pytest.mark.parametrize("projection", ALL, ids=lambda each: each.name)
def test_tables_and_statements_are_of_one_dialect(projection: type[Projection]) -> None:
    for table in projection.tables:
        assert set(table.key) <= set(table.names)
        for line in table.columns.strip().splitlines():
            assert line.split()[1].rstrip(",") in {"TEXT", "INTEGER", "BIGINT"}
