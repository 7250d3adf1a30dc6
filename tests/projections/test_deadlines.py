"""When conversations have been idle, messages expire, agents count as lost, and long texts are given up."""

from datetime import datetime, timedelta

import pytest

from domain.agents import AgentStatus
from domain.facts import DeadlineKind, Outcome, ReceiptStatus
from domain.long_texts import PARTS_WAIT
from domain.message_values import REPLY_TIME, WAITING, Resolution
from domain.messages import Message
from projections.deadlines import Deadline, DeadlineQueries
from projections.views import Views
from tests.domain.given import ANA, CUSTOMER, MINUTE, OTHER, OURS, Stage
from tests.domain.given_smpp import long_text_id, part, parts
from tests.projections.conftest import See

FOREVER = timedelta(days=365)
GRACE = timedelta(seconds=30)


@pytest.fixture
def deadlines(views: Views) -> DeadlineQueries:
    return DeadlineQueries(views)


@pytest.fixture
def busy(stage: Stage) -> Stage:
    stage.agent("ana")
    stage.text()
    stage.route()
    return stage


def of(deadlines: DeadlineQueries, stage: Stage, kind: DeadlineKind) -> list[Deadline]:
    """Every deadline of a kind, due or not."""
    return [each for each in deadlines.due(stage.now() + FOREVER, 1000) if each.kind is kind]


def expiries(deadlines: DeadlineQueries, stage: Stage) -> dict[object, datetime]:
    """When agents' texts expire."""
    found = of(deadlines, stage, DeadlineKind.EXPIRY)
    return {each.subject_id: each.due_at for each in found if stage.message(each.subject_id).agent}


def test_the_deadlines_are_those_of_the_aggregates(
    deadlines: DeadlineQueries, see: See, played: Stage
) -> None:
    see(played)
    idle = {each.subject_id: each.due_at for each in of(deadlines, played, DeadlineKind.IDLE)}
    open_now = [each for each in played.lookups.conversations() if each.is_open]
    assert idle == {each.id: each.idle_due_at for each in open_now} != {}
    events = [each.event for each in played.store.read(0, played.store.head())]
    messages = [played.message(each.originator_id) for each in events if isinstance(each, Message.Requested)]
    expiry = {each.subject_id: each.due_at for each in of(deadlines, played, DeadlineKind.EXPIRY)}
    assert expiry == {each.id: each.expires_at for each in messages if each.status in WAITING} != {}


def test_an_idle_deadline_moves_with_every_text(deadlines: DeadlineQueries, see: See, busy: Stage) -> None:
    for write in (lambda: busy.text("More"), lambda: busy.reply("Hello")):
        busy.clock.advance(MINUTE)
        write()
        see(busy)
        [found] = of(deadlines, busy, DeadlineKind.IDLE)
        assert found == Deadline(
            DeadlineKind.IDLE, busy.thread().id, busy.conversation().id, busy.now() + 10 * MINUTE
        )


def test_an_idle_deadline_never_goes_back(deadlines: DeadlineQueries, see: See, busy: Stage) -> None:
    busy.clock.advance(MINUTE)
    busy.reply("From a clock that is ahead")
    busy.clock.advance(-MINUTE)
    busy.text("From one that is behind")
    see(busy)
    [found] = of(deadlines, busy, DeadlineKind.IDLE)
    assert found.due_at == busy.conversation().idle_due_at == busy.now() + 11 * MINUTE


def test_a_conversation_keeps_its_minutes(deadlines: DeadlineQueries, see: See, busy: Stage) -> None:
    busy.control(idle_timeout_minutes=3)
    busy.text("Old terms")
    busy.text("New terms", OTHER)
    see(busy)
    found = {each.subject_id: each.due_at - busy.now() for each in of(deadlines, busy, DeadlineKind.IDLE)}
    assert found == {
        busy.conversation().id: 10 * MINUTE,
        busy.conversation(OTHER).id: 3 * MINUTE,
    }


@pytest.mark.parametrize("how", ["end", "idle", "refused", "single"])
def test_what_is_over_has_no_idle_deadline(
    deadlines: DeadlineQueries, see: See, busy: Stage, how: str
) -> None:
    if how == "refused":
        busy.control(max_chats=1)
        busy.text("counts", "+14155550130")
        busy.text("too much", OTHER)
        over = busy.conversation(OTHER).id
    elif how == "single":
        over = busy.start(ANA, customer=OTHER, single=True).conversation_id
    elif how == "end":
        over = busy.conversation().id
        busy.desk.end(ANA, over, None)
    else:
        over = busy.conversation().id
        busy.clock.advance(10 * MINUTE)
        busy.idle()
    see(busy)
    assert over not in {each.subject_id for each in of(deadlines, busy, DeadlineKind.IDLE)}


def test_a_reply_expires_while_it_waits(deadlines: DeadlineQueries, see: See, busy: Stage) -> None:
    first = busy.reply()
    due = busy.now() + REPLY_TIME
    see(busy)
    assert expiries(deadlines, busy) == {first: due}
    busy.attempt(first)
    see(busy)
    assert expiries(deadlines, busy) == {}
    busy.settled(first, Outcome.POSTPONED)
    see(busy)
    assert expiries(deadlines, busy) == {first: due}
    busy.clock.advance(REPLY_TIME)
    busy.deadline(DeadlineKind.EXPIRY, first)
    see(busy)
    assert expiries(deadlines, busy) == {}


