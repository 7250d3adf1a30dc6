"""Refilling views from zero."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from database.sql import Cursor
from domain.ports import EventStore
from projections.projection import Projection
from projections.views import Views, make_views

_AT_ONCE = 2000
"""Events in one transaction."""

Progress = Callable[[int, int], None]
"""Called with the position reached and the position to reach."""


def rebuild(views: Views, store: EventStore, names: Collection[str], progress: Progress) -> None:
    """Refill projections from the store's first event; readers see the old rows until all new ones are there.

    The new rows are made in a database of their own, while the views go on as they are.
    Then one transaction puts them in the old ones' place and catches up with those, so that no position
    ever goes back; other writers wait for it. Raises KeyError for an unknown name.
    """
    known = {each.name: type(each) for each in views.projections}
    chosen = [known[name] for name in names]
    with views.database.scratch() as scratch:
        make_views(scratch, chosen)
        fresh = Views(scratch, chosen)
        _fill(fresh, store, progress)
        with views.database.beside(scratch, alone=names) as (cursor, here, there):
            place = _Place(cursor, here, there)
            for projection in fresh.projections:
                _put_in_place(views, place, projection, store)
            views.database.announce(cursor)
    views.settle(table for each in chosen for table in each.tables)


def _fill(fresh: Views, store: EventStore, progress: Progress) -> None:
    """Bring the new rows to where the store is."""
    position = 0
    while position < (goal := store.head()):
        progress(position, goal)
        recorded = store.read(position, _AT_ONCE)
        fresh.apply(fresh.projections, recorded)
        position = recorded[-1].position
    progress(position, position)


@dataclass(frozen=True)
class _Place:
    """Where both are at hand: the cursor, and what goes before a table's name here and there."""

    cursor: Cursor
    here: str
    there: str


def _put_in_place(views: Views, place: _Place, projection: Projection, store: EventStore) -> None:
    cursor, here, there = place.cursor, place.here, place.there
    reached = views.position_in(cursor, projection.name)
    for table in projection.tables:
        columns = ", ".join(table.names)
        cursor.run(f"DELETE FROM {here}{table.name}")  # noqa: S608 - names from our own DDL, here and below
        cursor.run(f"INSERT INTO {here}{table.name} ({columns}) SELECT {columns} FROM {there}{table.name}")  # noqa: S608
    row = cursor.one(
        f"SELECT notification_id AS position FROM {there}tracking WHERE application_name = :name",  # noqa: S608
        {"name": projection.name},
    )
    position: int = row["position"] if row else 0
    while position < reached:
        recorded = store.read(position, _AT_ONCE)
        projection.apply(cursor, recorded)
        position = recorded[-1].position
    views.begin_again_in(cursor, projection, position)
