"""Stores opened for a test, any number on one file, closed afterwards."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adapters.event_store.recorder import migrate
from tests.adapters.event_store.worlds import SQLiteWorld, open_sqlite
from tests.contracts.event_store_contract import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "store.db"
    migrate(path)
    return path


@pytest.fixture
def opened(path: Path, clock: FakeClock) -> Iterator[Callable[[], SQLiteWorld]]:
    """Opens the file as one more process would."""
    worlds: list[SQLiteWorld] = []

    def open_one() -> SQLiteWorld:
        worlds.append(open_sqlite(path, clock))
        return worlds[-1]

    yield open_one
    for world in worlds:
        world.database.close()


@pytest.fixture
def world(opened: Callable[[], SQLiteWorld]) -> SQLiteWorld:
    return opened()
