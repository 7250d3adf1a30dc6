"""What the rest of Parley knows of a database."""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import Any, Protocol

from database.sql import NOTHING, Cursor, Row, Values


class Database(Protocol):
    """One SQLite file or one PostgreSQL schema, for any number of threads and processes.

    Raises StoreUnavailable when the database cannot be reached or cannot write now. What was being
    committed at that moment may or may not have been.
    """

    @property
    def name(self) -> str:
        """The file or the schema, for messages."""

    def writing(self, *, alone: Collection[str] = ()) -> AbstractContextManager[Cursor]:
        """A transaction that is committed when its block ends well.

        No other that names one of the same things in `alone` is under way meanwhile.
        """

    def reading(self) -> AbstractContextManager[Cursor]:
        """A reader's unchanging look at all tables; waits for nobody."""

    def rows(self, statement: str, values: Values = NOTHING) -> list[Row]:
        """The rows that one query finds: for who needs no more, cheaper than `reading`."""

    def create(self, cursor: Cursor, statement: str) -> None:
        """Run a statement of DDL, in this database's own words."""

    def tables(self) -> set[str]:
        """The names of the tables that there are."""

    def tracking(self) -> Any:
        """The library's tracking recorder for the table `tracking` of this database."""

    def scrub(self, tables: Collection[str]) -> bool:
        """Leave no trace of what was deleted from tables; False when others keep it from being done now."""

    def announce(self, cursor: Cursor) -> None:
        """Let every process that watches know, once this transaction is committed."""

    def watch(self, seen: Callable[[], None]) -> None:
        """Have `seen` called, in a thread of the database's own, after other processes' announcements.

        On SQLite it never is: what other processes do is found by looking.
        """

    def scratch(self) -> AbstractContextManager["Database"]:
        """An empty database of the same kind, which is gone without a trace afterwards."""

    def beside(
        self, scratch: "Database", *, alone: Collection[str]
    ) -> AbstractContextManager[tuple[Cursor, str, str]]:
        """A transaction that writes and has the tables of a scratch at hand.

        Gives the cursor, and what goes before a table's name here and there.
        """

    def close(self) -> None:
        """Close every connection, those in use as soon as they are not."""