@pytest.mark.parametrize("outcome", [Outcome.ACCEPTED, Outcome.REJECTED, Outcome.OPTED_OUT, Outcome.IN_DOUBT])
def test_what_was_handed_over_or_given_up_does_not_expire(
    deadlines: DeadlineQueries, see: See, busy: Stage, outcome: Outcome
) -> None:
    first = busy.reply()
    busy.attempt(first)
    busy.settled(first, outcome)
    if outcome is Outcome.ACCEPTED:
        busy.receipt(ReceiptStatus.DELIVERED)
    see(busy)
    assert expiries(deadlines, busy) == {}


def test_a_resent_one_expires_at_its_new_time(deadlines: DeadlineQueries, see: See, busy: Stage) -> None:
    first = busy.reply()
    busy.attempt(first)
    busy.settled(first, Outcome.IN_DOUBT)
    busy.clock.advance(MINUTE)
    busy.attention.resolve(ANA, first, Resolution.RESEND, "asked")
    see(busy)
    assert expiries(deadlines, busy) == {first: busy.now() + REPLY_TIME}


def test_a_suppressed_one_never_expires(deadlines: DeadlineQueries, see: See, stage: Stage) -> None:
    stage.control(suppress_system_messages=True)
    stage.agent("ana")
    stage.text()
    stage.route()
    see(stage)
    assert len(stage.automatic()) == 1
    assert of(deadlines, stage, DeadlineKind.EXPIRY) == []


def test_an_agent_is_lost_when_no_desk_comes_back(deadlines: DeadlineQueries, see: See, busy: Stage) -> None:
    agent_id = busy.ids.agent("ana")
    busy.desk.connect("ana")
    busy.desk.disconnect("ana", GRACE)
    see(busy)
    expected = Deadline(DeadlineKind.AGENT_LOST, agent_id, agent_id, busy.now() + GRACE)
    assert of(deadlines, busy, DeadlineKind.AGENT_LOST) == [expected]
    busy.desk.connect("ana")
    see(busy)
    assert of(deadlines, busy, DeadlineKind.AGENT_LOST) == []


def test_a_lost_agent_is_lost_once(deadlines: DeadlineQueries, see: See, busy: Stage) -> None:
    busy.desk.connect("ana")
    busy.desk.disconnect("ana", GRACE)
    busy.clock.advance(GRACE)
    busy.deadline(DeadlineKind.AGENT_LOST, busy.ids.agent("ana"))
    see(busy)
    assert busy.agent_now().status is AgentStatus.OFFLINE
    assert of(deadlines, busy, DeadlineKind.AGENT_LOST) == []


def test_who_is_offline_with_nothing_in_hand_cannot_be_lost(
    deadlines: DeadlineQueries, see: See, stage: Stage
) -> None:
    stage.agent("ana", status=AgentStatus.OFFLINE)
    stage.desk.connect("ana")
    stage.desk.disconnect("ana", GRACE)
    see(stage)
    assert of(deadlines, stage, DeadlineKind.AGENT_LOST) == []
    stage.start(ANA)
    see(stage)
    assert len(of(deadlines, stage, DeadlineKind.AGENT_LOST)) == 1


# ── long texts ─────────────────────────────────────────────────────────────────────────────────────


def test_parts_are_waited_for_from_the_first_one(deadlines: DeadlineQueries, see: See, stage: Stage) -> None:
    first, second, third = parts(stage, "a", "b", "c")
    began = stage.now()
    for fact in (first, second):
        stage.ingest(fact)
        stage.clock.advance(MINUTE)
        see(stage)
        expected = Deadline(
            DeadlineKind.PARTS,
            stage.ids.thread(OURS, CUSTOMER),
            long_text_id(stage, first),
            began + PARTS_WAIT,
        )
        assert of(deadlines, stage, DeadlineKind.PARTS) == [expected]
        assert deadlines.next_due() == began + PARTS_WAIT
    stage.ingest(third)
    see(stage)
    assert of(deadlines, stage, DeadlineKind.PARTS) == []


@pytest.mark.parametrize("at_once", [True, False])
def test_the_next_text_with_the_same_reference_has_a_time_of_its_own(
    deadlines: DeadlineQueries, see: See, stage: Stage, at_once: bool
) -> None:
    stage.ingest(part(stage, 1, "a"))
    if not at_once:
        see(stage)
    stage.clock.advance(MINUTE)
    stage.ingest(part(stage, 1, "b"))
    see(stage)
    [found] = of(deadlines, stage, DeadlineKind.PARTS)
    assert found.due_at == stage.now() + PARTS_WAIT


def test_only_what_is_due_is_due_the_most_overdue_first(
    deadlines: DeadlineQueries, see: See, stage: Stage
) -> None:
    stage.text(customer=CUSTOMER)
    stage.clock.advance(MINUTE)
    stage.text(customer=OTHER)
    see(stage)
    first = stage.now() + 9 * MINUTE
    assert deadlines.next_due() == first
    assert deadlines.due(first - timedelta(microseconds=1), 10) == []
    assert [each.due_at for each in deadlines.due(first, 10)] == [first]
    assert [each.due_at for each in deadlines.due(first + MINUTE, 10)] == [first, first + MINUTE]
    assert len(deadlines.due(first + MINUTE, 1)) == 1


def test_where_nothing_can_fall_due_there_is_no_next(deadlines: DeadlineQueries, see: See) -> None:
    see(Stage())
    assert deadlines.next_due() is None
