"""Leases in the store's file, so that a save can check its lease in its own transaction."""

from datetime import datetime, timedelta

from eventsourcing.sqlite import SQLiteCursor

from adapters.event_store.database import Database, to_micros
from domain.errors import LeaseLost
from domain.ports import Clock, Lease


class SQLiteLeases:
    """The port `Leases`. The epoch rises unless the owner renews in time."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def acquire(self, name: str, owner: str, duration: timedelta) -> Lease | None:
        now = self._clock.now()
        until = now + duration
        with self._database.transaction(commit=True) as c:
            c.execute(
                "INSERT INTO lease VALUES (:name, :owner, 1, :until) ON CONFLICT (name) DO UPDATE"
                " SET owner = :owner, epoch = epoch + (until <= :now), until = :until"
                " WHERE until <= :now OR owner = :owner RETURNING epoch",
                {"name": name, "owner": owner, "until": to_micros(until), "now": to_micros(now)},
            )
            row = c.fetchone()
        return row and Lease(name, owner, row[0], until)

    def release(self, lease: Lease) -> None:
        with self._database.transaction(commit=True) as c:
            c.execute(
                "UPDATE lease SET until = 0 WHERE name = ? AND owner = ? AND epoch = ?",
                (lease.name, lease.owner, lease.epoch),
            )

    def end_all(self) -> None:
        """End every lease at once: for a process that knows itself to be the only one."""
        with self._database.transaction(commit=True) as c:
            c.execute("UPDATE lease SET until = 0")


def check_lease(c: SQLiteCursor, lease: Lease, now: datetime) -> None:
    """Make sure, within a transaction, that a lease is still its owner's. Raises LeaseLost."""
    c.execute(
        "SELECT 1 FROM lease WHERE name = ? AND owner = ? AND epoch = ? AND until > ?",
        (lease.name, lease.owner, lease.epoch, to_micros(now)),
    )
    if c.fetchone() is None:
        raise LeaseLost(f"{lease.owner} no longer holds the lease {lease.name} (epoch {lease.epoch}).")
