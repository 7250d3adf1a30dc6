"""Sending: what comes of messages that are handed over together, and how many are."""

from datetime import datetime
from uuid import UUID

import pytest

from domain.errors import LogUnavailable
from domain.facts import Outcome, SendSettled
from domain.providers import Account, OptedOut, OutboundMessage, Rejected, SendError
from tests.fakes.provider import FakeCarrier
from tests.flows.stage import CUSTOMER, SUPPORT, Stage
from workers.dispatch import SEND_BY, _flights
from workers.sending import Attempt, Line


def line(carrier: FakeCarrier) -> Line:
    account = Account(UUID(int=9), "FAKE-1", {}, {}, (SUPPORT,), "US", "")
    return Line(account, carrier, "fake:FAKE-1", can_find=False)


def attempt(number: int, by: Line, send_by: datetime) -> Attempt:
    message = OutboundMessage(UUID(int=number), 1, SUPPORT, CUSTOMER, f"text {number}")
    return Attempt(UUID(int=0), by, message, send_by)


def attempts(stage: Stage, many: int, carrier: FakeCarrier) -> list[Attempt]:
    by, send_by = line(carrier), stage.clock.now() + SEND_BY
    return [attempt(number, by, send_by) for number in range(1, 1 + many)]


class Buggy(FakeCarrier):
    """Fails at the first message, and not with a SendError."""

    def __init__(self) -> None:
        super().__init__()
        self.failures: list[SendError] = [ZeroDivisionError()]  # type: ignore[list-item]


def test_each_is_told_by_itself(stage: Stage) -> None:
    carrier = FakeCarrier()
    carrier.failures = [Rejected("too rude", "30007"), OptedOut("no more")]
    told = list(stage.platform.sender.send(attempts(stage, 3, carrier)))
    assert [[each.outcome for each in some] for some in told] == [
        [Outcome.REJECTED],
        [Outcome.OPTED_OUT],
        [Outcome.ACCEPTED],
    ]
    assert [each.text for each in carrier.sent] == ["text 3"]


def test_what_comes_too_late_is_not_handed_over(stage: Stage) -> None:
    carrier = FakeCarrier()
    late, in_time = attempts(stage, 2, carrier)
    late = attempt(1, late.line, stage.clock.now())
    told = [each for some in stage.platform.sender.send([late, in_time]) for each in some]
    assert [(each.message_id.int, each.outcome) for each in told] == [
        (1, Outcome.POSTPONED),
        (2, Outcome.ACCEPTED),
    ]
    assert [each.text for each in carrier.sent] == ["text 2"]


def test_a_carriers_bug_leaves_its_message_in_doubt_and_no_other(stage: Stage) -> None:
    told = [each for some in stage.platform.sender.send(attempts(stage, 2, Buggy())) for each in some]
    assert [each.outcome for each in told] == [Outcome.IN_DOUBT, Outcome.ACCEPTED]
    assert "ZeroDivisionError" in told[0].detail


@pytest.mark.parametrize(
    ("at_once", "together"), [(1, [1, 1, 1, 1, 1]), (2, [2, 1, 2]), (3, [3, 2]), (50, [3, 2])]
)
def test_as_many_fly_together_as_the_carrier_takes(at_once: int, together: list[int], stage: Stage) -> None:
    one, other = FakeCarrier(), FakeCarrier()
    one.at_once = other.at_once = at_once
    flights = list(_flights([*attempts(stage, 3, one), *attempts(stage, 2, other)]))
    assert [len(each) for each in flights] == together
    assert [{id(each.line.carrier) for each in flight} for flight in flights] == [
        {id(flight[0].line.carrier)} for flight in flights
    ]


def test_outcomes_that_cannot_be_kept_cost_no_others(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[SendSettled] = []

    def refusing_the_first(facts: list[SendSettled]) -> None:
        if facts[0].message_id.int == 1:
            raise LogUnavailable("the disk is full")
        kept.extend(facts)

    monkeypatch.setattr(stage.platform.ingress, "accept", refusing_the_first)
    stage.platform.dispatch()._fly(attempts(stage, 3, FakeCarrier()))
    assert [each.message_id.int for each in kept] == [2, 3]
