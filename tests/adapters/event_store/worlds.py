"""The store's file opened for a test, as a process opens it."""

from dataclasses import dataclass
from pathlib import Path

from adapters.event_store.database import Database
from adapters.event_store.leases import SQLiteLeases
from adapters.event_store.media import MediaStore
from adapters.event_store.parking import Parking
from adapters.event_store.store import SQLiteEventStore
from adapters.keys.customers import Keyring
from adapters.keys.master import MasterKey
from adapters.keys.periods import PeriodKeys
from adapters.keys.vault import Vault
from tests.contracts.event_store_contract import FakeClock, World

MASTER = MasterKey(bytes(range(32)))


@dataclass
class SQLiteWorld(World):
    database: Database
    vault: Vault
    keys: Keyring
    periods: PeriodKeys
    parking: Parking
    media: MediaStore
    store: SQLiteEventStore


def open_sqlite(path: Path, clock: FakeClock) -> SQLiteWorld:
    """Open a file that has been migrated."""
    database = Database(path)
    vault = Vault(database, MASTER, clock)
    keyring = Keyring(vault)
    periods = PeriodKeys(vault, clock)
    parking = Parking(database, periods)
    return SQLiteWorld(
        store=SQLiteEventStore(database, keyring, parking, clock),
        leases=SQLiteLeases(database, clock),
        keys=keyring,
        clock=clock,
        database=database,
        vault=vault,
        periods=periods,
        parking=parking,
        media=MediaStore(database, keyring),
    )
