"""Spooling: what waits on the disk goes to the log, and the timers know that something waits.

Each process that takes facts in has both workers. The leases tell every other process that texts were
accepted which are not on the log yet: until they are, no deadline is put there, so that none overtakes them.
"""

import logging
import threading
from datetime import datetime, timedelta

from adapters.spool import Spool, SpooledLog
from domain.ports import Clock, Leases
from workers.worker import HeldLease

log = logging.getLogger(__name__)

LEASE_PREFIX = "spool:"
"""The lease of a spool file that is not empty is called by this and the file's name."""

BATCH = 500
ADOPT_EVERY = timedelta(seconds=10)
NOTICE_WAIT = 1.5
"""Seconds that a fact waits, at most, for the others to be told; the database may be away as well."""


class SpoolDrain:
    """Moves the spool to the log, and takes over what dead processes left in its folder.

    While the log is away it is asked once every `pace`, or as seldom as it takes to answer.
    """

    name = "spool"
    pace = 0.2

    def __init__(self, spooled_log: SpooledLog, spool: Spool, clock: Clock) -> None:
        self._log = spooled_log
        self._spool = spool
        self._clock = clock
        self._adopt_at: datetime | None = None

    def step(self) -> bool:
        """Move one batch."""
        now = self._clock.now()
        if self._adopt_at is None or now >= self._adopt_at:
            self._spool.adopt()
            self._adopt_at = now + ADOPT_EVERY
        return self._log.drain(BATCH)

    def wait(self, timeout: float) -> None:
        self._spool.wait(timeout)


class SpoolLeases:
    """Holds a lease for each file that is not empty: renewed every 5 seconds, released when it is empty.

    A worker apart from the drain, so that neither a log nor a database that hangs holds up the other. There
    is one for each spool, made once; a file's lease belongs to the file, whichever process has it.
    """

    name = "spool-leases"
    pace = 1.0

    def __init__(self, spool: Spool, leases: Leases, clock: Clock) -> None:
        self._spool = spool
        self._leases = leases
        self._clock = clock
        self._turn = threading.Lock()  # guards the next
        self._held: dict[str, HeldLease] = {}
        self._nap = threading.Event()

    def step(self) -> bool:
        """Hold what is to be held now. Tries again with the next step when the database is away."""
        try:
            with self._turn:
                self._hold()
        except Exception:  # whatever the database says, the leases are asked for again in a second
            log.warning("the spool's leases cannot be held now", exc_info=True)
        return False

    def wait(self, timeout: float) -> None:
        self._nap.wait(timeout)  # a spell that begins gives notice

    def notice(self) -> None:
        """Hold the leases before anything of a spell is acknowledged: for at most 1.5 s, whatever happens."""
        asking = threading.Thread(target=self.step, name="spool-notice", daemon=True)
        asking.start()
        asking.join(NOTICE_WAIT)
        if asking.is_alive():
            log.warning("after %.1f s the lease is not held: a deadline may overtake a text", NOTICE_WAIT)

    def _hold(self) -> None:
        # Which files are filled is looked up within our turn: a lease is never given up for a file into
        # which something came meanwhile, since its notice waits for the turn.
        filled = set(self._spool.filled())
        for name in filled - self._held.keys():
            self._held[name] = HeldLease(self._leases, self._clock, LEASE_PREFIX + name, owner=name)
        for name in self._held.keys() - filled:
            self._held.pop(name).release()
        for held in self._held.values():
            held.get()
