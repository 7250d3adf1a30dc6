"""Ingest of what SMPP brings: texts without ids, and parts of long texts."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.alphabets import Alphabet
from domain.errors import Conflict
from domain.facts import PartReceived, TextWithoutId
from domain.long_texts import PARTS_WAIT
from domain.ports import Arrival, Unit
from tests.flows.stage import CUSTOMER, SUPPORT, Stage, thread_of
from tests.workers.test_ingest import partition_of, watch
from workers.upkeep import ARRIVALS_KEPT

SCOPE = "smpp:TW"


def without_id(
    stage: Stage, delivery: str, since: datetime | None = None, text: str = "Hello", occurrence: int = 1
) -> TextWithoutId:
    """A text that may have come since then."""
    return TextWithoutId(
        key=thread_of(stage),
        mapping_id=stage.platform.ids.mapping("TW"),
        scope=SCOPE,
        our_address=SUPPORT,
        customer_address=CUSTOMER,
        text=text,
        raw="",
        delivery_id=delivery,
        content=stage.platform.ids.content(SCOPE, SUPPORT, CUSTOMER, text),
        repeats_since=since,
        occurrence=occurrence if since else 0,
    )


def parts(stage: Stage, *texts: str) -> list[PartReceived]:
    """A long text."""
    return [
        PartReceived(
            key=thread_of(stage),
            mapping_id=stage.platform.ids.mapping("TW"),
            scope=SCOPE,
            our_address=SUPPORT,
            customer_address=CUSTOMER,
            raw="",
            reference=200,
            total=len(texts),
            number=number,
            alphabet=Alphabet.LATIN_1,
            data=text.encode("latin-1"),
        )
        for number, text in enumerate(texts, 1)
    ]


def said(stage: Stage) -> list[str]:
    stage.settle()
    return [text for _, text in stage.said()]


def count(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> list[set[UUID]]:
    """The contents that are asked for, query by query."""
    ask, asked = stage.platform.store.arrivals, list[set[UUID]]()

    def counted(contents: Collection[UUID]) -> list[Arrival]:
        asked.append(set(contents))
        return ask(contents)

    monkeypatch.setattr(stage.platform.store, "arrivals", counted)
    return asked


def test_a_batch_asks_once_for_what_may_be_a_repeat(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = count(stage, monkeypatch)
    now = stage.clock.now()
    suspicious = [without_id(stage, f"d{each}", now, f"text {each}") for each in range(3)]
    stage.platform.ingress.accept([without_id(stage, "d"), *suspicious])
    assert said(stage) == ["Hello", "text 0", "text 1", "text 2"]
    assert asked == [{each.content for each in suspicious}]


def test_it_asks_nothing_when_there_can_be_none(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = count(stage, monkeypatch)
    stage.platform.ingress.accept([without_id(stage, "d1"), without_id(stage, "d2"), *parts(stage, "a", "b")])
    assert said(stage) == ["Hello", "Hello", "ab"]
    assert asked == []


def test_what_came_is_remembered_over_a_restart_for_a_while(stage: Stage) -> None:
    since = stage.clock.now()
    stage.platform.ingress.accept([without_id(stage, "d1")])
    stage.settle()
    stage.restart()
    stage.platform.ingress.accept([without_id(stage, "d2", since)])
    assert said(stage) == ["Hello"]
    stage.platform.upkeep().step()
    stage.platform.ingress.accept([without_id(stage, "d3", since)])
    assert said(stage) == ["Hello"]
    stage.clock.move(ARRIVALS_KEPT + timedelta(minutes=1))
    stage.platform.upkeep().step()
    content = without_id(stage, "").content
    assert stage.platform.store.arrivals([content]) == []


def test_upkeep_forgets_nothing_while_facts_wait(stage: Stage) -> None:
    since = stage.clock.now()
    stage.platform.ingress.accept([without_id(stage, "d1")])
    stage.settle()
    stage.platform.ingress.accept([without_id(stage, "d2", since)])
    stage.clock.move(ARRIVALS_KEPT + timedelta(minutes=1))
    stage.platform.upkeep().step()
    assert said(stage) == ["Hello"]


def test_a_batch_that_is_decided_again_comes_to_the_same(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[Unit] = []

    def collide(unit: Unit) -> None:
        tries.append(unit)
        if len(tries) < 3:
            raise Conflict

    since = stage.clock.now()
    stage.platform.ingress.accept(
        [*parts(stage, "Where ", "is it?"), without_id(stage, "d1"), without_id(stage, "d2", since)]
    )
    saved = watch(stage, monkeypatch, collide)
    assert stage.platform.ingest(partition_of(stage)).step()
    assert [len(each.arrivals) for each in saved] == [1]
    assert said(stage) == ["Where is it?", "Hello"]


@pytest.mark.parametrize("size", [1, 2, 4])
def test_parts_may_come_over_restarts(stage: Stage, size: int) -> None:
    facts = [*parts(stage, "Où ", "est ", "ma ", "pizza?")[::-1]]
    for start in range(0, len(facts), size):
        stage.platform.ingress.accept(facts[start : start + size])
        stage.settle()
        stage.restart()
    assert said(stage) == ["Où est ma pizza?"]


def test_the_timers_see_to_parts_that_never_come(stage: Stage) -> None:
    first, _, third = parts(stage, "Where ", "is my ", "pizza?")
    stage.platform.ingress.accept([third, first])
    stage.settle()
    stage.pass_seconds(PARTS_WAIT.total_seconds() - 60)
    assert stage.conversations() == []
    stage.pass_minutes(2)
    assert said(stage) == ["Where […]pizza?"]
    stage.pass_minutes(5)
    assert len(said(stage)) == 1


def test_a_part_that_cannot_be_one_is_parked_alone(stage: Stage, caplog: Any) -> None:
    good = parts(stage, "Where ", "is it?")
    [bad] = parts(stage, "x" * 1001)
    stage.platform.ingress.accept([good[0], bad, good[1]])
    assert said(stage) == ["Where is it?"]
    [parked] = stage.platform.parking.parked()
    assert "1001 octets" in parked.reason


def test_the_longest_text_can_be_stored(stage: Stage) -> None:
    """Each octet is three in UTF-8: nothing that is taken is too much for an event."""
    facts = parts(stage, *(["x" * 1000] * 255))
    unknown = [
        PartReceived(**vars(each) | {"alphabet": Alphabet.ASCII, "data": b"\xff" * 1000}) for each in facts
    ]
    stage.platform.ingress.accept(unknown)
    assert [len(text) for text in said(stage)] == [255_000]
    assert stage.platform.parking.parked() == []
