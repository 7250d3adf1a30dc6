"""The views' file: transactions, positions, waiting, versions."""

import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import pytest
from eventsourcing.domain import AggregateEvent

from domain.ports import Recorded
from projections import database
from projections.configuration import Configuration
from projections.projection import Handler, Projection
from projections.registry import ALL, open_views
from projections.routing import Routing
from projections.sql import Cursor, Table
from projections.views import Views
from tests.contracts.view_contract import octets
from tests.domain.given import CUSTOMER, OTHER, Stage
from tests.projections.conftest import See

PATIENCE = 10.0  # seconds after which a test gives up


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


def recorded(stage: Stage) -> list[Recorded]:
    return stage.store.read(0, stage.store.head())


def test_before_the_first_event_every_position_is_zero(views: Views) -> None:
    assert views.positions() == {each.name: 0 for each in ALL}
    assert views.position("history") == 0


def test_a_failure_leaves_rows_and_positions_of_all_as_they_were(tmp_path: Path, stage: Stage) -> None:
    views = Views(tmp_path / "views.db", [Configuration, Failing])
    with pytest.raises(LookupError):
        views.apply(views.projections, recorded(stage))
    assert (count(views, "entries"), count(views, "failing")) == (0, 0)
    assert views.positions() == {"configuration": 0, "failing": 0}
    views.close()


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
    together = threading.Barrier(20, timeout=PATIENCE)
    found: list[int] = []

    def read() -> None:
        with views.reading() as cursor:
            together.wait()  # all of them are within a transaction now
            found.append(len(cursor.all("SELECT * FROM entries")))

    threads = [threading.Thread(target=read) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert found == [expected] * 20


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
def test_a_commit_wakes_those_who_wait(views: Views, tmp_path: Path, stage: Stage, elsewhere: bool) -> None:
    writer = open_views(tmp_path / "views.db") if elsewhere else views
    done: list[float] = []
    waiting = threading.Thread(
        target=lambda: done.append(time.monotonic()) if views.wait_beyond(0, PATIENCE) else None
    )
    waiting.start()
    writer.apply(writer.projections, recorded(stage))
    committed = time.monotonic()
    waiting.join(PATIENCE)
    assert done[0] - committed < PATIENCE / 2
    if elsewhere:
        writer.close()


def test_another_file_handle_continues_where_the_first_one_was(
    views: Views, tmp_path: Path, stage: Stage, see: See
) -> None:
    see(stage)
    again = open_views(tmp_path / "views.db")
    assert again.positions() == views.positions()
    assert again.wait_for(stage.store.head(), 0)
    again.close()


def test_a_new_version_begins_again_from_zero_with_its_own_tables(tmp_path: Path, stage: Stage) -> None:
    class Newer(Projection):
        name = Configuration.name
        version = Configuration.version + 1
        tables = (Table("entries", ("id",), "id TEXT NOT NULL", {}),)
        handlers: ClassVar[Mapping[type[AggregateEvent], Handler]] = {}

    path = tmp_path / "views.db"
    views = Views(path, [Configuration, Routing])
    views.apply(views.projections, recorded(stage))
    views.close()
    renewed = Views(path, [Newer, Routing])
    assert renewed.positions() == {"configuration": 0, "routing": stage.store.head()}
    with renewed.reading() as cursor:
        assert cursor.all("SELECT * FROM entries") == []
        assert [row["name"] for row in cursor.all("PRAGMA table_info(entries)")] == ["id"]
        assert cursor.all("PRAGMA table_info(routes)") == []
    renewed.close()


def test_a_trace_that_a_reader_holds_goes_with_the_next_commit(
    views: Views, stage: Stage, see: See, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "SCRUB_TIMEOUT", 0.01)
    stage.text("A very private matter")
    see(stage)
    with views.reading() as cursor:
        cursor.all("SELECT * FROM messages")
        stage.forget(CUSTOMER)
        see(stage)
        assert b"very private" in octets(views)
    stage.text("Hello", OTHER)
    see(stage)
    assert b"very private" not in octets(views)


def test_opening_leaves_no_trace_of_what_a_killed_process_purged(
    views: Views, tmp_path: Path, stage: Stage, see: See, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.text("A very private matter")
    see(stage)
    stage.forget(CUSTOMER)
    monkeypatch.setattr(views, "settle", lambda *, scrub: None)  # as if it had been killed just before
    see(stage)
    assert b"very private" in octets(views)
    open_views(tmp_path / "views.db").close()
    assert b"very private" not in octets(views)


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
