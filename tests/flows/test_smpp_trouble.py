"""What goes wrong by SMPP: answers and acknowledgements get lost, connections end, the log is away."""

import logging
from collections.abc import Sequence
from typing import Any

import pytest

from adapters.smpp.pdu import Status
from contracts.providers import wait_until
from domain.errors import LogUnavailable
from tests.fakes.smsc import Smsc
from tests.fakes.smsc_faults import (
    DropsInTheMiddle,
    LateResponse,
    LosesAcknowledgements,
    ResetsAfterTaking,
    ResetsBeforeTaking,
    Silent,
    SubmitFailed,
    Throttled,
    UnbindsItself,
)
from tests.fakes.smsc_link import Fault
from tests.flows.smpp_line import CODE, OURS, Line
from tests.flows.stage import CUSTOMER, TICK, Agent, Stage
from tests.flows.traces import places_with

WIRE_OURS, WIRE_CUSTOMER = OURS.removeprefix("+"), CUSTOMER.removeprefix("+")
SECRET = "S3cr!tX9"

# ── sends whose answer is lost (rule 6) ────────────────────────────────────────────────────────


@pytest.mark.parametrize("fault", [ResetsAfterTaking, ResetsBeforeTaking, DropsInTheMiddle])
def test_a_connection_that_drops_leaves_a_send_in_doubt_until_a_person_decides(
    line: Line, ana: Agent, fault: type[Fault]
) -> None:
    line.text("Hello")
    line.smsc.misbehave(fault())
    reply = line.in_doubt(ana)
    line.stands(2)
    went = line.ledger()
    ana.reply(line.stage.conversation(), "And the door is open")
    line.stage.pass_minutes(30)
    assert line.ledger() == [*went, "And the door is open"]
    for who in (ana, line.stage.admin):
        assert [each["id"] for each in who.get("/in-doubt")["items"]] == [reply["id"]]
    ana.resolve(reply, "resend", why="the customer says nothing came")
    assert line.ledger() == [*went, "And the door is open", "Your code is 4711"]
    told = line.stage.message(reply)
    assert [each["outcome"] for each in told["attempts"]] == ["in_doubt", "accepted"]


@pytest.mark.parametrize(("resolution", "status"), [("sent", "sent"), ("drop", "dropped")])
def test_a_person_can_also_leave_it_at_that(line: Line, ana: Agent, resolution: str, status: str) -> None:
    line.text("Hello")
    line.smsc.misbehave(Silent())
    reply = line.in_doubt(ana)
    ana.resolve(reply, resolution)
    line.stage.pass_minutes(5)
    assert (line.stage.message(reply)["status"], line.ledger()) == (status, [])


def test_an_answer_that_comes_late_settles_it(line: Line, ana: Agent) -> None:
    line.text("Hello")
    line.smsc.misbehave(LateResponse())
    reply = line.in_doubt(ana)
    line.smsc.let_go()

    def is_accepted() -> bool:
        line.stage.settle()
        return bool(line.stage.message(reply)["status"] == "accepted")

    wait_until(is_accepted)
    assert ana.get("/in-doubt")["items"] == []
    line.receipt(line.smsc.taken[0])
    assert line.stage.message(reply)["status"] == "delivered"
    assert line.ledger() == ["Your code is 4711"]


def test_a_receipt_whose_answer_was_lost_is_kept_and_settles_nothing(line: Line, ana: Agent) -> None:
    """SMPP gives no name of ours back: nobody knows whose receipt it is."""
    line.text("Hello")
    line.smsc.misbehave(ResetsAfterTaking())
    reply = line.in_doubt(ana)
    line.stands(2)
    line.receipt(line.smsc.taken[0])
    line.stage.pass_minutes(5)
    assert line.stage.message(reply)["status"] == "in_doubt"


