"""Conversations and messages as readers get them."""

import re
from datetime import timedelta
from uuid import UUID

import pytest

from domain.conversations import EndOutcome, State
from domain.errors import Invalid
from domain.facts import MediaFetched, MediaLink, Outcome
from domain.mapping_settings import Route
from domain.message_values import MessageStatus, Resolution
from domain.messages import Message
from domain.values import ERASED
from projections.history_documents import ConversationView
from projections.history_queries import Filters, HistoryQueries
from projections.history_tables import IS_OPEN
from projections.views import Views
from tests.domain.given import ANA, CUSTOMER, MINUTE, OTHER, OURS, OURS_TOO, Stage, one
from tests.fakes.scenario import FIFTH, FOURTH, PIZZA, THIRD
from tests.fakes.view_databases import Place
from tests.projections.conftest import See

ALL = 1000
NOBODY = UUID(int=5)


@pytest.fixture
def history(views: Views, see: See, played: Stage) -> HistoryQueries:
    """The history of the whole day."""
    see(played)
    return HistoryQueries(views)


def every(history: HistoryQueries, filters: Filters = Filters()) -> list[ConversationView]:  # noqa: B008
    return list(history.search(filters, None, ALL).items)


def test_every_conversation_stands_where_its_aggregate_does(history: HistoryQueries, played: Stage) -> None:
    for each in played.lookups.conversations():
        view = history.conversation(each.id)
        assert view is not None
        assert (view.state, view.queue, view.agent, view.outcome) == (
            each.state, each.queue, each.agent, each.outcome,
        )  # fmt: skip
        assert (view.last_activity_at, view.closed) == (each.last_activity_at, each.closed)
        assert view.idle_due_at == (each.idle_due_at if each.is_open else None)
        assert (view.first_response_at is not None) == each.answered
        assert (view.customer_address, view.our_address) == (each.customer_address, each.our_address)
        assert (view.mapping_code, view.origin) == (each.terms.mapping_code, each.origin)


def test_every_message_stands_where_its_aggregate_does(history: HistoryQueries, played: Stage) -> None:
    events = [each.event for each in played.store.read(0, played.store.head())]
    ids = [each.originator_id for each in events if isinstance(each, Message.Received | Message.Requested)]
    statuses = set()
    for each in ids:
        message, detail = played.message(each), history.message(each)
        assert detail is not None
        view = detail.message
        assert (view.status, view.attempt, view.text) == (message.status, message.attempt, message.text)
        assert view.conversation_id == message.conversation_id
        assert {each.attempt: each.outcome for each in detail.attempts if each.outcome} == message.settled
        assert len(detail.receipts) == len(message.receipts)
        statuses.add(view.status)
    assert len(statuses) >= 11  # the day has many ends


def test_what_is_unknown_is_none(history: HistoryQueries) -> None:
    assert history.conversation(NOBODY) is None
    assert history.message(NOBODY) is None
    assert history.messages(NOBODY) == []


def test_a_conversation_tells_its_times(history: HistoryQueries, played: Stage) -> None:
    [view] = every(history, Filters(customer=CUSTOMER))
    start = view.started_at
    assert (view.queued_at, view.assigned_at) == (start + 2 * MINUTE, start + 3 * MINUTE)
    assert (view.first_response_at, view.ended_at) == (start + MINUTE, start + 3 * MINUTE)
    assert view.waited_seconds == 120
    assert (view.ended_by, view.work_code, view.display_name) == ("ben", "SOLVED", "Support")


def test_a_display_name_is_the_present_one(stage: Stage, views: Views, see: See) -> None:
    stage.text()
    see(stage)
    history = HistoryQueries(views)
    assert every(history)[0].display_name == "Support"
    stage.change(routes=(Route(OURS, "Help", "SUPPORT"),))
    see(stage)
    assert every(history)[0].display_name == "Help"


def test_consent_shows_at_once_and_counts_as_a_change(stage: Stage, views: Views, see: See) -> None:
    stage.text()
    see(stage)
    history = HistoryQueries(views)
    before = every(history)[0]
    stage.text("STOP")
    see(stage)
    after = every(history)[0]
    assert (before.opted_out, after.opted_out) == (False, True)
    assert after.position > before.position
    stage.text("START")
    see(stage)
    assert not every(history)[0].opted_out


