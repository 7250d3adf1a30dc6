"""What admins keep, as it is now; and what commands look up."""

import json
from dataclasses import replace

import pytest

from domain.administration import MappingDraft
from domain.errors import Invalid
from domain.mapping_settings import Kind, Route, Status
from domain.mappings import Mapping
from domain.ports import Lookups
from projections.configuration import Sort
from projections.configuration_queries import ConfigurationQueries, Listed, ViewLookups
from projections.views import Views
from tests.domain.given import ADMIN, ANA, CUSTOMER, MAPPING, OTHER, OURS, OURS_TOO, Stage
from tests.projections.conftest import See

MANY = 100
ANY = Listed()


@pytest.fixture
def configuration(views: Views) -> ConfigurationQueries:
    return ConfigurationQueries(views)


def codes(configuration: ConfigurationQueries, sort: Sort, listed: Listed = ANY) -> list[str]:
    return [each.code for each in configuration.list(sort, listed, None, MANY).items]


def test_a_list_has_what_was_added_and_not_what_was_removed(
    configuration: ConfigurationQueries, see: See, played: Stage
) -> None:
    see(played)
    assert {sort: codes(configuration, sort) for sort in Sort} == {
        Sort.MAPPING: ["TW"],
        Sort.QUEUE: ["SALES", "SUPPORT"],
        Sort.AGENT: ["ana", "ben"],
        Sort.CONNECTION: ["AWS"],
        Sort.WORK_CODE: ["SOLVED"],
        Sort.CANNED_REPLY: ["HOURS"],
    }


def test_an_entry_is_the_latest_version(configuration: ConfigurationQueries, see: See, played: Stage) -> None:
    see(played)
    entry = configuration.get(Sort.MAPPING, "TW")
    mapping = played.get(Mapping, played.ids.mapping("TW"))
    assert entry is not None
    assert (entry.version, entry.name, entry.kind, entry.status) == (
        mapping.version, "Support, US", "rest", "active",
    )  # fmt: skip
    assert entry.settings["routes"][1] == {
        "address": OURS_TOO, "display_name": "New", "skill_queue": "SALES", "contact_flow": None,
    }  # fmt: skip
    assert entry.settings["chat_control"]["idle_timeout_minutes"] == 10
    assert list(entry.settings["secrets"]) == ["password"]
    assert json.loads(json.dumps(entry.settings)) == entry.settings
    for sort, code, name in (
        (Sort.QUEUE, "SALES", "Sales worldwide"),
        (Sort.WORK_CODE, "SOLVED", "Solved at once"),
        (Sort.CANNED_REPLY, "HOURS", "Opening hours"),
        (Sort.CONNECTION, "AWS", "Main"),
        (Sort.AGENT, "ben", "Ben"),
    ):
        found = configuration.get(sort, code)
        assert found is not None
        assert (found.name, found.changed_by, found.removed) == (name, "root", False)
    reply = configuration.get(Sort.CANNED_REPLY, "HOURS")
    assert reply is not None
    assert reply.settings["text"] == "From 9 to 17"


def test_users_of_a_queue_are_known(configuration: ConfigurationQueries, see: See, played: Stage) -> None:
    see(played)
    queue = configuration.get(Sort.QUEUE, "SALES")
    assert queue is not None
    assert queue.settings["users"] == ["agent ben", "mapping TW"]
    connection = configuration.get(Sort.CONNECTION, "AWS")
    assert connection is not None
    assert connection.settings["users"] == []


def test_what_was_removed_is_still_there_to_be_read(
    configuration: ConfigurationQueries, see: See, played: Stage
) -> None:
    see(played)
    entry = configuration.get(Sort.MAPPING, "OTHER")
    assert entry is not None
    assert entry.removed
    assert configuration.get(Sort.QUEUE, "NEVER") is None


def test_what_is_added_again_is_listed_again(
    configuration: ConfigurationQueries, see: See, stage: Stage
) -> None:
    stage.catalogue.put_queue(ADMIN, "X", "One", new=True)
    stage.catalogue.remove_queue(ADMIN, "X")
    see(stage)
    assert codes(configuration, Sort.QUEUE) == ["SALES", "SUPPORT"]
    stage.catalogue.put_queue(ADMIN, "X", "Two", new=True)
    see(stage)
    assert codes(configuration, Sort.QUEUE) == ["SALES", "SUPPORT", "X"]


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        (Listed(search="german"), ["DE"]),
        (Listed(search="0006"), ["TW"]),
        (Listed(search="tW"), ["TW"]),
        (Listed(search="%"), []),
        (Listed(kind="smpp"), ["DE"]),
        (Listed(status="draft"), ["DE", "FR"]),
        (Listed(kind="rest", status="draft"), ["FR"]),
        (Listed(kind="rest", status="draft", search="x"), []),
        (ANY, ["DE", "FR", "TW"]),
    ],
)
def test_mappings_are_found_by_words_kind_and_status(
    configuration: ConfigurationQueries, see: See, stage: Stage, listed: Listed, expected: list[str]
) -> None:
    for code, kind, description in (("DE", Kind.SMPP, "GERMANY"), ("FR", Kind.REST, "France")):
        draft = replace(
            MAPPING, code=code, kind=kind, description=description, status=Status.DRAFT, routes=(),
            provider="fake" if kind is Kind.REST else None,
        )  # fmt: skip
        stage.administration.add(ADMIN, MappingDraft(draft))
    see(stage)
    assert codes(configuration, Sort.MAPPING, listed) == expected