def test_of_a_long_text_that_was_cut_off_it_is_told_how_much_went(line: Line, ana: Agent) -> None:
    line.text("Hello")
    line.smsc.misbehave(ResetsBeforeTaking(after=1))
    reply = line.in_doubt(ana, "0123456789" * 40)
    assert reply["attempts"][0]["detail"].startswith("part 1 of 3 went; ")
    assert len(line.smsc.taken) == 1


def test_what_was_never_written_waits_and_goes(line: Line, ana: Agent) -> None:
    line.text("Hello")
    line.smsc.refuse()
    line.smsc.drop()
    wait_until(lambda: "reconnecting" in line.words)
    reply = ana.reply(line.stage.conversation(), "Soon")
    assert line.stage.message(reply)["attempts"] == []
    line.smsc.accept()
    line.stands(2)
    line.stage.pass_seconds(3, every=1)
    assert line.ledger() == ["Soon"]


def test_it_goes_on_when_the_smsc_unbinds(line: Line, ana: Agent) -> None:
    line.smsc.misbehave(UnbindsItself())
    ana.start(CUSTOMER, "First", origin="Text line")
    line.stands(2)
    line.text("Second")
    assert line.stage.said() == [("agent", "First"), ("customer", "Second")]


# ── acknowledgements that are lost (rule 5) ────────────────────────────────────────────────────


def test_a_text_that_comes_again_because_its_acknowledgement_was_lost_is_one(line: Line, ana: Agent) -> None:
    line.smsc.misbehave(LosesAcknowledgements(2))
    line.text("Hello")
    assert line.smsc.deliveries[0].sent == 3
    assert line.stage.said() == [("customer", "Hello")]


def test_equal_texts_that_are_both_real_are_two(line: Line, ana: Agent) -> None:
    line.text("Ok")
    line.text("Ok")
    assert line.stage.said() == [("customer", "Ok")] * 2


@pytest.mark.parametrize("acknowledged", [0, 1])
def test_equal_texts_whose_acknowledgements_are_lost_are_still_two(
    line: Line, ana: Agent, acknowledged: int
) -> None:
    line.smsc.misbehave(LosesAcknowledgements(after=acknowledged))
    line.taken_in(*[line.smsc.send_text(WIRE_CUSTOMER, WIRE_OURS, "Ok") for _ in range(2)])
    assert line.stage.said() == [("customer", "Ok")] * 2


def test_a_lost_acknowledgement_is_remembered_over_a_restart(line: Line, ana: Agent) -> None:
    line.smsc.misbehave(LosesAcknowledgements())
    line.smsc.refuse()
    delivery = line.smsc.send_text(WIRE_CUSTOMER, WIRE_OURS, "Hello")
    line.smsc.wait_until(lambda: line.smsc.bound == 0)
    line.stage.restart()
    line.smsc.accept()
    line.bound()
    line.taken_in(delivery)
    assert delivery.sent == 2
    assert line.stage.said() == [("customer", "Hello")]


def test_parts_that_come_again_make_one_text(line: Line, ana: Agent) -> None:
    text = "a" * 66 + "b" * 66 + "c" * 66
    line.smsc.misbehave(LosesAcknowledgements(after=1))
    line.long_text(text)
    assert any(each.sent == 2 for each in line.smsc.deliveries)
    assert line.stage.said() == [("customer", text)]


# ── nothing is acknowledged that is not durable ────────────────────────────────────────────────


class Away:
    """A log that is away for so many appends; `keeps`: what it could not promise, it kept all the same."""

    def __init__(self, stage: Stage, monkeypatch: pytest.MonkeyPatch, *, keeps: bool) -> None:
        self.appends = 0
        log = stage.platform.ingress._log
        append = log.append

        def refusing(records: Sequence[Any]) -> object:
            if self.appends == 0:
                return append(records)
            self.appends -= 1
            if keeps:
                append(records)
            raise LogUnavailable("the log is away")

        monkeypatch.setattr(log, "append", refusing)


