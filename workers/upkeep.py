"""Upkeep: raw facts, their keys, and what tells that a text came again, are removed once they are ingested
and old.
"""

import logging
import threading
from datetime import datetime, timedelta

from adapters.keys.periods import PeriodKeys
from domain.ports import Clock, EventStore, Log
from workers.worker import HeldLease

log = logging.getLogger(__name__)

EVERY = timedelta(hours=1)
ARRIVALS_KEPT = timedelta(hours=2)
"""Texts without an id come again within the hour, if they do (`adapters/smpp/repeats.py`)."""


class Upkeep:
    """Trims the ingress log and what was remembered of it."""

    name = "upkeep"
    pace = 1.0

    def __init__(
        self,
        ingress_log: Log,
        store: EventStore,
        keys: PeriodKeys,
        clock: Clock,
        keep: timedelta,
        lease: HeldLease,
    ) -> None:
        self._log = ingress_log
        self._store = store
        self._keys = keys
        self._clock = clock
        self._keep = keep
        self._lease = lease
        self._next: datetime | None = None
        self._nap = threading.Event()

    def step(self) -> bool:
        """Trim, once an hour."""
        now = self._clock.now()
        if self._lease.get() is None or (self._next is not None and now < self._next):
            return False
        self._next = now + EVERY
        if all(self._log.end(each) <= self._store.ingested(each) for each in range(self._log.partitions)):
            removed = self._log.trim(now - self._keep)
            # A key outlives the last fact sealed with it by a day, so that no fact becomes unreadable early.
            self._keys.destroy_before(now - self._keep - timedelta(days=1))
            self._store.forget_arrivals(now - ARRIVALS_KEPT)
            if removed:
                log.info("removed %d raw facts older than %d days", removed, self._keep.days)
        return False

    def wait(self, timeout: float) -> None:
        self._nap.wait(timeout)  # nothing that happens makes it more urgent
