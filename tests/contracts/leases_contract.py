"""What every `Leases` must do, whatever keeps them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from domain.ports import Lease, Leases
from tests.contracts.event_store_contract import LEASE, FakeClock

INSTANT = timedelta(microseconds=1)


def held(lease: Lease | None) -> Lease:
    assert lease is not None
    return lease


class LeasesContract:
    """Subclasses provide `open_leases`."""

    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()

    @pytest.fixture
    def open_leases(self, clock: FakeClock) -> Callable[[], Leases]:
        """Open one and the same leases, as one more process would."""
        raise NotImplementedError

    @pytest.fixture
    def leases(self, open_leases: Callable[[], Leases]) -> Leases:
        return open_leases()

    @pytest.fixture
    def other(self, open_leases: Callable[[], Leases], leases: Leases) -> Leases:
        return open_leases()

    def test_one_owner_at_a_time(self, leases: Leases, other: Leases, clock: FakeClock) -> None:
        assert leases.acquire("lane", "me", LEASE) == Lease("lane", "me", 1, clock.time + LEASE)
        assert other.acquire("lane", "you", LEASE) is None
        assert other.acquire("another lane", "you", LEASE) is not None

    def test_a_renewal_keeps_the_epoch(self, leases: Leases, other: Leases, clock: FakeClock) -> None:
        first = held(leases.acquire("lane", "me", LEASE))
        clock.time += LEASE - INSTANT
        again = held(leases.acquire("lane", "me", LEASE))
        assert (again.epoch, again.until) == (first.epoch, clock.time + LEASE)
        clock.time += LEASE - INSTANT
        assert other.acquire("lane", "you", LEASE) is None

    def test_it_ends_at_its_moment_and_a_new_owner_has_a_higher_epoch(
        self, leases: Leases, other: Leases, clock: FakeClock
    ) -> None:
        first = held(leases.acquire("lane", "me", LEASE))
        clock.time += LEASE
        second = held(other.acquire("lane", "you", LEASE))
        assert second.epoch > first.epoch
        assert leases.acquire("lane", "me", LEASE) is None

    def test_who_comes_late_to_renew_has_a_higher_epoch(self, leases: Leases, clock: FakeClock) -> None:
        first = held(leases.acquire("lane", "me", LEASE))
        clock.time += LEASE
        assert held(leases.acquire("lane", "me", LEASE)).epoch > first.epoch

    def test_what_is_released_is_free_at_once(self, leases: Leases, other: Leases) -> None:
        first = held(leases.acquire("lane", "me", LEASE))
        leases.release(first)
        assert held(other.acquire("lane", "you", LEASE)).epoch > first.epoch

    def test_releasing_what_is_not_ours_any_more_does_nothing(
        self, leases: Leases, other: Leases, clock: FakeClock
    ) -> None:
        first = held(leases.acquire("lane", "me", LEASE))
        clock.time += LEASE
        held(other.acquire("lane", "you", LEASE))
        leases.release(first)
        assert leases.acquire("lane", "me", LEASE) is None

    def test_those_that_are_held_are_found_by_how_they_begin(
        self, leases: Leases, other: Leases, clock: FakeClock
    ) -> None:
        assert leases.held("") == set()
        over = held(leases.acquire("lane:over", "me", LEASE / 2))
        given_up = held(leases.acquire("lane:given up", "me", LEASE))
        for name in ("lane:a", "lane:ż%_", "relay", "LANE:b", "another lane:c"):
            held(leases.acquire(name, "me", LEASE))
        other.release(given_up)
        clock.time = over.until
        for each in (leases, other):
            assert each.held("lane:") == {"lane:a", "lane:ż%_"}
            assert each.held("lane:ż%") == {"lane:ż%_"}
            assert each.held("") == {"lane:a", "lane:ż%_", "relay", "LANE:b", "another lane:c"}
            assert each.held("nothing") == set()

    def test_of_many_who_ask_one_gets_it(self, leases: Leases, other: Leases) -> None:
        def ask(number: int) -> Lease | None:
            return (leases, other)[number % 2].acquire("lane", f"owner {number}", LEASE)

        with ThreadPoolExecutor(8) as pool:
            granted = [lease for lease in pool.map(ask, range(24)) if lease]
        assert len(granted) == 1
