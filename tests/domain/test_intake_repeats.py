"""What becomes of texts whose provider gives them no id: rule 5."""

from datetime import timedelta

import pytest

from domain.mapping_settings import Status
from domain.message_values import Disposition
from domain.messages import Message
from tests.domain.given import CUSTOMER, MINUTE, OTHER, SECOND, Events, Stage, one
from tests.domain.given_smpp import SCOPE, ingest_each, without_id


def texts(events: Events) -> list[str]:
    """What was kept, in order."""
    return [each.text for each in events if isinstance(each, Message.Received)]


def test_a_text_without_an_id_is_taken_in_as_any_other(stage: Stage) -> None:
    received = one(stage.ingest(without_id(stage, "Hello", delivery="d7")), Message.Received)
    assert (received.text, received.disposition) == ("Hello", Disposition.STARTED)
    assert (received.scope, received.provider_message_id) == (SCOPE, "d7")
    assert received.originator_id == stage.ids.inbound(SCOPE, "d7")


def test_its_keywords_are_heeded(stage: Stage) -> None:
    stage.ingest(without_id(stage, "STOP"))
    assert stage.opted_out()


@pytest.mark.parametrize("together", [True, False])
def test_the_same_fact_twice_on_the_log_is_one_text(stage: Stage, together: bool) -> None:
    facts = [without_id(stage), without_id(stage)]
    assert texts(stage.ingest(*facts) if together else ingest_each(stage, facts)) == ["Hello"]
    assert len(stage.store.arrivals({facts[0].content})) == 1


@pytest.mark.parametrize("together", [True, False])
def test_equal_texts_are_kept_where_nothing_can_have_been_lost(stage: Stage, together: bool) -> None:
    facts = [without_id(stage, delivery=each) for each in ("d1", "d2")]
    assert texts(stage.ingest(*facts) if together else ingest_each(stage, facts)) == ["Hello", "Hello"]


@pytest.mark.parametrize("together", [True, False])
def test_what_came_before_the_connection_was_lost_and_comes_again_is_one_text(
    stage: Stage, together: bool
) -> None:
    first = without_id(stage, delivery="d1")
    again = without_id(stage, delivery="d2", repeats_since=stage.now(), occurrence=1)
    facts = [first, again, again]
    assert texts(stage.ingest(*facts) if together else ingest_each(stage, facts)) == ["Hello"]


def test_a_repeat_leaves_nothing_behind(stage: Stage) -> None:
    stage.ingest(without_id(stage))
    again = without_id(stage, delivery="d2", repeats_since=stage.now(), occurrence=1)
    assert stage.ingest(again) == []
    assert [each.message_id for each in stage.store.arrivals({again.content})] == [
        stage.ids.inbound(SCOPE, "d1")
    ]


@pytest.mark.parametrize(("back", "kept"), [(timedelta(), 0), (SECOND, 0), (-SECOND, 1)])
def test_only_texts_accepted_since_then_can_have_been_lost(stage: Stage, back: timedelta, kept: int) -> None:
    stage.ingest(without_id(stage))
    since = stage.now() - back
    stage.clock.advance(MINUTE)
    events = stage.ingest(without_id(stage, delivery="d2", repeats_since=since, occurrence=1))
    assert len(texts(events)) == kept


@pytest.mark.parametrize("together", [True, False])
def test_of_equal_texts_as_many_are_kept_as_there_were(stage: Stage, together: bool) -> None:
    """Two came before the connection was lost; afterwards they come again, with a third."""
    facts = [without_id(stage, delivery=each) for each in ("d1", "d2")] + [
        without_id(stage, delivery=f"again {each}", repeats_since=stage.now(), occurrence=each)
        for each in (1, 2, 3)
    ]
    assert len(texts(stage.ingest(*facts) if together else ingest_each(stage, facts))) == 3


@pytest.mark.parametrize("together", [True, False])
def test_what_was_lost_itself_is_kept_and_counts(stage: Stage, together: bool) -> None:
    """Two never arrived, so both are kept; then the connection is lost once more, and they come again."""
    facts = [
        without_id(stage, delivery=f"{loss} {each}", repeats_since=stage.now(), occurrence=each)
        for loss in ("first", "second")
        for each in (1, 2)
    ]
    assert len(texts(stage.ingest(*facts) if together else ingest_each(stage, facts))) == 2


@pytest.mark.parametrize(("text", "customer"), [("Hello!", CUSTOMER), ("Hello", OTHER)])
def test_another_text_is_no_repeat(stage: Stage, text: str, customer: str) -> None:
    stage.ingest(without_id(stage))
    events = stage.ingest(
        without_id(stage, delivery="d2"),
        without_id(stage, delivery="d3", repeats_since=stage.now(), occurrence=1),
        without_id(stage, text, customer, "d4", repeats_since=stage.now(), occurrence=1),
    )
    assert texts(events) == ["Hello", text]


def test_what_came_long_ago_is_forgotten(stage: Stage) -> None:
    fact = without_id(stage)
    stage.ingest(fact)
    stage.store.forget_arrivals(stage.now() + SECOND)
    assert stage.store.arrivals({fact.content}) == []


def test_what_has_no_route_is_no_exception(stage: Stage) -> None:
    stage.change(status=Status.PAUSED)
    first = stage.ingest(without_id(stage))
    assert one(first, Message.Received).disposition is Disposition.UNROUTED
    assert stage.ingest(without_id(stage, delivery="d2", repeats_since=stage.now(), occurrence=1)) == []


def test_without_its_mapping_it_cannot_be_decided(stage: Stage) -> None:
    nowhere = Stage(mapping=None)
    with pytest.raises(LookupError, match="there is no mapping"):
        nowhere.ingest(without_id(nowhere))
