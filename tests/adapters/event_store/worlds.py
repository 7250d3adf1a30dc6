"""A store opened for a test, as a process opens it."""

from dataclasses import dataclass

from adapters.event_store.leases import StoredLeases
from adapters.event_store.media import MediaStore
from adapters.event_store.parking import Parking
from adapters.event_store.store import StoredAggregates
from adapters.keys.customers import Keyring
from adapters.keys.master import MasterKey
from adapters.keys.periods import PeriodKeys
from adapters.keys.vault import Vault
from tests.contracts.event_store_contract import FakeClock, World
from tests.fakes.databases import Opened, recorder_of

MASTER = MasterKey(bytes(range(32)))


@dataclass
class StoredWorld(World):
    database: Opened
    vault: Vault
    keys: Keyring
    periods: PeriodKeys
    parking: Parking
    media: MediaStore
    store: StoredAggregates


def world_on(database: Opened, clock: FakeClock) -> StoredWorld:
    """Open the store in a database that has its tables."""
    vault = Vault(database, MASTER, clock)
    keyring = Keyring(vault)
    periods = PeriodKeys(vault, clock)
    parking = Parking(database, periods)
    return StoredWorld(
        store=StoredAggregates(database, recorder_of(database), keyring, parking, clock),
        leases=StoredLeases(database, clock),
        keys=keyring,
        clock=clock,
        database=database,
        vault=vault,
        periods=periods,
        parking=parking,
        media=MediaStore(database, keyring),
    )
