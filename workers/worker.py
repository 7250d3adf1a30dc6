"""What a worker is: a bounded `step()`; loops, threads and signals live in the supervisor."""

from datetime import timedelta
from typing import Protocol

from domain.ports import Clock, Lease, Leases


class Worker(Protocol):
    """A part of Parley that runs for ever, one bounded step at a time."""

    @property
    def name(self) -> str:
        """What it is called in logs and health."""

    @property
    def pace(self) -> float:
        """Seconds, at least, from one look that found nothing to do to the next: what comes meanwhile is
        dealt with together, which costs a fraction of dealing with it one by one.
        """

    def step(self) -> bool:
        """Do a bounded piece of work; whether there may be more to do at once."""

    def wait(self, timeout: float) -> None:
        """Return when there may be work again, at the latest after `timeout` seconds."""


LEASE = timedelta(seconds=15)


class HeldLease:
    """A lease that is renewed by asking for it: a third of its time before it ends."""

    def __init__(self, leases: Leases, clock: Clock, name: str, owner: str) -> None:
        self._leases = leases
        self._clock = clock
        self._name = name
        self._owner = owner
        self._lease: Lease | None = None

    def get(self) -> Lease | None:
        """The lease, taken or renewed as needed; None while another process has it."""
        if self._lease is None or self._clock.now() > self._lease.until - LEASE * 2 / 3:
            self._lease = self._leases.acquire(self._name, self._owner, LEASE)
        return self._lease

    def drop(self) -> None:
        """Believe no more that it is ours."""
        self._lease = None

    def release(self) -> None:
        """Give it up, so that another process need not wait for its end."""
        if self._lease is not None:
            self._leases.release(self._lease)
            self._lease = None
