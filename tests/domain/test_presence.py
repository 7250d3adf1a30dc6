"""Presence: an agent is there as long as any process has a desk of theirs open."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.desk import AgentDesk
from domain.presence import DURATION, Presence
from tests.fakes.event_store import InMemoryLeases, Shelf

GRACE = timedelta(seconds=60)


class Clock:
    def __init__(self) -> None:
        self.time = datetime(2026, 3, 2, 9, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


class Desk(AgentDesk):
    """Notes who comes and goes."""

    def __init__(self) -> None:
        self.connected: dict[str, bool] = {}

    def connect(self, login: str) -> None:  # type: ignore[override]
        self.connected[login] = True

    def disconnect(self, login: str, grace: timedelta) -> None:  # type: ignore[override]
        assert grace == GRACE
        self.connected[login] = False


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def leases(clock: Clock) -> InMemoryLeases:
    return InMemoryLeases(Shelf(), clock)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def here(leases: InMemoryLeases, desk: Desk) -> Presence:
    return Presence(leases, desk, "host:1:a", GRACE)


@pytest.fixture
def there(leases: InMemoryLeases, desk: Desk) -> Presence:
    return Presence(leases, desk, "host:2:b", GRACE)


def test_the_last_desk_of_all_processes_counts(here: Presence, there: Presence, desk: Desk) -> None:
    here.arrive("ana")
    there.arrive("ana")
    here.leave("ana")
    assert desk.connected == {"ana": True}
    there.leave("ana")
    assert desk.connected == {"ana": False}


def test_a_process_that_was_killed_is_noticed(
    here: Presence, there: Presence, desk: Desk, clock: Clock
) -> None:
    here.arrive("ana")
    there.arrive("ben")
    clock.time += DURATION - timedelta(seconds=1)
    there.prolong()
    clock.time += timedelta(seconds=2)
    there.compare(desk.connected)
    assert desk.connected == {"ana": False, "ben": True}


def test_a_process_that_was_only_held_up_brings_its_agents_back(
    here: Presence, there: Presence, desk: Desk, clock: Clock
) -> None:
    here.arrive("ana")
    clock.time += 2 * DURATION
    there.compare(desk.connected)
    here.prolong()
    there.compare(desk.connected)
    assert desk.connected == {"ana": True}


def test_a_desk_that_was_closed_is_not_prolonged(here: Presence, there: Presence, desk: Desk) -> None:
    here.arrive("ana")
    here.leave("ana")
    here.prolong()
    there.compare({"ana": True})
    assert desk.connected == {"ana": False}


def test_names_that_begin_alike_are_not_mixed_up(here: Presence, desk: Desk) -> None:
    here.arrive("ana")
    here.arrive("ana.b")
    here.leave("ana")
    assert desk.connected == {"ana": False, "ana.b": True}
    here.compare(desk.connected)
    assert desk.connected == {"ana": False, "ana.b": True}
