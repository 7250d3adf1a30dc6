"""How far each projection has come: the library's tracking, in the views' own transactions."""

from collections.abc import Collection, Sequence

from eventsourcing.persistence import Tracking

from database.database import Database
from database.sql import Cursor, Row

_SELECT = (
    "SELECT application_name AS name, notification_id AS position FROM tracking"
    " WHERE application_name IN :names"
)


class Positions:
    """The positions of the projections, by name."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._recorder = database.tracking()

    def create(self, cursor: Cursor) -> None:
        """Create the library's table if it is not there."""
        if "tracking" not in self._database.tables():
            self._recorder._create_table(cursor.raw)  # noqa: SLF001 - no other way within a transaction

    def of(self, cursor: Cursor, names: Collection[str]) -> dict[str, int]:
        """The positions of projections, 0 before the first event."""
        return _by_name(names, cursor.all(_SELECT, {"names": names}))

    def now(self, names: Collection[str]) -> dict[str, int]:
        """The same, as of now: asked for at every commit, by every process."""
        return _by_name(names, self._database.rows(_SELECT, {"names": names}))

    def advance(self, cursor: Cursor, name: str, position: int) -> None:
        """Save it. Raises the library's IntegrityError when it is not beyond the saved one."""
        self._recorder._insert_tracking(cursor.raw, Tracking(name, position))  # noqa: SLF001

    def forget(self, cursor: Cursor, name: str) -> None:
        """Let a projection begin again from zero."""
        cursor.run("DELETE FROM tracking WHERE application_name = :name", {"name": name})


def _by_name(names: Collection[str], rows: Sequence[Row]) -> dict[str, int]:
    return dict.fromkeys(names, 0) | {row["name"]: row["position"] for row in rows}
