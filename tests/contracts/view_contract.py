"""What every projection must do, over a recorded day."""

import itertools
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.ports import Recorded
from projections.projection import Projection
from projections.rebuild import rebuild
from projections.views import Views
from tests.domain.given import CUSTOMER, Stage
from tests.fakes.scenario import day
from tests.fakes.view_databases import Place

Tables = dict[str, list[dict[str, Any]]]

# What the customer who is forgotten wrote, read and is called, in that day.
SECRETS = (CUSTOMER, "PIZZA", "pizza? ", "On its way", "Ben here", "Ben again")


def rows_of(views: Views, projection: type[Projection]) -> Tables:
    """Everything in a projection's tables."""
    with views.reading() as cursor:
        return {
            table.name: cursor.all(f"SELECT * FROM {table.name} ORDER BY {', '.join(table.key)}")  # noqa: S608
            for table in projection.tables
        }


def fill(views: Views, recorded: Sequence[Recorded]) -> None:
    """Let every projection of these views see events."""
    views.apply(views.projections, recorded)


def secrets_in(place: Place) -> list[str]:
    """What is still there of what was to be forgotten."""
    octets = place.octets()
    return [secret for secret in SECRETS if secret.encode() in octets]


class ViewContract:
    """Subclasses name the projection, and run where the fixture `place` says."""

    projection: ClassVar[type[Projection]]

    @pytest.fixture
    def stage(self) -> Stage:
        return day()

    @pytest.fixture
    def views(self, place: Place) -> Views:
        return place.views([self.projection])

    @pytest.fixture
    def recorded(self, stage: Stage) -> list[Recorded]:
        return stage.store.read(0, stage.store.head())

    def rows(self, views: Views) -> Tables:
        return rows_of(views, self.projection)

    def at_once(self, views: Views, recorded: Sequence[Recorded]) -> Tables:
        """The rows that these events make of nothing."""
        views.reset(self.projection.name)
        fill(views, recorded)
        rows = self.rows(views)
        views.reset(self.projection.name)
        return rows

    def test_it_keeps_rows_and_position(self, views: Views, recorded: list[Recorded]) -> None:
        fill(views, recorded)
        assert all(self.rows(views).values())
        assert views.positions() == {self.projection.name: len(recorded)}

    def test_the_day_has_every_event_that_it_handles(self, recorded: list[Recorded]) -> None:
        assert set(self.projection.handlers) - {type(each.event) for each in recorded} == set()

    def test_the_same_events_again_change_nothing(self, views: Views, recorded: list[Recorded]) -> None:
        fill(views, recorded)
        before = self.rows(views)
        fill(views, recorded)
        fill(views, recorded[-40:])
        assert self.rows(views) == before

    def test_from_zero_again_gives_the_same_rows(self, views: Views, recorded: list[Recorded]) -> None:
        fill(views, recorded)
        before = self.rows(views)
        views.reset(self.projection.name)
        assert not any(self.rows(views).values())
        fill(views, recorded)
        assert self.rows(views) == before

    # Each projection has the test as its own: every one of them runs it in the same way.
    @settings(
        max_examples=15,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    @given(data=st.data())
    def test_pieces_of_any_size_give_the_same_as_all_at_once(
        self, views: Views, recorded: list[Recorded], data: st.DataObject
    ) -> None:
        cuts = data.draw(st.sets(st.integers(1, len(recorded) - 1), max_size=30))
        expected = self.at_once(views, recorded)
        for start, end in itertools.pairwise([0, *sorted(cuts), len(recorded)]):
            fill(views, recorded[start:end])
        assert self.rows(views) == expected

    def test_one_by_one_gives_the_same_as_all_at_once(self, views: Views, recorded: list[Recorded]) -> None:
        expected = self.at_once(views, recorded)
        for each in recorded:
            fill(views, [each])
        assert self.rows(views) == expected

    def test_a_rebuild_gives_the_same_rows(
        self, views: Views, place: Place, stage: Stage, recorded: list[Recorded]
    ) -> None:
        fill(views, recorded)
        before = self.rows(views)
        name = self.projection.name
        with views.transaction() as cursor:
            for table in self.projection.tables:
                cursor.run(f"DELETE FROM {table.name}")  # noqa: S608 - a name from our own DDL
        seen: list[tuple[int, int]] = []
        rebuild(views, stage.store, [name], lambda done, total: seen.append((done, total)))
        assert self.rows(views) == before
        assert views.positions() == {name: len(recorded)}
        assert seen[-1] == (len(recorded), len(recorded))
        assert place.beside() == []

    def test_a_purge_gives_what_a_rebuild_gives_and_leaves_no_trace(
        self, views: Views, place: Place, stage: Stage, recorded: list[Recorded]
    ) -> None:
        fill(views, recorded)
        stage.forget(CUSTOMER)
        fill(views, stage.store.read(len(recorded), 100))
        purged = self.rows(views)
        assert secrets_in(place) == []
        rebuild(views, stage.store, [self.projection.name], lambda *_: None)
        assert self.rows(views) == purged
        assert secrets_in(place) == []

    def test_what_was_erased_before_reads_erased(self, views: Views, stage: Stage) -> None:
        stage.forget(CUSTOMER)
        fill(views, stage.store.read(0, stage.store.head()))
        written = [value for rows in self.rows(views).values() for row in rows for value in row.values()]
        assert [value for value in written if value in (CUSTOMER, "On its way")] == []
