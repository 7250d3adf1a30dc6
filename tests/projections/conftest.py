"""A recorded day, and views that have seen it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from projections.registry import open_views
from projections.views import Views
from tests.domain.given import Stage
from tests.fakes.scenario import day

See = Callable[[Stage], None]


@pytest.fixture
def stage() -> Stage:
    """The platform before anything has happened but a mapping and two queues."""
    return Stage()


@pytest.fixture(scope="module")
def played() -> Stage:
    """The platform after a whole day; not to be played on."""
    return day()


@pytest.fixture
def views(tmp_path: Path) -> Iterator[Views]:
    """Every view, empty."""
    views = open_views(tmp_path / "views.db")
    yield views
    views.close()


@pytest.fixture
def see(views: Views) -> See:
    """Let the views see what has happened on a stage since they last did."""

    def look(stage: Stage) -> None:
        after = min(views.positions().values())
        views.apply(views.projections, stage.store.read(after, stage.store.head()))

    return look
