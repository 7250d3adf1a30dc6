"""Refilling views from zero."""

import tempfile
from collections.abc import Callable, Collection
from pathlib import Path

from domain.ports import EventStore
from projections.projection import Projection
from projections.sql import Cursor
from projections.views import Views

_AT_ONCE = 2000
"""Events in one transaction."""

Progress = Callable[[int, int], None]
"""Called with the position reached and the position to reach."""


def rebuild(views: Views, store: EventStore, names: Collection[str], progress: Progress) -> None:
    """Refill projections from the store's first event; readers see the old rows until all new ones are there.

    The new rows are made in a file of their own, in the same folder, while the views go on as they are.
    Then one transaction puts them in the old ones' place and catches up with those, so that no position
    ever goes back; other writers wait for it. Raises KeyError for an unknown name.
    """
    known = {each.name: type(each) for each in views.projections}
    chosen = [known[name] for name in names]
    with tempfile.TemporaryDirectory(dir=views.path.parent, prefix="rebuild-") as folder:
        fresh = Views(Path(folder) / "views.db", chosen)
        try:
            _fill(fresh, store, progress)
            with views.attached(fresh.path, "fresh") as cursor:
                for projection in fresh.projections:
                    _put_in_place(views, cursor, projection, store)
        finally:
            for name in names:
                fresh.reset(name)  # overwrites customers' texts before the file is removed
            fresh.close()
    views.settle(scrub=True)


def _fill(fresh: Views, store: EventStore, progress: Progress) -> None:
    """Bring the new rows to where the store is."""
    position = 0
    while position < (goal := store.head()):
        progress(position, goal)
        recorded = store.read(position, _AT_ONCE)
        fresh.apply(fresh.projections, recorded)
        position = recorded[-1].position
    progress(position, position)


def _put_in_place(views: Views, cursor: Cursor, projection: Projection, store: EventStore) -> None:
    reached = views.position_in(cursor, projection.name)
    for table in projection.tables:
        columns = ", ".join(table.names)
        cursor.run(f"DELETE FROM main.{table.name}")  # noqa: S608 - names from our own DDL, here and below
        cursor.run(f"INSERT INTO main.{table.name} ({columns}) SELECT {columns} FROM fresh.{table.name}")  # noqa: S608
    row = cursor.one(
        "SELECT notification_id AS position FROM fresh.tracking WHERE application_name = :name",
        {"name": projection.name},
    )
    position: int = row["position"] if row else 0
    while position < reached:
        recorded = store.read(position, _AT_ONCE)
        projection.apply(cursor, recorded)
        position = recorded[-1].position
    views.begin_again_in(cursor, projection, position)
