"""Refilling views from zero while they are in use."""

from collections.abc import Callable

import pytest

from projections.rebuild import rebuild
from projections.registry import ALL
from projections.views import Views
from tests.contracts.view_contract import Tables, rows_of
from tests.domain.given import Stage
from tests.fakes.scenario import day
from tests.fakes.view_databases import Place
from tests.projections.conftest import See

NAMES = [each.name for each in ALL]


def everything(views: Views) -> list[Tables]:
    return [rows_of(views, each) for each in ALL]


def spoil(views: Views) -> None:
    """Wrong rows, as a projection with an error would have made."""
    with views.transaction() as cursor:
        cursor.run("UPDATE conversations SET queue = 'WRONG'")
        cursor.run("DELETE FROM agents")


def test_all_views_at_once(views: Views, see: See, played: Stage) -> None:
    see(played)
    before = everything(views)
    spoil(views)
    rebuild(views, played.store, NAMES, lambda *_: None)
    assert everything(views) == before


def test_others_are_left_alone(views: Views, see: See, played: Stage) -> None:
    see(played)
    right = everything(views)
    spoil(views)
    rebuild(views, played.store, ["desk"], lambda *_: None)
    assert rows_of(views, ALL[NAMES.index("desk")]) == right[NAMES.index("desk")]
    assert rows_of(views, ALL[NAMES.index("history")]) != right[NAMES.index("history")]


def while_it_runs(act: Callable[[], None]) -> Callable[[int, int], None]:
    """A progress callback that does something once, in the middle."""
    pending = [act]

    def progress(done: int, total: int) -> None:
        if done and pending:
            pending.pop()()

    return progress


def test_readers_see_the_old_rows_until_the_new_ones_are_all_there(
    views: Views, see: See, played: Stage
) -> None:
    see(played)
    spoil(views)
    spoilt = everything(views)
    positions = views.positions()
    seen: list[bool] = []
    rebuild(
        views,
        played.store,
        NAMES,
        lambda *_: seen.append(everything(views) == spoilt and views.positions() == positions),
    )
    assert seen
    assert all(seen)
    assert everything(views) != spoilt


def test_what_happens_meanwhile_is_neither_lost_nor_taken_back(views: Views, see: See) -> None:
    stage = day()
    see(stage)

    def go_on() -> None:
        stage.text("While it runs", "+14155550140")
        see(stage)

    rebuild(views, stage.store, NAMES, while_it_runs(go_on))
    assert set(views.positions().values()) == {stage.store.head()}
    after = everything(views)
    for name in NAMES:
        views.reset(name)
    see(stage)
    assert everything(views) == after


def test_a_view_that_was_behind_is_brought_up_to_date(views: Views, played: Stage) -> None:
    rebuild(views, played.store, NAMES, lambda *_: None)
    assert views.wait_for(played.store.head(), 0)


def test_an_empty_store_makes_empty_views(views: Views) -> None:
    stage = Stage(mapping=None)
    stage.shelf.events.clear()
    rebuild(views, stage.store, NAMES, lambda *_: None)
    assert set(views.positions().values()) == {0}


def test_a_failure_leaves_everything_as_it_was(views: Views, place: Place, see: See, played: Stage) -> None:
    see(played)
    before = everything(views)

    def fail(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild(views, played.store, NAMES, fail)
    assert everything(views) == before
    assert place.beside() == []


def test_an_unknown_name_is_refused(views: Views, played: Stage) -> None:
    with pytest.raises(KeyError):
        rebuild(views, played.store, ["nothing"], lambda *_: None)
