"""What dispatch still has to deal with."""

from datetime import timedelta
from uuid import UUID

import pytest

from domain.facts import Outcome, ReceiptStatus
from domain.mapping_settings import Route
from domain.message_values import REPLY_TIME, MessageStatus, Resolution
from domain.messages import Message
from projections.lanes import LaneQueries
from projections.views import Views
from tests.domain.given import ANA, CUSTOMER, MAPPING, MINUTE, OTHER, OURS, OURS_TOO, Stage
from tests.projections.conftest import See

MANY = 1000
SECOND = timedelta(seconds=1)
LISTED = ("requested", "postponed", "attempting", "in_doubt")


@pytest.fixture
def lanes(views: Views) -> LaneQueries:
    return LaneQueries(views)


@pytest.fixture
def busy(stage: Stage) -> Stage:
    """Ana has two customers; nothing automatic is sent."""
    stage.control(suppress_system_messages=True)
    stage.agent("ana")
    for customer in (CUSTOMER, OTHER):
        stage.text(customer=customer)
    stage.route()
    return stage


def say(stage: Stage, text: str, customer: str = CUSTOMER) -> UUID:
    conversation = stage.conversation(customer)
    return stage.desk.reply(ANA, conversation.id, text, (), f"{text}{customer}").result


def ready(lanes: LaneQueries, stage: Stage, limit: int = MANY) -> list[UUID]:
    return [each.message_id for each in lanes.ready(OURS, stage.now(), limit)]


def test_every_row_is_a_message_that_is_not_settled(lanes: LaneQueries, see: See, played: Stage) -> None:
    see(played)
    events = [each.event for each in played.store.read(0, played.store.head())]
    messages = [played.message(each.originator_id) for each in events if isinstance(each, Message.Requested)]
    live = {each.id: each.status for each in messages if each.status in LISTED}
    found: dict[UUID, MessageStatus] = {}
    for lane in lanes.lanes():
        found |= {each.message_id: each.status for each in lanes.ready(lane, played.now(), MANY)}
        found |= {each.message_id: each.status for each in lanes.attempting(lane)}
    found |= {each.message_id: each.status for each in lanes.in_doubt(played.now() - timedelta(days=1), MANY)}
    assert found.items() <= live.items()
    assert set(found.values()) == {MessageStatus.REQUESTED, MessageStatus.IN_DOUBT}


def test_the_first_of_every_thread_is_ready_in_the_order_of_requests(
    lanes: LaneQueries, see: See, busy: Stage
) -> None:
    one, _, three = say(busy, "1"), say(busy, "2"), say(busy, "3", OTHER)
    see(busy)
    assert ready(lanes, busy) == [one, three]
    assert ready(lanes, busy, 1) == [one]
    found = lanes.ready(OURS, busy.now(), 1)[0]
    conversation = busy.conversation()
    assert (found.lane, found.thread_id, found.conversation_id) == (OURS, busy.thread().id, conversation.id)
    assert (found.mapping_id, found.consent_id) == (
        conversation.terms.mapping_id,
        conversation.terms.consent_id,
    )
    assert (found.status, found.attempt, found.expires_at) == ("requested", 0, busy.now() + REPLY_TIME)


def test_one_send_in_flight_holds_its_thread_back(lanes: LaneQueries, see: See, busy: Stage) -> None:
    one, two = say(busy, "1"), say(busy, "2")
    busy.attempt(one)
    see(busy)
    assert ready(lanes, busy) == []
    [found] = lanes.attempting(OURS)
    assert (found.message_id, found.attempt, found.send_by) == (one, 1, busy.now() + MINUTE)
    busy.settled(one, Outcome.ACCEPTED)
    see(busy)
    assert ready(lanes, busy) == [two]
    assert lanes.attempting(OURS) == []


def test_one_is_overdue_once_it_should_have_begun(lanes: LaneQueries, see: See, busy: Stage) -> None:
    one, _ = say(busy, "1"), say(busy, "2", OTHER)
    busy.attempt(one)
    see(busy)
    send_by = busy.now() + MINUTE
    assert lanes.overdue(OURS, send_by) == []
    assert [each.message_id for each in lanes.overdue(OURS, send_by + SECOND)] == [one]
    busy.settled(one, Outcome.ACCEPTED)
    see(busy)
    assert lanes.overdue(OURS, send_by + SECOND) == []