def test_messages_come_in_order_and_only_what_is_newer(history: HistoryQueries, played: Stage) -> None:
    [view] = every(history, Filters(customer=CUSTOMER))
    messages = history.messages(view.id)
    assert [each.sequence for each in messages] == sorted(each.sequence for each in messages)
    written = [each.text for each in messages if each.sender != "system"]
    assert written == ["Where is my PIZZA? Żółw", "On its way", "Ben here", "Ben again"]
    middle = sorted(each.position for each in messages)[3]
    newer = history.messages(view.id, after_position=middle)
    assert newer == [each for each in messages if each.position > middle]
    assert history.messages(view.id, limit=2) == messages[:2]


def test_a_message_keeps_what_was_tried_and_said(history: HistoryQueries, played: Stage) -> None:
    detail = history.message(played.ids.outbound("ana", "t0"))
    assert detail is not None
    tries = [(each.attempt, each.outcome, each.error_code) for each in detail.attempts]
    assert tries == [(1, Outcome.POSTPONED, "429"), (2, Outcome.REJECTED, "30007")]
    assert (detail.message.error_code, detail.message.status) == ("30007", MessageStatus.REJECTED)
    detail = history.message(played.ids.outbound("ana", "a1"))
    assert detail is not None
    assert [each.status for each in detail.receipts] == ["sent", "delivered"]
    assert detail.message.provider_message_id == "A1"


def test_media_are_wanted_until_they_are_stored(stage: Stage, views: Views, see: See, played: Stage) -> None:
    links = (MediaLink(PIZZA, "image/jpeg"), MediaLink(PIZZA, "image/png"))
    stage.text("Look", media=links)
    see(stage)
    history = HistoryQueries(views)
    wanted = history.wanted_media(10)
    assert [(each.index, each.url, each.content_type) for each in wanted] == [
        (0, PIZZA, "image/jpeg"), (1, PIZZA, "image/png"),
    ]  # fmt: skip
    stage.ingest(MediaFetched(wanted[0].thread_id, wanted[0].message_id, 1, UUID(int=9), "image/png", 5, ""))
    see(stage)
    assert [each.index for each in history.wanted_media(10)] == [0]
    stage.ingest(MediaFetched(wanted[0].thread_id, wanted[0].message_id, 0, None, "", 0, "gone"))
    see(stage)
    assert history.wanted_media(10) == []
    detail = history.message(wanted[0].message_id)
    assert detail is not None
    assert [(each.media_id, each.size, each.problem) for each in detail.message.media] == [
        (None, 0, "gone"), (UUID(int=9), 5, ""),
    ]  # fmt: skip


def test_no_media_of_somebody_forgotten_are_wanted(stage: Stage, views: Views, see: See) -> None:
    stage.text("Look", media=(MediaLink(PIZZA, "image/jpeg"),))
    see(stage)
    assert len(HistoryQueries(views).wanted_media(10)) == 1
    stage.forget(CUSTOMER)
    see(stage)
    assert HistoryQueries(views).wanted_media(10) == []


def test_nor_are_those_of_somebody_forgotten_before(stage: Stage, views: Views, see: See) -> None:
    links = (MediaLink(PIZZA, "image/jpeg"), MediaLink(PIZZA, "image/png"))
    message_id = one(stage.text("Look", media=links), Message.Received).originator_id
    stage.forget(CUSTOMER)
    stage.ingest(MediaFetched(stage.thread().id, message_id, 1, None, "", 0, "gone"))
    see(stage)
    assert HistoryQueries(views).wanted_media(10) == []
    detail = HistoryQueries(views).message(message_id)
    assert detail is not None
    assert [each.content_type for each in detail.message.media] == ["image/jpeg", ""]


def test_consent_towards_the_number_shows_in_a_conversation_that_began_in_a_pool(
    stage: Stage, views: Views, see: See
) -> None:
    stage.change(options={"pool": "MG1"})
    stage.text()
    stage.change(options={})
    stage.text(customer=OTHER)
    see(stage)
    before = {each.customer_address: each for each in every(HistoryQueries(views))}
    for word, opted_out in (("STOP", True), ("START", False), ("STOP", True)):
        stage.text(word)
        see(stage)
        after = {each.customer_address: each for each in every(HistoryQueries(views))}
        assert after[CUSTOMER].opted_out is opted_out
        assert after[CUSTOMER].position > before[CUSTOMER].position
        assert after[OTHER] == before[OTHER]
        before = after


