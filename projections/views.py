"""The views: every projection's tables and positions, in one database."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from database.database import Database
from database.sql import Cursor, Table
from domain.customers import Customer
from domain.ports import Recorded
from projections.positions import Positions
from projections.projection import Projection

POLL = 0.2
"""Seconds after which a waiter looks for what another process has done."""

SCRUB_AGAIN = 10.0
"""Seconds until scrubbing is tried again that others kept from being done: it waits for them each time."""

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

    def __init__(self, database: Database, projections: Sequence[type[Projection]]) -> None:
        """Open views whose tables `make_views` has made."""
        self.projections = tuple(each() for each in projections)
        self.database = database
        self._positions = Positions(database)
        self._changed = threading.Condition()  # guards the next four
        self._reached: dict[str, int] = {}
        self._overwritten: set[str] = set()
        self._scrub_due = True  # in SQLite's log: a process that was killed may have left a trace
        self._scrub_after = 0.0
        self._seen = threading.local()  # what a thread knew when `wait` last returned
        self.settle(())
        database.watch(self._look)

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    # ── transactions ───────────────────────────────────────────────────────────────────────────

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """A transaction that writes."""
        with self.database.writing() as cursor:
            yield cursor

    @contextmanager
    def reading(self) -> Iterator[Cursor]:
        """A reader's unchanging look at all tables; waits for nobody."""
        with self.database.reading() as cursor:
            yield cursor

    def apply(self, projections: Sequence[Projection], recorded: Sequence[Recorded]) -> None:
        """Let projections see events that follow on what they have seen; rows and positions are one commit.

        Events that a projection has seen before are passed over, so that any process may offer them.
        """
        names = [each.name for each in projections]
        with self.database.writing(alone=names) as cursor:
            seen = self._positions.of(cursor, names)
            for projection in projections:
                new = [each for each in recorded if each.position > seen[projection.name]]
                if new:
                    projection.apply(cursor, new)
                    self._positions.advance(cursor, projection.name, new[-1].position)
            if recorded and recorded[-1].position > min(seen.values(), default=0):
                self.database.announce(cursor)
        purge = any(isinstance(each.event, Customer.Created | Customer.Forgotten) for each in recorded)
        self.settle([table for each in projections for table in each.purged] if purge else ())

    def settle(self, overwritten: Iterable[Table]) -> None:
        """What has to follow on a commit: tell those who wait, and leave no trace in tables of which rows
        were overwritten that nobody may find again.

        While others are reading for long, the trace stays until one of the next commits.
        """
        self._look()
        with self._changed:
            self._overwritten.update(table.name for table in overwritten)
            due = self._scrub_due or bool(self._overwritten)
            if not due or time.monotonic() < self._scrub_after:
                return
            tables, self._overwritten, self._scrub_due = self._overwritten, set(), False
        if not self.database.scrub(sorted(tables)):
            with self._changed:
                self._overwritten |= tables
                self._scrub_due = True
                self._scrub_after = time.monotonic() + SCRUB_AGAIN

    # ── positions ──────────────────────────────────────────────────────────────────────────────

    def position(self, name: str) -> int:
        """How far a projection has come, 0 before the first event."""
        with self.reading() as cursor:
            return self.position_in(cursor, name)

    def position_in(self, cursor: Cursor, name: str) -> int:
        """The same, as of a transaction."""
        return self._positions.of(cursor, [name])[name]

    def positions(self) -> dict[str, int]:
        """How far every projection has come."""
        return self._positions.now([each.name for each in self.projections])

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
                self._changed.wait_for(lambda: enough(self._slowest()), min(POLL, remaining))

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
        with self.database.writing(alone=[name]) as cursor:
            for table in projection.tables:
                cursor.run(f"DELETE FROM {table.name}")  # noqa: S608 - a name from our own DDL
            self._positions.forget(cursor, name)
        with self._changed:
            self._reached[name] = 0
        self.settle(projection.tables)

    def begin_again_in(self, cursor: Cursor, projection: Projection, position: int) -> None:
        """Say within a transaction that a projection's rows are as of a position, whatever it was before."""
        self._positions.forget(cursor, projection.name)
        if position:
            self._positions.advance(cursor, projection.name, position)


def make_views(database: Database, projections: Sequence[type[Projection]]) -> None:
    """Make the tables, or find them there; a projection whose version has changed begins again from zero.

    To be called once, before anybody opens the views.
    """
    positions = Positions(database)
    with database.writing(alone=["tables"]) as cursor:
        database.create(cursor, _MADE.ddl[0].replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS"))
        positions.create(cursor)
        for projection in projections:
            made = cursor.one(_MADE.select, {"name": projection.name})
            if made is not None and made["version"] == projection.version:
                continue
            for table in made["tables"].split() if made else ():
                cursor.run(f"DROP TABLE {table}")
            positions.forget(cursor, projection.name)
            for statement in (each for table in projection.tables for each in table.ddl):
                database.create(cursor, statement)
            tables = " ".join(table.name for table in projection.tables)
            values = {"name": projection.name, "version": projection.version, "tables": tables}
            cursor.run(_MADE.upsert, values)


def check_views(database: Database, projections: Sequence[type[Projection]]) -> None:
    """Make sure that the tables are there as these projections want them. Raises ValueError."""
    made: dict[str, int] = {}
    if _MADE.name in database.tables():
        with database.reading() as cursor:
            rows = cursor.all("SELECT name, version FROM projections")
        made = {row["name"]: row["version"] for row in rows}
    wrong = [each.name for each in projections if made.get(each.name) != each.version]
    if wrong:
        names = ", ".join(wrong)
        raise ValueError(f"the views {names} are not there as this version wants them: run parley migrate")