def test_a_postponed_one_waits_and_holds_its_thread_back(lanes: LaneQueries, see: See, busy: Stage) -> None:
    one, _, other = say(busy, "1"), say(busy, "2"), say(busy, "3", OTHER)
    busy.attempt(one)
    busy.settled(one, Outcome.POSTPONED, retry_at=busy.now() + SECOND)
    see(busy)
    assert ready(lanes, busy) == [other]
    busy.clock.advance(SECOND)
    assert ready(lanes, busy) == [one, other]
    assert lanes.ready(OURS, busy.now(), 1)[0].attempt == 1


def test_a_postponed_one_without_a_time_may_go_at_once(lanes: LaneQueries, see: See, busy: Stage) -> None:
    one = say(busy, "1")
    busy.attempt(one)
    busy.settled(one, Outcome.POSTPONED)
    see(busy)
    assert ready(lanes, busy) == [one]


def test_one_in_doubt_holds_nothing_back(lanes: LaneQueries, see: See, busy: Stage) -> None:
    one, two = say(busy, "1"), say(busy, "2")
    busy.attempt(one)
    busy.settled(one, Outcome.IN_DOUBT)
    see(busy)
    assert ready(lanes, busy) == [two]
    [found] = lanes.in_doubt(busy.now(), MANY)
    assert (found.message_id, found.attempt, found.in_doubt_since) == (one, 1, busy.now())
    assert lanes.in_doubt(busy.now() + SECOND, MANY) == []


def test_a_resent_one_waits_for_a_later_one_in_flight(lanes: LaneQueries, see: See, busy: Stage) -> None:
    one, two = say(busy, "1"), say(busy, "2")
    busy.attempt(one)
    busy.settled(one, Outcome.IN_DOUBT)
    busy.attempt(two)
    busy.clock.advance(MINUTE)
    busy.attention.resolve(ANA, one, Resolution.RESEND, "asked")
    see(busy)
    assert ready(lanes, busy) == []
    busy.settled(two, Outcome.ACCEPTED)
    see(busy)
    assert ready(lanes, busy) == [one]
    found = lanes.ready(OURS, busy.now(), 1)[0]
    assert (found.expires_at, found.in_doubt_since) == (busy.now() + REPLY_TIME, None)


def test_one_whose_time_is_over_waits_for_its_expiry(lanes: LaneQueries, see: See, busy: Stage) -> None:
    say(busy, "1")
    busy.clock.advance(MINUTE)
    say(busy, "2")
    see(busy)
    busy.clock.advance(REPLY_TIME - MINUTE)
    assert ready(lanes, busy) == []


@pytest.mark.parametrize("outcome", [Outcome.REJECTED, Outcome.OPTED_OUT])
def test_one_given_up_is_gone(lanes: LaneQueries, see: See, busy: Stage, outcome: Outcome) -> None:
    one = say(busy, "1")
    busy.attempt(one)
    busy.settled(one, outcome)
    see(busy)
    assert lanes.lanes() == []


def test_a_receipt_settles_one_in_doubt(lanes: LaneQueries, see: See, busy: Stage) -> None:
    one = say(busy, "1")
    busy.attempt(one)
    busy.settled(one, Outcome.IN_DOUBT)
    busy.receipt(ReceiptStatus.SENT, message_id=one, attempt=1)
    see(busy)
    assert lanes.in_doubt(busy.now() - MINUTE, MANY) == []


def test_each_of_our_numbers_has_a_lane(lanes: LaneQueries, see: See, busy: Stage) -> None:
    busy.change(routes=(*MAPPING.routes, Route(OURS_TOO, "New", "SUPPORT")))
    say(busy, "1")
    busy.ingest(busy.text_fact("HELP me", "+14155550130", OURS_TOO))
    busy.catalogue.put_agent(  # more room
        ANA, "ana", busy.agent_now().settings.__class__("Ana", ("SUPPORT",), 5, 0), new=False
    )
    busy.route()
    conversation = busy.conversation("+14155550130")
    other = busy.desk.reply(ANA, conversation.id, "Hi", (), "other").result
    see(busy)
    assert lanes.lanes() == sorted([OURS, OURS_TOO])
    assert [each.message_id for each in lanes.ready(OURS_TOO, busy.now(), MANY)] == [other]
