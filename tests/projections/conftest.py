"""A recorded day, and views that have seen it, on each database."""

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from projections.views import Views
from tests.domain.given import Stage
from tests.fakes.scenario import day
from tests.fakes.view_databases import Place, PostgresPlace, SQLitePlace
from tests.servers.choose import Postgres

DATABASES = ("sqlite", "postgres")

See = Callable[[Stage], None]


@pytest.fixture
def stage() -> Stage:
    """The platform before anything has happened but a mapping and two queues."""
    return Stage()


@pytest.fixture(scope="module")
def played() -> Stage:
    """The platform after a whole day; not to be played on."""
    return day()


@pytest.fixture(scope="session")
def shared_schema(postgres: Postgres) -> Iterator[PostgresPlace]:
    """A schema with every view: making its tables takes much longer than emptying them after each test."""
    place = PostgresPlace(postgres.url, f"test_views_{uuid4().hex[:12]}")
    place.views()
    place.close()
    yield place
    place.drop()


@pytest.fixture(params=DATABASES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Where views are kept that have seen nothing."""
    if request.param == "sqlite":
        file = SQLitePlace(tmp_path / "views.db")
        yield file
        file.close()
    else:
        shared: PostgresPlace = request.getfixturevalue("shared_schema")
        yield shared
        shared.close()
        shared.empty()


@pytest.fixture(params=DATABASES)
def bare(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Where there is no table yet, for a test that makes other ones."""
    if request.param == "sqlite":
        place: Place = SQLitePlace(tmp_path / "bare.db")
    else:
        url = request.getfixturevalue("postgres").url
        place = PostgresPlace(url, request.getfixturevalue("schema"))
    yield place
    place.close()


@pytest.fixture
def views(place: Place) -> Views:
    """Every view, empty."""
    return place.views()


@pytest.fixture
def see(views: Views) -> See:
    """Let the views see what has happened on a stage since they last did."""

    def look(stage: Stage) -> None:
        after = min(views.positions().values())
        views.apply(views.projections, stage.store.read(after, stage.store.head()))

    return look
