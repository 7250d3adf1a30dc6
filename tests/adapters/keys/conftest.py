"""A vault for a test, in a store's database."""

from collections.abc import Callable

import pytest

from adapters.keys.vault import Vault
from tests.adapters.event_store.worlds import MASTER
from tests.contracts.event_store_contract import FakeClock
from tests.fakes.databases import Opened, Place, place

__all__ = ["clock", "database", "open_vault", "place", "vault"]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def database(place: Place) -> Opened:
    return place.open()


@pytest.fixture
def open_vault(place: Place, clock: FakeClock) -> Callable[[], Vault]:
    """Opens the vault as one more process would."""
    return lambda: Vault(place.open(), MASTER, clock)


@pytest.fixture
def vault(open_vault: Callable[[], Vault]) -> Vault:
    return open_vault()
