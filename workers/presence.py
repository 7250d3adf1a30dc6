"""Presence: the desks of this process are kept open, and those of a process that died are noticed."""

import threading
from datetime import datetime, timedelta

from domain.ports import Clock
from domain.presence import DURATION, Presence
from projections.desk_queries import DeskQueries
from projections.views import Views
from workers.worker import HeldLease

PROLONG_EVERY = DURATION / 3
COMPARE_EVERY = timedelta(seconds=2)


class DesksOpen:
    """Says, again and again, that the desks of this process are open."""

    name = "desks"
    pace = 1.0

    def __init__(self, presence: Presence, clock: Clock) -> None:
        self._presence = presence
        self._clock = clock
        self._next: datetime | None = None
        self._nap = threading.Event()

    def step(self) -> bool:
        """Prolong what says so, when it is time."""
        now = self._clock.now()
        if self._next is None or now >= self._next:
            self._presence.prolong()
            self._next = now + PROLONG_EVERY
        return False

    def wait(self, timeout: float) -> None:
        self._nap.wait(timeout)  # only time makes it more urgent


class PresenceWatch:
    """Notices agents whose last desk went away with its process. One process watches at a time."""

    name = "presence"
    pace = 1.0

    def __init__(self, presence: Presence, views: Views, clock: Clock, lease: HeldLease) -> None:
        self._presence = presence
        self._desks = DeskQueries(views)
        self._clock = clock
        self._lease = lease
        self._next: datetime | None = None
        self._nap = threading.Event()

    def step(self) -> bool:
        """Compare, when it is time, who counts as connected with who is."""
        now = self._clock.now()
        if self._lease.get() is None or (self._next is not None and now < self._next):
            return False
        self._next = now + COMPARE_EVERY
        self._presence.compare({each.login: each.connected for each in self._desks.agents()})
        return False

    def wait(self, timeout: float) -> None:
        self._nap.wait(timeout)  # only time makes it more urgent
