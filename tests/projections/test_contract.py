"""Every projection keeps the contract."""

import pytest

from domain.ports import Recorded
from projections.configuration import Configuration
from projections.deadlines import Deadlines
from projections.desk import Desk
from projections.history import History
from projections.lanes import Lanes
from projections.registry import ALL
from projections.routing import Routing
from projections.statistics import Statistics
from projections.views import Views
from tests.contracts.view_contract import ViewContract, fill
from tests.domain.given import CUSTOMER
from tests.fakes.view_databases import Place


class TestConfiguration(ViewContract):
    projection = Configuration


class TestHistory(ViewContract):
    projection = History

    def test_the_search_for_traces_would_find_some(
        self, views: Views, place: Place, recorded: list[Recorded]
    ) -> None:
        fill(views, recorded)
        with views.transaction() as cursor:
            cursor.run("UPDATE messages SET text = '', folded = '', customer_address = ''")
            cursor.run("UPDATE conversations SET customer_address = ''")
        assert b"On its way" in place.octets()
        assert CUSTOMER.encode() in place.octets()


class TestDesk(ViewContract):
    projection = Desk


class TestRouting(ViewContract):
    projection = Routing


class TestDeadlines(ViewContract):
    projection = Deadlines


class TestLanes(ViewContract):
    projection = Lanes


class TestStatistics(ViewContract):
    projection = Statistics


def test_every_projection_is_here() -> None:
    assert {each.projection for each in ViewContract.__subclasses__()} == set(ALL)


@pytest.mark.parametrize("what", ["name", "tables"])
def test_nothing_is_named_twice(what: str) -> None:
    if what == "name":
        names = [each.name for each in ALL]
    else:
        names = [table.name for each in ALL for table in each.tables]
        names += [index for each in ALL for table in each.tables for index in table.indexes]
    assert len(names) == len(set(names))
