"""The views: one file with every projection's tables and positions."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from domain.customers import Customer
from domain.ports import Recorded
from projections.database import Database, Positions
from projections.projection import Projection
from projections.sql import Cursor, Table

_POLL = 0.2
"""Seconds after which a waiter looks for what another process has done."""

_MADE = Table(
    "projections",
    key=("name",),
    columns="""
        name TEXT NOT NULL,
        version INTEGER NOT NULL,
        tables TEXT NOT NULL
    """,
    indexes={},
)


class Views:
    """For any number of threads and processes. Queries are classes of their own, beside each projection."""

    def __init__(self, path: Path, projections: Sequence[type[Projection]]) -> None:
        """Open or make the file; a projection whose version has changed begins again from zero."""
        self.path = path
        self.projections = tuple(each() for each in projections)
        self._database = Database(path)
        self._positions = Positions(self._database)
        self._changed = threading.Condition()  # guards the next two
        self._reached: dict[str, int] = {}
        self._seen = threading.local()  # what a thread knew when `wait` last returned
        self._scrub_due = False
        self._prepare()
        self.settle(scrub=True)  # a process that was killed may have left a trace

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    # ── transactions ───────────────────────────────────────────────────────────────────────────

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """A transaction that writes."""
        with self._database.transaction(commit=True) as cursor:
            yield Cursor(cursor)

    @contextmanager
    def reading(self) -> Iterator[Cursor]:
        """A reader's unchanging look at all tables; waits for nobody."""
        with self._database.transaction(commit=False) as cursor:
            yield Cursor(cursor)

    @contextmanager
    def attached(self, path: Path, name: str) -> Iterator[Cursor]:
        """A transaction that writes, with the tables of another file at hand under a name."""
        with self._database.attached(path, name) as cursor:
            yield Cursor(cursor)

    def apply(self, projections: Sequence[Projection], recorded: Sequence[Recorded]) -> None:
        """Let projections see events that follow on what they have seen; rows and positions are one commit.

        Events that a projection has seen before are passed over, so that any process may offer them.
        """
        with self.transaction() as cursor:
            for projection in projections:
                seen = self.position_in(cursor, projection.name)
                new = [each for each in recorded if each.position > seen]
                if new:
                    projection.apply(cursor, new)
                    self._positions.advance(cursor.raw, projection.name, new[-1].position)
        self.settle(
            scrub=any(isinstance(each.event, Customer.Created | Customer.Forgotten) for each in recorded)
        )

    def settle(self, *, scrub: bool) -> None:
        """What has to follow on a commit: tell those who wait, and leave no trace of what a purge overwrote.

        While others are reading, the trace stays until the next commit.
        """
        self._look()
        self._scrub_due = self._scrub_due or scrub
        if self._scrub_due:
            self._scrub_due = not self._database.scrub()

    # ── positions ──────────────────────────────────────────────────────────────────────────────

    def position(self, name: str) -> int:
        """How far a projection has come, 0 before the first event."""
        with self.reading() as cursor:
            return self.position_in(cursor, name)

    def position_in(self, cursor: Cursor, name: str) -> int:
        """The same, as of a transaction."""
        return self._positions.of(cursor.raw, name)

    def positions(self) -> dict[str, int]:
        """How far every projection has come."""
        with self.reading() as cursor:
            return {each.name: self.position_in(cursor, each.name) for each in self.projections}

    def wait_for(self, position: int, timeout: float) -> bool:
        """Wait until every projection is at or past a position; False when `timeout` seconds did not do."""
        return self._wait(lambda reached: reached >= position, timeout)

    def wait_beyond(self, position: int, timeout: float) -> bool:
        """Wait until every projection is past a position, as a live stream does; False when none came."""
        return self._wait(lambda reached: reached > position, timeout)

    def wait(self, timeout: float) -> None:
        """Return when anything has changed since this thread last returned from here, at the latest after
        `timeout` seconds.
        """
        seen = getattr(self._seen, "reached", None)
        self._look()
        with self._changed:
            self._changed.wait_for(lambda: self._reached != seen, timeout)
            self._seen.reached = self._reached

    def _wait(self, enough: Callable[[int], bool], timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        if enough(self._slowest()):
            return True
        while True:
            self._look()
            with self._changed:
                remaining = deadline - time.monotonic()
                if enough(self._slowest()) or remaining <= 0:
                    return enough(self._slowest())
                # Commits of this process wake it; those of others are found by looking again.
                self._changed.wait_for(lambda: enough(self._slowest()), min(_POLL, remaining))

    def _slowest(self) -> int:
        return min(self._reached.values(), default=0)

    def _look(self) -> None:
        """Note where all projections stand, and tell those who wait."""
        found = self.positions()
        with self._changed:
            # Another thread may have looked later and been here first: positions only rise.
            newer = {name: max(at, self._reached.get(name, 0)) for name, at in found.items()}
            if newer != self._reached:
                self._reached = newer
                self._changed.notify_all()

    # ── making and emptying ────────────────────────────────────────────────────────────────────

    def reset(self, name: str) -> None:
        """Empty a projection's tables and let it begin again from zero. Raises KeyError for a wrong name."""
        projection = {each.name: each for each in self.projections}[name]
        with self.transaction() as cursor:
            for table in projection.tables:
                cursor.run(f"DELETE FROM {table.name}")  # noqa: S608 - a name from our own DDL
            self._positions.forget(cursor.raw, name)
        with self._changed:
            self._reached[name] = 0
        self.settle(scrub=True)

    def begin_again_in(self, cursor: Cursor, projection: Projection, position: int) -> None:
        """Say within a transaction that a projection's rows are as of a position, whatever it was before."""
        self._positions.forget(cursor.raw, projection.name)
        if position:
            self._positions.advance(cursor.raw, projection.name, position)

    def _prepare(self) -> None:
        with self.transaction() as cursor:
            self._positions.create_in(cursor.raw)
            cursor.run(_MADE.ddl[0].replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS"))
            for projection in self.projections:
                self._make(cursor, projection)

    def _make(self, cursor: Cursor, projection: Projection) -> None:
        made = cursor.one(_MADE.select, {"name": projection.name})
        if made is not None and made["version"] == projection.version:
            return
        for table in made["tables"].split() if made else ():
            cursor.run(f"DROP TABLE {table}")
        self._positions.forget(cursor.raw, projection.name)
        for statement in (each for table in projection.tables for each in table.ddl):
            cursor.run(statement)
        tables = " ".join(table.name for table in projection.tables)
        values = {"name": projection.name, "version": projection.version, "tables": tables}
        cursor.run(_MADE.upsert, values)