def test_canned_replies_are_found_by_their_text(
    configuration: ConfigurationQueries, see: See, played: Stage
) -> None:
    see(played)
    assert codes(configuration, Sort.CANNED_REPLY, Listed(search="TO 17")) == ["HOURS"]
    assert codes(configuration, Sort.CANNED_REPLY, Listed(search="9 to 5")) == []


def test_pages_put_together_are_the_whole(
    configuration: ConfigurationQueries, see: See, stage: Stage
) -> None:
    for number in range(5):
        stage.catalogue.put_work_code(ADMIN, f"W{number}", "Work", new=True)
    see(stage)
    found, cursor = [], None
    while True:
        page = configuration.list(Sort.WORK_CODE, ANY, cursor, 2)
        assert len(page.items) <= 2
        found += [each.code for each in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert found == ["W0", "W1", "W2", "W3", "W4"]
    with pytest.raises(Invalid, match="cursor"):
        configuration.list(Sort.WORK_CODE, ANY, "nonsense", 2)


def test_a_number_is_where_its_mapping_says(
    configuration: ConfigurationQueries, see: See, stage: Stage
) -> None:
    stage.change(routes=(Route(OURS, "Z", "SUPPORT"), Route(OURS_TOO, "A", "SALES")))
    see(stage)
    routes = configuration.routes()
    assert [(each.display_name, each.address, each.skill_queue) for each in routes] == [
        ("A", OURS_TOO, "SALES"),
        ("Z", OURS, "SUPPORT"),
    ]
    assert {(each.mapping_code, each.status) for each in routes} == {("TW", Status.ACTIVE)}
    stage.change(routes=(Route(OURS, "Z", "SUPPORT"),), status=Status.PAUSED)
    see(stage)
    assert [(each.address, each.status) for each in configuration.routes()] == [(OURS, Status.PAUSED)]


@pytest.mark.parametrize("to", ["AA", "ZZ"])
def test_a_number_that_moves_is_never_lost(
    configuration: ConfigurationQueries, see: See, stage: Stage, to: str
) -> None:
    draft = replace(MAPPING, code=to, status=Status.DRAFT, routes=())
    stage.administration.add(ADMIN, MappingDraft(draft))
    stage.administration.move_address(ADMIN, OURS, to)
    see(stage)
    assert [(each.address, each.mapping_code) for each in configuration.routes()] == [(OURS, to)]
    stage.administration.delete(ADMIN, to, None)
    see(stage)
    assert configuration.routes() == ()


def test_lookups_count_as_the_aggregates_do(views: Views, see: See, stage: Stage) -> None:
    lookups: Lookups = ViewLookups(views)
    stage.agent("ana", room=1)
    stage.change(routes=(*MAPPING.routes, Route(OURS_TOO, "New", "SALES")))
    stage.text()
    stage.text(customer=OTHER)
    stage.ingest(stage.text_fact("Hi", OTHER, OURS_TOO))
    stage.route()
    stage.start(ANA, customer="+14155550130", single=True)
    see(stage)
    assert (lookups.open_conversations("TW"), stage.lookups.open_conversations("TW")) == (3, 3)
    assert lookups.open_conversations("TW", OURS) == 2
    assert lookups.open_conversations("TW", "+1") == lookups.open_conversations("XX") == 0
    mine, theirs = stage.ids.customer(CUSTOMER), stage.ids.customer(OTHER)
    assert (lookups.open_with_customer(mine), lookups.open_with_customer(theirs)) == (1, 2)
    assert (lookups.waiting_in("SUPPORT"), lookups.waiting_in("SALES"), lookups.waiting_in("X")) == (1, 1, 0)
    stage.desk.end(ADMIN, stage.conversation().id, None)
    see(stage)
    assert lookups.open_conversations("TW", OURS) == 1
    assert lookups.open_with_customer(mine) == stage.lookups.open_with_customer(mine) == 0