@pytest.mark.parametrize("keeps", [False, True])
def test_while_the_log_is_away_the_smsc_keeps_a_text_and_then_it_comes_once(
    line: Line, ana: Agent, monkeypatch: pytest.MonkeyPatch, keeps: bool
) -> None:
    away = Away(line.stage, monkeypatch, keeps=keeps)
    away.appends = 2
    line.stage.clock.move(TICK)
    delivery = line.smsc.send_text(WIRE_CUSTOMER, WIRE_OURS, "Hello")
    for times in (1, 2):
        line.smsc.wait_until(lambda times=times: len(delivery.answers) == times)  # type: ignore[misc]
        line.stage.pass_seconds(60)
        line.smsc.redeliver()
    line.taken_in(delivery)
    assert delivery.answers == [Status.SYSTEM_ERROR, Status.SYSTEM_ERROR, Status.OK]
    assert line.stage.said() == [("customer", "Hello")]
    assert line.smsc.connections == 1
    line.text("Hello")  # another, which says the same
    assert line.stage.said() == [("customer", "Hello")] * 2


@pytest.mark.parametrize("keeps", [False, True])
def test_while_the_log_is_away_parts_are_kept_by_the_smsc(
    line: Line, ana: Agent, monkeypatch: pytest.MonkeyPatch, keeps: bool
) -> None:
    away = Away(line.stage, monkeypatch, keeps=keeps)
    text = "a" * 66 + "b" * 66
    line.long_text(text, order=[1])
    away.appends = 1
    [second] = line.smsc.send_long_text(WIRE_CUSTOMER, WIRE_OURS, text, order=[2])
    line.smsc.wait_until(lambda: bool(second.answers))
    assert not second.acknowledged
    line.smsc.redeliver()
    line.taken_in(second)
    assert line.stage.said() == [("customer", text)]


# ── the secret (rule 12) ───────────────────────────────────────────────────────────────────────


def test_the_password_is_nowhere_to_be_read(
    stage: Stage,
    smsc: Smsc,
    ana: Agent,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    smsc.password = SECRET
    line = Line(stage, smsc)
    line.add()
    told: list[str] = [str(stage.modify(CODE, description="changed"))]
    line.bound()
    line.text("Hello")
    for connections, fault in enumerate((Throttled(), SubmitFailed(), ResetsAfterTaking()), 1):
        smsc.misbehave(fault)
        told.append(str(stage.message(ana.reply(stage.conversation(), f"text {connections}"))))
    smsc.wait_until(lambda: smsc.bound > 0)
    line.bound()
    told.append(str(stage.admin.post(f"/mappings/{CODE}/test")))
    told.append(str(stage.admin.post(f"/mappings/{CODE}/duplicate", {"code": "COPY"})))
    told.append(str(stage.modify(CODE, expect=422, password=SECRET + "x")))
    told.append(str(stage.modify(CODE, expect=422, password=SECRET, port=0)))
    smsc.password = "another"
    smsc.drop()
    wait_until(lambda: "refused the password" in line.words)
    told.append(line.words)
    told.append(str(stage.admin.post(f"/mappings/{CODE}/test")))
    reads = ("", f"/{CODE}", f"/{CODE}/history", f"/{CODE}/status")
    told += [stage.admin.ask("GET", f"/mappings{path}").get_data(as_text=True) for path in reads]
    told += [stage.admin.ask("GET", path).get_data(as_text=True) for path in ("/health", "/metrics")]
    told.append(repr(stage.platform.accounts.of(stage.platform.accounts.mapping(CODE))))
    told.append(repr(stage.platform.sender.line_of(stage.platform.accounts.mapping(CODE)).carrier))
    told += [f"{each.getMessage()} {each.args} {each.exc_text or ''}" for each in caplog.records]
    told.append("".join(capfd.readouterr()))
    assert [each for each in told if SECRET in each] == []
    assert places_with(stage, SECRET) == []
