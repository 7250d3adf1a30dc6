"""Dispatch: the rate of a number, counted in segments."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.flows.pools import LostPool
from tests.flows.stage import CUSTOMER, OTHER_CUSTOMER, Agent, Stage
from workers.dispatch import _Rate

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def sent_in(seconds: int, per_second: float, segments: int) -> int:
    """How many messages of so many segments go within a time, asked ten times a second."""
    rate = _Rate(per_second, per_second, NOW)
    moments = [NOW + timedelta(seconds=tenth / 10) for tenth in range(seconds * 10)]
    return sum(rate.take(segments, moment) for moment in moments)


@pytest.mark.parametrize(
    ("per_second", "segments", "expected"),
    [(1, 1, 60), (1, 3, 20), (10, 1, 600), (10, 3, 200), (0.5, 1, 30), (0.1, 1, 6), (3, 2, 90), (0.1, 2, 3)],
)
def test_in_a_minute_goes_what_the_rate_allows(per_second: float, segments: int, expected: int) -> None:
    assert sent_in(60, per_second, segments) == pytest.approx(expected, abs=max(1, per_second))


def test_after_a_pause_a_seconds_worth_goes_at_once_and_no_more() -> None:
    rate = _Rate(5, 5, NOW)
    later = NOW + timedelta(hours=1)
    assert [rate.take(1, later) for _ in range(7)] == [True] * 5 + [False] * 2


def test_what_flies_is_not_sent_again_by_the_next_step(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Hello")
    stage.restart(LostPool())
    stage.signed_in("ana").reply(stage.conversation(), "Hi!")
    stage.pass_minutes(5)  # its answer never comes; its own process knows that it is under way
    (reply,) = [each for each in stage.conversation()["messages"] if each["agent"]]
    assert (reply["status"], reply["attempt"]) == ("attempting", 1)


def test_a_lane_runs_many_conversations_at_once(stage: Stage, ana: Agent) -> None:
    for customer in (CUSTOMER, OTHER_CUSTOMER):
        stage.text(customer, "Hello")
    stage.restart(LostPool())
    ana = stage.signed_in("ana")
    for customer in (CUSTOMER, OTHER_CUSTOMER):
        for text in ("one", "two"):
            ana.reply(stage.conversation(customer), text)
    for customer in (CUSTOMER, OTHER_CUSTOMER):
        mine = [each["status"] for each in stage.conversation(customer)["messages"] if each["agent"]]
        assert mine == ["attempting", "requested"]  # one send in flight for each
