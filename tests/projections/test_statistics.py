"""Counts by the hour, mapping, number, queue and agent."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.conversations import EndOutcome
from domain.facts import Outcome
from projections.statistics import Counted, Dimension, StatisticsQueries
from projections.views import Views
from tests.domain.given import ADMIN, ANA, MINUTE, OTHER, OURS, Stage
from tests.fakes.clock import START
from tests.projections.conftest import See

HOUR = timedelta(hours=1)
EVERYTHING = Counted()


@pytest.fixture
def statistics(views: Views) -> StatisticsQueries:
    return StatisticsQueries(views)


@pytest.fixture
def served(stage: Stage) -> Stage:
    """A customer waits two minutes, is answered after one more, and served for five; it began at 9:50."""
    stage.control(suppress_system_messages=True)
    stage.clock.advance(50 * MINUTE)
    stage.text()
    stage.clock.advance(2 * MINUTE)
    stage.agent("ana")
    stage.route()
    stage.clock.advance(MINUTE)
    stage.reply("Hello")
    stage.reply("Again", key="k2")
    stage.clock.advance(4 * MINUTE)
    stage.text("Thanks")
    stage.clock.advance(5 * MINUTE)
    stage.desk.end(ANA, stage.conversation().id, None)
    return stage


def test_a_conversation_is_counted_step_by_step(
    statistics: StatisticsQueries, see: See, served: Stage
) -> None:
    see(served)
    [all_of_it] = statistics.by_hour(EVERYTHING, ())
    assert (all_of_it.started, all_of_it.handled, all_of_it.missed, all_of_it.refused) == (1, 1, 0, 0)
    assert (all_of_it.inbound, all_of_it.outbound) == (2, 2)
    assert (all_of_it.assigned, all_of_it.waited_seconds) == (1, 120)
    assert (all_of_it.responded, all_of_it.response_seconds) == (1, 180)
    assert (all_of_it.handling_seconds, all_of_it.idle_ended) == (600, 0)
    assert (all_of_it.hour, all_of_it.queue, all_of_it.agent) == (None, None, None)


def test_what_is_ended_by_hand_without_an_answer_is_missed(
    statistics: StatisticsQueries, see: See, stage: Stage
) -> None:
    stage.text()
    stage.desk.end(ADMIN, stage.conversation().id, None)
    see(stage)
    [all_of_it] = statistics.by_hour(EVERYTHING, ())
    assert (all_of_it.handled, all_of_it.missed) == (0, 1)


def test_each_is_counted_in_the_hour_in_which_it_happened(
    statistics: StatisticsQueries, see: See, served: Stage
) -> None:
    see(served)
    nine, ten = START, START + HOUR
    assert nine == datetime(2026, 3, 2, 9, tzinfo=UTC)
    hours = statistics.by_hour(EVERYTHING, [Dimension.HOUR])
    assert [(each.hour, each.started, each.inbound, each.handled) for each in hours] == [
        (nine, 1, 2, 0),
        (ten, 0, 0, 1),
    ]
    assert [each.hour for each in statistics.by_hour(Counted(since=ten), [Dimension.HOUR])] == [ten]
    assert [each.hour for each in statistics.by_hour(Counted(until=ten), [Dimension.HOUR])] == [nine]


def test_agents_and_queues_are_told_apart(statistics: StatisticsQueries, see: See, served: Stage) -> None:
    served.text("Nobody there?", OTHER)
    served.desk.transfer_to_queue(ADMIN, served.conversation(OTHER).id, "SALES")
    served.clock.advance(10 * MINUTE)
    served.idle(served.conversation(OTHER).id)
    see(served)
    queues = {each.queue: each for each in statistics.by_hour(EVERYTHING, [Dimension.QUEUE])}
    assert (queues["SUPPORT"].handled, queues["SALES"].missed, queues["SALES"].idle_ended) == (1, 1, 1)
    agents = {each.agent: each for each in statistics.by_hour(EVERYTHING, [Dimension.AGENT])}
    assert (agents["ana"].handled, agents["ana"].outbound, agents["ana"].handling_seconds) == (1, 2, 600)
    assert (agents[""].started, agents[""].missed) == (2, 1)
    [only] = statistics.by_hour(Counted(queue="SALES", number=OURS), [Dimension.NUMBER])
    assert (only.number, only.missed) == (OURS, 1)
    mapping_id = served.ids.mapping("TW")
    [mapping] = statistics.by_hour(Counted(mapping_id=mapping_id), [Dimension.MAPPING])
    assert (mapping.mapping_id, mapping.started) == (mapping_id, 2)
    assert statistics.by_hour(Counted(agent="nobody"), [Dimension.AGENT]) == []
    assert statistics.by_hour(Counted(agent="nobody"), ()) == []


def test_time_in_hand_belongs_to_whoever_had_it(
    statistics: StatisticsQueries, see: See, stage: Stage
) -> None:
    stage.agent("ana")
    stage.text()
    stage.route()
    stage.agent("ben")
    stage.clock.advance(MINUTE)
    stage.desk.transfer_to_agent(ANA, stage.conversation().id, "ben")
    stage.clock.advance(2 * MINUTE)
    stage.desk.transfer_to_queue(ADMIN, stage.conversation().id, "SALES")
    stage.clock.advance(4 * MINUTE)
    see(stage)
    agents = statistics.by_hour(EVERYTHING, [Dimension.AGENT])
    assert {each.agent: each.handling_seconds for each in agents} == {"": 0, "ana": 60, "ben": 120}


def test_what_is_refused_keywords_and_suppressed_count_as_such(
    statistics: StatisticsQueries, see: See, stage: Stage
) -> None:
    stage.control(max_chats=1, suppress_system_messages=True, max_chats_message="")
    stage.agent("ana")
    stage.text("First", OTHER)
    stage.route()
    stage.text("Too much")
    stage.text("HELP", "+14155550130")
    see(stage)
    [found] = statistics.by_hour(EVERYTHING, ())
    assert (found.started, found.refused, found.inbound, found.outbound) == (2, 1, 3, 0)


def test_an_agents_own_start_is_no_response(statistics: StatisticsQueries, see: See, stage: Stage) -> None:
    stage.agent("ana")
    started = stage.start(ANA)
    stage.attempt(started.message_id)
    stage.settled(started.message_id, Outcome.ACCEPTED)
    see(stage)
    [found] = statistics.by_hour(EVERYTHING, ())
    assert (found.started, found.responded, found.assigned, found.outbound) == (1, 0, 0, 1)


def test_every_end_of_the_day_is_counted(statistics: StatisticsQueries, see: See, played: Stage) -> None:
    see(played)
    [found] = statistics.by_hour(EVERYTHING, ())
    ends = [each.outcome for each in played.lookups.conversations()]
    assert found.started == len(ends)
    expected = [ends.count(each) for each in (EndOutcome.HANDLED, EndOutcome.MISSED, EndOutcome.REFUSED)]
    assert [found.handled, found.missed, found.refused] == expected
    assert 0 not in expected
