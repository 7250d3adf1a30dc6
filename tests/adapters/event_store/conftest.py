"""Stores opened for a test, any number on one database, closed afterwards."""

from collections.abc import Callable

import pytest

from tests.adapters.event_store.worlds import StoredWorld, world_on
from tests.contracts.event_store_contract import FakeClock
from tests.fakes.databases import Place, place

__all__ = ["clock", "opened", "place", "world"]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def opened(place: Place, clock: FakeClock) -> Callable[[], StoredWorld]:
    """Opens the store as one more process would."""
    return lambda: world_on(place.open(), clock)


@pytest.fixture
def world(opened: Callable[[], StoredWorld]) -> StoredWorld:
    return opened()
