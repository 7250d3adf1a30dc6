"""Sending: order, rate, retries, expiry and consent at the last moment (rules 6 to 8)."""

from datetime import timedelta
from typing import Any

import pytest

from contracts.far_end import Fault
from domain.ports import Unit
from tests.flows.pools import HeldPool
from tests.flows.stage import CUSTOMER, OTHER_CUSTOMER, SALES, SUPPORT, Agent, Stage, ingest_all
from workers.dispatch import Dispatch, LaneLeases
from workers.inline import InlineExecutor


def outcomes(stage: Stage, message: Any) -> list[str]:
    return [each["outcome"] for each in stage.message(message)["attempts"]]


# ── retries and refusals ───────────────────────────────────────────────────────────────────────


def test_what_the_provider_throttles_goes_a_little_later(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Hello")
    stage.twilio.fail_next(Fault.THROTTLED)
    reply = ana.reply(stage.conversation(), "Hi!")
    assert (stage.message(reply)["status"], stage.ledger()) == ("postponed", [])
    stage.pass_seconds(2)
    assert stage.ledger() == ["Hi!"]
    assert outcomes(stage, reply) == ["postponed", "accepted"]


def test_where_nobody_can_be_reached_it_is_tried_again(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Hello")
    there = stage.twilio.url
    stage.modify(options={"api_base": "http://127.0.0.1:9"})
    reply = ana.reply(stage.conversation(), "Hi!")
    assert stage.message(reply)["status"] == "postponed"
    stage.modify(options={"api_base": there})
    stage.pass_seconds(2)
    assert (stage.ledger(), outcomes(stage, reply)) == (["Hi!"], ["postponed", "accepted"])


def test_what_the_provider_refuses_is_not_tried_again(stage: Stage, ana: Agent) -> None:
    started = ana.start("+15005550009", "Hello", single=True)
    told = stage.message(started["message"])
    assert (told["status"], told["error_code"]) == ("rejected", "21614")
    assert "+15005550009" not in told["error_detail"]
    stage.pass_minutes(20)
    assert (stage.ledger(), outcomes(stage, told)) == ([], ["rejected"])


def test_a_reply_that_could_not_go_in_its_time_expires_and_its_agent_is_told(
    stage: Stage, ana: Agent
) -> None:
    stage.modify(chat_control={"idle_timeout_minutes": 60})
    stage.text(CUSTOMER, "Hello")
    stage.twilio.fail_next(Fault.THROTTLED, 1000)
    reply = ana.reply(stage.conversation(), "Hi!")
    stage.pass_minutes(14.5)
    assert stage.message(reply)["status"] == "postponed"
    stage.pass_minutes(0.5)
    (told,) = [each for each in ana.get("/desk")["conversations"][0]["messages"] if each["agent"]]
    assert (told["text"], told["status"]) == ("Hi!", "expired")
    stage.twilio.heal()
    ana.reply(stage.conversation(), "Sorry for the delay")
    stage.pass_minutes(5)
    assert stage.ledger() == ["Sorry for the delay"]


# ── order and rate ─────────────────────────────────────────────────────────────────────────────


def test_a_conversation_keeps_its_order_while_its_head_is_postponed(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Hello")
    stage.text(OTHER_CUSTOMER, "Hello")
    stage.twilio.fail_next(Fault.THROTTLED)
    for text in ("one", "two", "three"):
        ana.reply(stage.conversation(CUSTOMER), text)
    ana.reply(stage.conversation(OTHER_CUSTOMER), "to somebody else")
    assert stage.ledger() == ["to somebody else"]
    stage.pass_seconds(2)
    assert stage.ledger() == ["to somebody else", "one", "two", "three"]


def test_each_number_keeps_its_rate(stage: Stage, ana: Agent) -> None:
    stage.modify(options={"segments_per_second": 1})
    for number in range(5):
        ana.start(f"+120255501{40 + number}", f"text {number}", single=True)
    ana.start(CUSTOMER, "from the other number", single=True, origin="Sales")
    assert stage.ledger() == ["text 0", "from the other number"]
    for sent in range(2, 6):
        stage.pass_seconds(1)
        assert len(stage.ledger()) == sent + 1


def test_the_rate_counts_segments(stage: Stage, ana: Agent) -> None:
    stage.modify(options={"segments_per_second": 1})
    ana.start("+12025550140", "x" * 400, single=True)  # three segments
    ana.start("+12025550141", "after them", single=True)
    stage.pass_seconds(2, every=1)
    assert len(stage.ledger()) == 1
    stage.pass_seconds(1)
    assert stage.ledger()[1:] == ["after them"]


def test_what_waits_for_the_rate_keeps_its_order(stage: Stage, ana: Agent) -> None:
    stage.modify(options={"segments_per_second": 0.5})
    stage.text(CUSTOMER, "Hello")
    texts = ["one", "two", "three", "four"]
    for text in texts:
        ana.reply(stage.conversation(), text)
    stage.pass_seconds(20, every=0.5)
    assert stage.ledger() == texts


# ── at the last moment ─────────────────────────────────────────────────────────────────────────


def pool_with(stage: Stage, digit: str) -> None:
    """The numbers join another Messaging Service; a conversation keeps the sender scope it began with."""
    service = "MG" + digit * 32
    stage.twilio.services[service] = {SUPPORT, SALES}
    stage.modify(options={"messaging_service": service})


@pytest.mark.parametrize("moved", [False, True])
def test_who_opts_out_before_a_text_could_go_does_not_get_it(stage: Stage, ana: Agent, moved: bool) -> None:
    pool_with(stage, "0")
    stage.text(CUSTOMER, "Hello")
    stage.twilio.fail_next(Fault.THROTTLED)
    reply = ana.reply(stage.conversation(), "Hi!")
    if moved:
        pool_with(stage, "1")
    stage.text(CUSTOMER, "STOP")
    stage.pass_seconds(30)
    assert (stage.message(reply)["status"], stage.ledger()) == ("blocked", [])


@pytest.mark.parametrize("moved", [False, True])
def test_an_opt_out_between_the_check_and_the_intent_is_heeded(
    stage: Stage, ana: Agent, monkeypatch: pytest.MonkeyPatch, moved: bool
) -> None:
    pool_with(stage, "0")
    stage.text(CUSTOMER, "Hello")
    if moved:
        pool_with(stage, "1")
    save, stopped = stage.platform.store.save, False

    def stop_comes_first(unit: Unit) -> int:
        nonlocal stopped
        if unit.lease is not None and not stopped:
            stopped = True
            stage.text(CUSTOMER, "STOP", settle=False)
            ingest_all(stage)
        return save(unit)

    monkeypatch.setattr(stage.platform.store, "save", stop_comes_first)
    reply = ana.reply(stage.conversation(), "Hi!")
    assert stopped
    assert (stage.message(reply)["status"], stage.ledger()) == ("blocked", [])


def test_an_attempt_whose_turn_comes_too_late_is_not_made(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Hello")
    pool = HeldPool()
    stage.restart(pool)
    ana = stage.signed_in("ana")
    reply = ana.reply(stage.conversation(), "Hi!")
    stage.clock.move(timedelta(seconds=10))
    pool.let_go()
    stage.settle()
    assert stage.ledger() == []
    pool.let_go()  # the next attempt, under an intent of its own
    stage.settle()
    assert (stage.ledger(), outcomes(stage, reply)) == (["Hi!"], ["postponed", "accepted"])


# ── a lane has one owner ───────────────────────────────────────────────────────────────────────


def dispatcher(stage: Stage, owner: str) -> Dispatch:
    """Another process's dispatcher."""
    here = stage.platform
    leases = LaneLeases(here.leases, here.clock, owner)
    return Dispatch(
        here.views,
        here.store,
        here.ingress,
        here.clock,
        here.sender,
        here.sittings,
        leases,
        InlineExecutor(),
    )


def test_another_dispatcher_keeps_out_of_a_leased_lane(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Hello")
    stage.twilio.fail_next(Fault.THROTTLED)
    ana.reply(stage.conversation(), "Hi!")  # the platform's own has the lane from now
    stage.clock.move(timedelta(seconds=3))
    assert dispatcher(stage, "another").step() is False
    assert stage.ledger() == []
    stage.clock.move(timedelta(seconds=13))  # its lease is over
    assert dispatcher(stage, "another").step() is True
    stage.settle()
    assert stage.ledger() == ["Hi!"]


def test_a_dispatcher_that_lost_its_lane_unawares_sends_nothing(
    stage: Stage, ana: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.text(CUSTOMER, "Hello")
    stage.twilio.fail_next(Fault.THROTTLED)
    ana.reply(stage.conversation(), "Hi!")
    stage.clock.move(timedelta(seconds=16))
    zombie, other = dispatcher(stage, "zombie"), dispatcher(stage, "other")
    save, overtaken = stage.platform.store.save, False

    def sleep_through_the_lease(unit: Unit) -> int:
        nonlocal overtaken
        if unit.lease is not None and unit.lease.owner == "zombie":
            stage.clock.move(timedelta(seconds=16))
            overtaken = other.step()
        return save(unit)

    monkeypatch.setattr(stage.platform.store, "save", sleep_through_the_lease)
    sent_by_zombie = zombie.step()
    stage.settle()
    assert overtaken
    assert stage.ledger() == ["Hi!"]
    assert sent_by_zombie is not None
    assert zombie._flying == {}
