"""Which texts come under the suspicion of being repeats."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from adapters.smpp.repeats import MOST_REFUSED, REFUSED_FOR, SUSPECT_FOR, UNKNOWN_FOR, UNPROVEN_FOR, Repeats
from domain.facts import TextWithoutId
from tests.fakes.clock import START

SECOND = timedelta(seconds=1)
PROVEN = START - 20 * SECOND  # the last time that the SMSC answered
SINCE = PROVEN - UNPROVEN_FOR


def text(content: int = 1) -> TextWithoutId:
    return TextWithoutId(
        key=UUID(int=1),
        mapping_id=UUID(int=2),
        scope="smpp:X",
        our_address="+15005550006",
        customer_address="+447700900123",
        text="ok",
        raw="",
        delivery_id="1",
        content=UUID(int=content),
        repeats_since=None,
        occurrence=0,
    )


def judged(repeats: Repeats, at: datetime, content: int = 1) -> tuple[datetime | None, int]:
    seen = repeats.judged(text(content), at)
    return seen.repeats_since, seen.occurrence


@pytest.fixture
def repeats() -> Repeats:
    return Repeats()


def test_without_a_reason_nothing_is_suspected(repeats: Repeats) -> None:
    assert judged(repeats, START) == (None, 0)


def test_just_after_the_first_bind_equal_ones_are_counted(repeats: Repeats) -> None:
    repeats.bound(START, is_first=True)
    since = START - UNKNOWN_FOR
    assert [judged(repeats, START + SECOND, content) for content in (1, 2, 1)] == [
        (since, 1),
        (since, 1),
        (since, 2),
    ]
    assert judged(repeats, START + SUSPECT_FOR) == (since, 3)
    assert judged(repeats, START + SUSPECT_FOR + SECOND) == (None, 0)


def test_what_is_not_proven_to_be_acknowledged_may_come_on_another_connection_at_once(
    repeats: Repeats,
) -> None:
    repeats.ended(START, PROVEN)
    assert judged(repeats, START + SECOND) == (SINCE, 1)
    assert judged(repeats, START + SUSPECT_FOR + SECOND) == (None, 0)


def test_a_bind_soon_afterwards_prolongs_the_suspicion(repeats: Repeats) -> None:
    repeats.ended(START, PROVEN)
    judged(repeats, START + SECOND)
    repeats.bound(START + 30 * SECOND, is_first=False)
    late = START + 30 * SECOND + SUSPECT_FOR
    assert judged(repeats, late) == (SINCE, 2)
    assert judged(repeats, late + SECOND) == (None, 0)


def test_after_a_long_outage_it_still_reaches_back_before_its_beginning(repeats: Repeats) -> None:
    repeats.ended(START, PROVEN)
    later = START + timedelta(hours=3)
    repeats.bound(later, is_first=False)
    assert judged(repeats, later) == (SINCE, 1)


def test_another_slots_first_bind_knows_nothing_of_the_last_loss(repeats: Repeats) -> None:
    repeats.ended(START, PROVEN)
    later = START + timedelta(hours=3)
    repeats.bound(later, is_first=True)
    assert judged(repeats, later) == (later - UNKNOWN_FOR, 1)


def test_a_loss_under_suspicion_reaches_back_as_far(repeats: Repeats) -> None:
    repeats.ended(START, PROVEN)
    repeats.bound(START + SECOND, is_first=False)
    judged(repeats, START + SECOND)
    repeats.ended(START + 2 * SECOND, START + SECOND)  # before it could deliver all of it
    assert judged(repeats, START + 3 * SECOND) == (SINCE, 1)


def test_a_loss_long_afterwards_does_not(repeats: Repeats) -> None:
    repeats.ended(START, PROVEN)
    repeats.bound(START + SECOND, is_first=False)
    later = START + timedelta(hours=3)
    repeats.ended(later, later - SECOND)
    assert judged(repeats, later) == (later - SECOND - UNPROVEN_FOR, 1)


def test_what_was_refused_may_have_been_kept_since_just_before(repeats: Repeats) -> None:
    repeats.refused([text(1)], START)
    late = START + REFUSED_FOR
    assert judged(repeats, late, 2) == (None, 0)
    assert judged(repeats, late, 1) == (START - SECOND, 1)
    assert judged(repeats, late, 1) == (START - SECOND, 2)
    assert judged(repeats, late + SECOND, 1) == (None, 0)


def test_what_is_refused_again_keeps_its_place(repeats: Repeats) -> None:
    repeats.refused([text(), text()], START)
    again = [repeats.judged(text(), START + SECOND) for _ in "ab"]
    repeats.refused(again, START + SECOND)
    assert [judged(repeats, START + 2 * SECOND) for _ in "ab"] == [(START - SECOND, 1), (START - SECOND, 2)]


def test_what_is_refused_under_suspicion_keeps_that(repeats: Repeats) -> None:
    repeats.bound(START, is_first=True)
    judged(repeats, START)
    repeats.refused([repeats.judged(text(), START)], START)
    assert judged(repeats, START + 2 * SUSPECT_FOR) == (START - UNKNOWN_FOR, 2)


def test_what_was_refused_and_then_kept_may_come_again_when_that_is_lost(repeats: Repeats) -> None:
    repeats.refused([text()], START)
    judged(repeats, START + SECOND)
    repeats.ended(START + 2 * SECOND, START)
    assert judged(repeats, START + 3 * SECOND) == (START - SECOND, 1)


def test_memory_is_bounded(repeats: Repeats) -> None:
    repeats.refused([text(content) for content in range(MOST_REFUSED + 1)], START)
    assert judged(repeats, START, 0) == (None, 0)
    assert judged(repeats, START, 1) == (START - SECOND, 1)
