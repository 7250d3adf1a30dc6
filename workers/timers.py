"""Timers: deadlines that have fallen due become facts on the ingress log.

They queue there behind the texts that were accepted before; whether a deadline still means anything
is decided when it is ingested. One process has the timers at a time.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from domain.facts import DeadlineFell
from domain.ports import Clock, Ingress
from projections.deadlines import Deadline, DeadlineQueries
from projections.views import Views
from workers.worker import HeldLease

BATCH = 500
AGAIN_AFTER = timedelta(seconds=30)
"""A deadline still listed so long after it was put on the log is put there once more."""


class Timers:
    """Puts due deadlines on the log."""

    name = "timers"
    pace = 0.05

    def __init__(
        self,
        views: Views,
        ingress: Ingress,
        clock: Clock,
        lease: HeldLease,
        texts_wait: Callable[[], bool],
    ) -> None:
        """`texts_wait` says whether texts were accepted that are not on the log yet: no deadline may overtake
        them.
        """
        self._views = views
        self._deadlines = DeadlineQueries(views)
        self._ingress = ingress
        self._clock = clock
        self._lease = lease
        self._texts_wait = texts_wait
        self._fallen: dict[Deadline, datetime] = {}

    def step(self) -> bool:
        """Put the deadlines that are due on the log, each once."""
        if self._lease.get() is None:
            return False
        now = self._clock.now()
        self._fallen = {each: at for each, at in self._fallen.items() if now - at < AGAIN_AFTER}
        due = [
            each for each in self._deadlines.due(now, BATCH + len(self._fallen)) if each not in self._fallen
        ]
        if not due or self._texts_wait():
            return False
        self._ingress.accept(
            [DeadlineFell(each.key, each.kind, each.subject_id, each.due_at) for each in due]
        )
        self._fallen |= dict.fromkeys(due, now)
        return True

    def wait(self, timeout: float) -> None:
        upcoming = self._deadlines.next_due()
        if upcoming is not None:
            timeout = min(timeout, max(0.02, (upcoming - self._clock.now()).total_seconds()))
        self._views.wait(timeout)