def is_of_fourth_and_ana(view: ConversationView) -> bool:
    return (view.customer_address, view.agent) == (FOURTH, "ana")


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(number=OURS_TOO), lambda each: each.our_address == OURS_TOO),
        (Filters(queue="SALES"), lambda each: each.queue == "SALES"),
        (Filters(agent="ana"), lambda each: each.agent == "ana"),
        (Filters(state=State.REFUSED), lambda each: each.state is State.REFUSED),
        (Filters(outcome=EndOutcome.MISSED), lambda each: each.outcome is EndOutcome.MISSED),
        (Filters(customer=FOURTH), lambda each: each.customer_address == FOURTH),
        (Filters(customer=FOURTH, agent="ana"), is_of_fourth_and_ana),
    ],
)  # fmt: skip
def test_a_search_finds_exactly_what_fits(
    history: HistoryQueries, filters: Filters, expected: object
) -> None:
    assert callable(expected)
    everything = every(history)
    found = every(history, filters)
    assert found == [each for each in everything if expected(each)]
    assert 0 < len(found) < len(everything)


@pytest.mark.parametrize("text", ["pizza", "żÓŁW", "IS MY", "Ben here"])
def test_a_search_by_text_knows_no_capitals(history: HistoryQueries, text: str) -> None:
    assert [each.customer_address for each in every(history, Filters(text=text))] == [CUSTOMER]


@pytest.mark.parametrize("text", ["%", "_", "!", "' OR 1=1 --", "pizza%way"])
def test_a_search_takes_every_character_for_itself(history: HistoryQueries, text: str) -> None:
    expected = {
        each.id
        for each in every(history)
        if any(text.casefold() in message.text.casefold() for message in history.messages(each.id))
    }
    assert {each.id for each in every(history, Filters(text=text))} == expected


def test_a_search_by_time_includes_its_beginning_and_not_its_end(history: HistoryQueries) -> None:
    times = sorted({each.started_at for each in every(history)})
    since, until = times[1], times[3]
    found = {each.started_at for each in every(history, Filters(since=since, until=until))}
    assert found == {times[1], times[2]}


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_pages_put_together_are_the_whole(history: HistoryQueries, size: int) -> None:
    found: list[ConversationView] = []
    cursor: str | None = None
    while True:
        page = history.search(Filters(), cursor, size)
        found += page.items
        cursor = page.next
        if cursor is None:
            break
    assert found == every(history)
    assert [each.started_at for each in found] == sorted((each.started_at for each in found), reverse=True)


@pytest.mark.parametrize("cursor", ["", "x", "bm90", "WzEsMl0", "e30"])
def test_a_wrong_cursor_is_refused(history: HistoryQueries, cursor: str) -> None:
    with pytest.raises(Invalid, match="cursor"):
        history.search(Filters(), cursor, 10)


def test_the_missed_and_refused_are_listed_until_somebody_sees_to_them(
    history: HistoryQueries, played: Stage
) -> None:
    expected = [each.id for each in played.lookups.conversations() if each.needs_follow_up]
    assert {each.id for each in history.missed((), None, ALL).items} == set(expected)
    assert expected
    assert history.missed(("SALES",), None, ALL).items == ()
    assert len(history.missed(("SALES", "SUPPORT"), None, ALL).items) == len(expected)
    [answered] = every(history, Filters(customer=THIRD, outcome=EndOutcome.MISSED))
    assert (answered.closed, answered.closed_by) == (True, "ana")
    assert answered.followed_up_in == every(history, Filters(customer=THIRD))[0].id


def test_missed_pages_are_the_oldest_first(stage: Stage, views: Views, see: See) -> None:
    for number in range(5):
        stage.text(customer=f"+1415555010{number}")
        stage.clock.advance(10 * MINUTE)
        stage.idle(stage.conversation(f"+1415555010{number}").id)
    see(stage)
    history = HistoryQueries(views)
    first = history.missed((), None, 3)
    second = history.missed((), first.next, 3)
    found = [each.customer_address[-1] for each in (*first.items, *second.items)]
    assert (found, second.next) == (["0", "1", "2", "3", "4"], None)


def test_the_unrouted_wait_with_their_reason(history: HistoryQueries) -> None:
    page = history.unrouted(None, ALL)
    assert [(each.text, each.conversation_id) for each in page.items] == [("Hello new number", None)]
    assert "no route" in page.items[0].reason


