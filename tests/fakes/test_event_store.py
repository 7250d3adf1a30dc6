"""The store that tests use in place of the real one keeps the same promises."""

from collections.abc import Callable

import pytest

from domain.ports import Leases
from tests.contracts.event_store_contract import EventStoreContract, FakeClock, World
from tests.contracts.leases_contract import LeasesContract
from tests.fakes.event_store import InMemoryCustomerKeys, InMemoryEventStore, InMemoryLeases, Shelf


class TestInMemoryEventStore(EventStoreContract):
    @pytest.fixture
    def open_world(self) -> Callable[[], World]:
        shelf, clock = Shelf(), FakeClock()
        return lambda: World(
            store=InMemoryEventStore(shelf, clock),
            leases=InMemoryLeases(shelf, clock),
            keys=InMemoryCustomerKeys(shelf),
            clock=clock,
        )


class TestInMemoryLeases(LeasesContract):
    @pytest.fixture
    def open_leases(self, clock: FakeClock) -> Callable[[], Leases]:
        shelf = Shelf()
        return lambda: InMemoryLeases(shelf, clock)
