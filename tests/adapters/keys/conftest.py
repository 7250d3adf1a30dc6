"""A vault for a test, in a store's file."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adapters.event_store.database import Database
from adapters.event_store.recorder import migrate
from adapters.keys.vault import Vault
from tests.adapters.event_store.worlds import MASTER
from tests.contracts.event_store_contract import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    path = tmp_path / "store.db"
    migrate(path)
    database = Database(path)
    yield database
    database.close()


@pytest.fixture
def open_vault(database: Database, clock: FakeClock) -> Callable[[], Vault]:
    """Opens the vault as one more process would."""
    return lambda: Vault(database, MASTER, clock)


@pytest.fixture
def vault(open_vault: Callable[[], Vault]) -> Vault:
    return open_vault()