def test_the_routed_after_all_are_as_any_other(history: HistoryQueries, played: Stage) -> None:
    detail = history.message(played.ids.inbound("fake/account", f"SM{played.texts - 3}"))
    assert detail is not None
    assert (detail.message.status, detail.message.reason) == (MessageStatus.RECEIVED, "")


def test_the_doubtful_wait_for_a_person(stage: Stage, views: Views, see: See) -> None:
    stage.agent("ana")
    stage.text()
    stage.route()
    ids = [stage.reply(f"Text {number}", key=f"k{number}") for number in range(3)]
    for each in ids:
        stage.clock.advance(timedelta(seconds=1))
        stage.attempt(each)
        stage.settled(each, Outcome.IN_DOUBT, detail="timed out")
    stage.attention.resolve(ANA, ids[1], Resolution.SENT, "the customer said so")
    see(stage)
    history = HistoryQueries(views)
    first = history.in_doubt(None, 1)
    second = history.in_doubt(first.next, 1)
    found = [*first.items, *second.items]
    assert {each.id for each in found} == {ids[0], ids[2]}
    assert (second.next, found[0].error_detail) == (None, "timed out")
    resolved = history.message(ids[1])
    assert resolved is not None
    assert (resolved.message.status, resolved.message.resolved_by) == (MessageStatus.SENT, "ana")


def test_previous_conversations_are_the_customers_own(history: HistoryQueries) -> None:
    found = history.of_customer(FOURTH, ALL)
    assert len(found) == 2
    assert {each.customer_address for each in found} == {FOURTH}
    assert history.of_customer(FOURTH, 1) == found[:1]


def test_the_forgotten_have_nothing_in_common(stage: Stage, views: Views, see: See) -> None:
    for customer in (CUSTOMER, OTHER):
        stage.text(customer=customer)
        stage.forget(customer)
    see(stage)
    history = HistoryQueries(views)
    assert [each.customer_address for each in every(history)] == [ERASED, ERASED]
    assert history.of_customer(ERASED, ALL) == []


def test_who_comes_back_is_known_again_from_then_on(history: HistoryQueries, played: Stage) -> None:
    theirs = [each for each in every(history) if each.customer_id == played.ids.customer(FIFTH)]
    assert {each.customer_address for each in theirs} == {ERASED, FIFTH}
    written = [(each.text, each.customer_address) for view in theirs for each in history.messages(view.id)]
    assert [each for each in written if each != (ERASED, ERASED)] == [("And again", FIFTH)]


def test_a_purge_erases_what_was_written_about_a_message(stage: Stage, views: Views, see: See) -> None:
    stage.agent("ana")
    stage.text()
    stage.route()
    message_id = stage.reply()
    stage.attempt(message_id)
    stage.settled(message_id, Outcome.REJECTED, detail="Hello is spam")
    see(stage)
    before = HistoryQueries(views).message(message_id)
    assert before is not None
    assert before.message.error_detail == "Hello is spam"
    stage.forget(CUSTOMER)
    see(stage)
    after = HistoryQueries(views).message(message_id)
    assert after is not None
    assert "Hello" not in repr(after)
    assert after.message.error_detail == after.attempts[0].detail == ERASED


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (
            "SELECT * FROM messages WHERE status = 'unrouted' AND (at, id) > (1, '') ORDER BY at, id",
            "messages_unrouted",
        ),
        ("SELECT * FROM messages WHERE media_missing > 0 ORDER BY sequence", "messages_without_media"),
        (
            "SELECT * FROM conversations WHERE closed = 0 AND outcome IN ('missed', 'refused')",
            "conversations_unanswered",
        ),
        (
            f"SELECT COUNT(*) FROM conversations WHERE mapping_code = 'X' AND {IS_OPEN}",  # noqa: S608
            "conversations_open",
        ),
        ("SELECT * FROM conversations ORDER BY started_at DESC, id DESC", "conversations_by_start"),
        (
            "SELECT * FROM waiting WHERE queue = 'X' ORDER BY ahead DESC, since, conversation_id",
            "waiting_in_order",
        ),
    ],
)
def test_what_is_asked_often_has_an_index(place: Place, views: Views, statement: str, index: str) -> None:
    plan = place.plan(views, statement)
    assert re.search(rf"\b{index}\b", plan)
    assert not re.search(r"\b(sort|temp)\b", plan, re.IGNORECASE)
