"""Leases in the store, so that a save can check its lease in its own transaction."""

from datetime import datetime, timedelta

from database.database import Database
from database.sql import Cursor, micros
from domain.errors import LeaseLost
from domain.ports import Clock, Lease


class StoredLeases:
    """The port `Leases`. The epoch rises unless the owner renews in time."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def acquire(self, name: str, owner: str, duration: timedelta) -> Lease | None:
        now = self._clock.now()
        until = now + duration
        with self._database.writing() as c:
            row = c.one(
                "INSERT INTO lease VALUES (:name, :owner, 1, :until) ON CONFLICT (name) DO UPDATE"
                " SET owner = :owner, until = :until,"
                " epoch = lease.epoch + CASE WHEN lease.until <= :now THEN 1 ELSE 0 END"
                " WHERE lease.until <= :now OR lease.owner = :owner RETURNING epoch",
                {"name": name, "owner": owner, "until": micros(until), "now": micros(now)},
            )
        return Lease(name, owner, row["epoch"], until) if row else None

    def release(self, lease: Lease) -> None:
        with self._database.writing() as c:
            c.run(
                "UPDATE lease SET until = 0 WHERE name = :name AND owner = :owner AND epoch = :epoch",
                _same(lease),
            )

    def prolong(self, prefix: str, owner: str, duration: timedelta) -> None:
        with self._database.writing() as c:
            c.run(
                "UPDATE lease SET until = :until WHERE owner = :owner AND until > 0"
                " AND substr(name, 1, :length) = :prefix",
                {
                    "until": micros(self._clock.now() + duration),
                    "owner": owner,
                    "length": len(prefix),
                    "prefix": prefix,
                },
            )

    def held(self, prefix: str) -> set[str]:
        with self._database.reading() as c:
            rows = c.all(
                "SELECT name FROM lease WHERE substr(name, 1, :length) = :prefix AND until > :now",
                {"length": len(prefix), "prefix": prefix, "now": micros(self._clock.now())},
            )
        return {row["name"] for row in rows}

    def end_all(self) -> None:
        """End every lease at once: for a process that knows itself to be the only one."""
        with self._database.writing() as c:
            c.run("UPDATE lease SET until = 0")


def check_lease(c: Cursor, lease: Lease, now: datetime) -> None:
    """Make sure that a lease is still its owner's, and stays so until the transaction is over.

    Raises LeaseLost.
    """
    found = c.one(
        "SELECT 1 FROM lease WHERE name = :name AND owner = :owner AND epoch = :epoch AND until > :now"  # noqa: S608
        + c.hold,
        {**_same(lease), "now": micros(now)},
    )
    if found is None:
        raise LeaseLost(f"{lease.owner} no longer holds the lease {lease.name} (epoch {lease.epoch}).")


def _same(lease: Lease) -> dict[str, str | int]:
    return {"name": lease.name, "owner": lease.owner, "epoch": lease.epoch}
