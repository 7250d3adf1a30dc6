"""What becomes of long texts that come in parts."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.alphabets import Alphabet
from domain.conversations import Conversation
from domain.errors import NotFound
from domain.facts import PartReceived
from domain.long_texts import MISSING, MOST_OCTETS, MOST_PARTS, PARTS_WAIT, LongText
from domain.mapping_settings import Status
from domain.message_values import Disposition
from domain.messages import Message
from tests.domain.given import (
    CUSTOMER,
    MINUTE,
    OTHER,
    OURS,
    SECOND,
    Events,
    Stage,
    one,
    then,
)
from tests.domain.given_smpp import (
    SCOPE,
    ingest_each,
    long_text,
    long_text_id,
    overdue,
    part,
    parts,
    without_id,
)

ONE_EACH, TOGETHER = ingest_each, lambda stage, facts: stage.ingest(*facts)
Ingest = Callable[[Stage, Sequence[PartReceived]], Events]
batches = pytest.mark.parametrize("ingest", [ONE_EACH, TOGETHER], ids=["one each", "together"])


def texts(events: Events) -> list[str]:
    """What was kept, in order."""
    return [each.text for each in events if isinstance(each, Message.Received)]


# ── whole ──────────────────────────────────────────────────────────────────────────────────────────


def test_the_parts_are_one_text(stage: Stage) -> None:
    facts = parts(stage, "Where ", "is my ", "pizza?")
    then(stage.ingest(facts[0]), LongText.Created, LongText.PartReceived)
    then(stage.ingest(facts[1]), LongText.PartReceived)
    stage.clock.advance(MINUTE)
    events = stage.ingest(facts[2])
    received = one(events, Message.Received)
    assert (received.text, received.disposition) == ("Where is my pizza?", Disposition.STARTED)
    assert received.timestamp == stage.now()  # the acceptance of the part that completed it
    assert (received.scope, received.provider_message_id) == (SCOPE, f"{long_text_id(stage, facts[0]).hex}:1")
    assert one(events, Conversation.CustomerWrote).message_id == received.originator_id


@batches
def test_they_may_come_in_any_order_and_again(stage: Stage, ingest: Ingest) -> None:
    a, b, c = parts(stage, "Where ", "is my ", "pizza?")
    assert texts(ingest(stage, [c, c, a, c, a, b, b, a])) == ["Where is my pizza?"]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_however_they_come_they_are_one_text(data: st.DataObject) -> None:
    stage = Stage()
    whole = parts(stage, "Zażółć ", "gęślą ", "jaźń 👋", alphabet=Alphabet.UCS_2)
    again = data.draw(st.lists(st.sampled_from(whole)))
    coming = data.draw(st.permutations([*whole, *again]))
    events: Events = []
    while coming:
        size = data.draw(st.integers(1, len(coming)))
        events += stage.ingest(*coming[:size])
        coming = coming[size:]
    assert texts(events) == ["Zażółć gęślą jaźń 👋"]
    assert overdue(stage, whole[0]) == []


@batches
def test_a_character_may_be_cut_in_two(stage: Stage, ingest: Ingest) -> None:
    gsm = parts(stage, b"5 \x1b", b"\x65", reference=1)
    ucs_2 = parts(stage, b"\x00a\xd8", b"\x3d\xdc", b"\x4b", reference=2, alphabet=Alphabet.UCS_2)
    assert texts(ingest(stage, [*gsm, *ucs_2])) == ["5 €", "a👋"]


def test_parts_may_have_alphabets_of_their_own(stage: Stage) -> None:
    mixed = [
        part(stage, 1, "a [", total=2),
        part(stage, 2, "中]", total=2, alphabet=Alphabet.UCS_2),
    ]
    assert texts(stage.ingest(*mixed)) == ["a [中]"]


def test_a_text_of_one_part_is_a_text(stage: Stage) -> None:
    stage.ingest(*parts(stage, "STOP"))
    assert stage.opted_out()


@batches
def test_long_texts_do_not_mix(stage: Stage, ingest: Ingest) -> None:
    """They differ by reference, by number of parts, or by customer."""
    told_apart = [
        parts(stage, "a1", "a2"),
        parts(stage, "b1", "b2", reference=8),
        parts(stage, "c1", "c2", "c3"),
        parts(stage, "d1", "d2", customer=OTHER),
    ]
    mixed = [fact for number in (1, 0) for facts in told_apart for fact in (facts[number], *facts[2:])]
    assert sorted(texts(ingest(stage, mixed))) == ["a1a2", "b1b2", "c1c2c3", "d1d2"]


def test_the_text_joins_the_conversation_that_other_texts_began(stage: Stage) -> None:
    first, second = parts(stage, "Where is ", "my pizza?")
    stage.ingest(first)
    events = stage.ingest(without_id(stage, "Hello?"), second)
    assert texts(events) == ["Hello?", "Where is my pizza?"]
    assert len(stage.lookups.conversations()) == 1


def test_a_text_without_a_route_is_kept_as_such(stage: Stage) -> None:
    stage.change(status=Status.PAUSED)
    events = stage.ingest(*parts(stage, "Where is ", "my pizza?"))
    assert one(events, Message.Received).disposition is Disposition.UNROUTED


# ── rounds: a reference is used again ──────────────────────────────────────────────────────────────


@batches
def test_a_reference_may_be_used_again_at_once(stage: Stage, ingest: Ingest) -> None:
    facts = [*parts(stage, "First, ", "whole"), *parts(stage, "Second, ", "whole too")]
    events = ingest(stage, facts)
    assert texts(events) == ["First, whole", "Second, whole too"]
    ids = [each.provider_message_id for each in events if isinstance(each, Message.Received)]
    assert ids == [f"{long_text_id(stage, facts[0]).hex}:{number}" for number in (1, 2)]


@pytest.mark.parametrize(("later", "kept"), [(PARTS_WAIT - SECOND, 0), (PARTS_WAIT, 1)])
def test_an_equal_text_is_a_repeat_only_for_a_while(stage: Stage, later: timedelta, kept: int) -> None:
    facts = parts(stage, "Where is ", "my pizza?")
    stage.ingest(*facts)
    stage.clock.advance(later)
    assert len(texts(stage.ingest(*facts))) == kept


@batches
def test_another_part_under_a_number_that_has_come_begins_another_text(stage: Stage, ingest: Ingest) -> None:
    a, other = parts(stage, "a1", "a2", "a3"), parts(stage, "b1", "b2", "b3")
    events = ingest(stage, [a[0], a[2], other[2], *other[:2]])
    assert texts(events) == [f"a1{MISSING}a3", "b1b2b3"]
    given_up = one(events, LongText.GivenUp)
    assert (given_up.round, given_up.missing) == (1, (2,))
    assert one(events, LongText.Completed).round == 2


def test_a_repeat_from_the_last_text_does_no_harm_to_the_next(stage: Stage) -> None:
    a, other = parts(stage, "a1", "a2"), parts(stage, "b1", "b2")
    assert texts(stage.ingest(*a, other[0], a[1], other[1])) == ["a1a2", "b1b2"]


# ── what never comes ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("come", "text"),
    [
        ((1, 2, 4), f"1 2 {MISSING}4 {MISSING}"),
        ((2,), f"{MISSING}2 {MISSING}"),
        ((5, 3), f"{MISSING}3 {MISSING}5 "),
    ],
)
def test_in_time_what_has_come_is_a_text(stage: Stage, come: tuple[int, ...], text: str) -> None:
    facts = parts(stage, "1 ", "2 ", "3 ", "4 ", "5 ")
    for number in come:
        stage.ingest(facts[number - 1])
    stage.clock.advance(PARTS_WAIT)
    events = overdue(stage, facts[0])
    received = one(events, Message.Received)
    assert (received.text, received.timestamp) == (text, stage.now())
    assert one(events, LongText.GivenUp).missing == tuple({1, 2, 3, 4, 5} - set(come))
    assert overdue(stage, facts[0]) == []


def test_the_time_runs_from_the_first_part(stage: Stage) -> None:
    a, b, _ = parts(stage, "1", "2", "3")
    stage.ingest(a)
    stage.clock.advance(PARTS_WAIT - SECOND)
    stage.ingest(b)
    assert overdue(stage, a) == []
    stage.clock.advance(SECOND)
    assert texts(overdue(stage, a)) == [f"12{MISSING}"]


def test_it_runs_anew_for_the_next_text(stage: Stage) -> None:
    a, other = part(stage, 1, "a"), part(stage, 1, "b")
    stage.ingest(a)
    stage.clock.advance(MINUTE)
    stage.ingest(other)
    stage.clock.advance(PARTS_WAIT - MINUTE)
    assert overdue(stage, a) == []
    stage.clock.advance(MINUTE)
    assert texts(overdue(stage, a)) == [f"b{MISSING}"]


def test_nothing_falls_due_for_a_text_that_is_whole(stage: Stage) -> None:
    facts = parts(stage, "1", "2")
    stage.ingest(*facts)
    stage.clock.advance(PARTS_WAIT)
    assert overdue(stage, facts[0]) == []


def test_what_comes_too_late_is_a_text_of_its_own(stage: Stage) -> None:
    a, b = parts(stage, "Hel", "lo")
    stage.ingest(a)
    stage.clock.advance(PARTS_WAIT)
    overdue(stage, a)
    assert texts(stage.ingest(b)) == []
    stage.clock.advance(PARTS_WAIT)
    assert texts(overdue(stage, b)) == [f"{MISSING}lo"]


def test_what_was_given_up_and_comes_again_whole_is_a_text(stage: Stage) -> None:
    a, b = parts(stage, "Hel", "lo")
    stage.ingest(a)
    stage.clock.advance(PARTS_WAIT)
    overdue(stage, a)
    assert texts(stage.ingest(a, b)) == ["Hello"]


def test_a_part_that_overtakes_the_deadline_completes_the_text(stage: Stage) -> None:
    a, b = parts(stage, "Hel", "lo")
    stage.ingest(a)
    stage.clock.advance(PARTS_WAIT)
    assert texts(stage.ingest(b)) == ["Hello"]
    assert overdue(stage, a) == []


def test_what_has_come_joins_the_conversation_that_is_open_by_then(stage: Stage) -> None:
    a = part(stage, 1, "Hel")
    stage.ingest(a)
    stage.clock.advance(PARTS_WAIT)
    stage.text("Anybody?")
    events = overdue(stage, a)
    assert one(events, Message.Received).disposition is Disposition.JOINED
    then(events, LongText.GivenUp, Message.Received, Conversation.CustomerWrote)


def test_what_has_come_counts_against_the_maximum(stage: Stage) -> None:
    stage.control(max_chats=1)
    stage.text("Hello", OTHER)
    a = part(stage, 1, "Hel")
    stage.ingest(a)
    stage.clock.advance(PARTS_WAIT)
    assert one(overdue(stage, a), Message.Received).disposition is Disposition.REFUSED


# ── what is no part ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("number", "total"), [(0, 3), (4, 3), (-1, 3), (1, 0), (1, MOST_PARTS + 1)])
def test_an_impossible_number_is_refused(stage: Stage, number: int, total: int) -> None:
    with pytest.raises(ValueError, match=f"part {number} of {total}"):
        stage.ingest(part(stage, number, "x", total=total))


def test_a_part_that_no_message_can_hold_is_refused(stage: Stage) -> None:
    stage.ingest(part(stage, 1, bytes(MOST_OCTETS)))
    with pytest.raises(ValueError, match="octets; at most"):
        stage.ingest(part(stage, 2, bytes(MOST_OCTETS + 1)))


def test_a_part_without_its_mapping_cannot_be_decided(stage: Stage) -> None:
    with pytest.raises(NotFound, match="there is no mapping"):
        stage.ingest(replace(part(stage, 1, "x"), mapping_id=stage.ids.mapping("NONE")))


# ── forgotten customers ────────────────────────────────────────────────────────────────────────────


def test_of_a_forgotten_customer_nothing_is_given_up_as_a_text(stage: Stage) -> None:
    a = part(stage, 1, "secret")
    stage.ingest(a)
    stage.forget()
    stage.clock.advance(PARTS_WAIT)
    then(overdue(stage, a), LongText.GivenUp)
    assert overdue(stage, a) == []


@batches
def test_a_customer_who_returns_begins_anew(stage: Stage, ingest: Ingest) -> None:
    stage.ingest(part(stage, 1, "secret", total=2))
    stage.forget()
    events = ingest(stage, parts(stage, "Hello ", "again"))
    assert texts(events) == ["Hello again"]
    assert one(events, Message.Received).customer_address == CUSTOMER
    assert one(events, LongText.GivenUp).missing == (2,)


def test_what_was_whole_before_a_customer_was_forgotten_is_no_repeat(stage: Stage) -> None:
    facts = parts(stage, "Hello ", "again")
    stage.ingest(*facts)
    stage.forget()
    assert texts(stage.ingest(*facts)) == ["Hello again"]


def test_a_text_that_is_begun_after_forgetting_is_given_up_as_any_other(stage: Stage) -> None:
    stage.ingest(part(stage, 1, "secret"))
    stage.forget()
    late = part(stage, 2, "new")
    stage.ingest(late)
    stage.clock.advance(PARTS_WAIT)
    received = one(overdue(stage, late), Message.Received)
    assert (received.text, received.customer_address) == (f"{MISSING}new{MISSING}", CUSTOMER)
    assert received.our_address == OURS
    assert long_text(stage, late).parts == {}
