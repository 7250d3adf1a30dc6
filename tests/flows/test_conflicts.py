"""Two at once: an agent and ingest, two agents, an agent and a deadline."""

from datetime import timedelta
from uuid import UUID

import pytest

from domain.commands import Actor
from domain.ports import Unit
from tests.flows.stage import CUSTOMER, Agent, Stage

ANA = Actor("ana", frozenset({"agent"}))


class Overtaking:
    """Does something right before what matches is saved, once."""

    def __init__(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        self._stage = stage
        self._save = stage.platform.store.save
        self.done = False
        monkeypatch.setattr(stage.platform.store, "save", self._overtaken)

    def _overtaken(self, unit: Unit) -> int:
        from_ingest = unit.source is not None and bool(unit.aggregates)
        if from_ingest and not self.done:
            self.done = True
            self.act()
        return self._save(unit)

    def act(self) -> None:
        conversation = self._stage.conversation()
        self._stage.platform.desk.reply(ANA, UUID(conversation["id"]), "Hi!", (), "meanwhile")


def test_an_agents_reply_between_ingests_load_and_save_loses_nothing(
    stage: Stage, ana: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.text(CUSTOMER, "Hello")
    overtaking = Overtaking(stage, monkeypatch)
    stage.text(CUSTOMER, "Anybody?")
    assert overtaking.done
    assert stage.said() == [("customer", "Hello"), ("agent", "Hi!"), ("customer", "Anybody?")]
    assert stage.ledger() == ["Hi!"]
    assert stage.platform.parking.parked() == []


def test_a_reply_that_is_faster_than_the_deadline_keeps_the_conversation_open(
    stage: Stage, ana: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.text(CUSTOMER, "Hello")
    stage.clock.move(timedelta(minutes=10))
    assert stage.platform.timers().step()
    overtaking = Overtaking(stage, monkeypatch)
    stage.settle()
    assert overtaking.done
    assert stage.conversation()["state"] == "assigned"
    assert stage.ledger() == ["Hi!"]


def test_an_end_between_ingests_load_and_save_makes_the_text_start_another(
    stage: Stage, ana: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.text(CUSTOMER, "Hello")

    class Ending(Overtaking):
        def act(self) -> None:
            stage.platform.desk.end(ANA, UUID(stage.conversation()["id"]), None)

    overtaking = Ending(stage, monkeypatch)
    stage.text(CUSTOMER, "One more thing")
    assert overtaking.done
    assert [each["state"] for each in stage.conversations()] == ["assigned", "ended"]
    assert stage.said() == [("customer", "One more thing")]


def test_two_processes_that_ingest_the_same_take_it_in_once(stage: Stage, ana: Agent) -> None:
    for number in range(5):
        stage.text(CUSTOMER, f"text {number}", settle=False)
    partitions = range(stage.platform.settings.partitions)
    ours = [stage.platform.ingest(each) for each in partitions]
    theirs = [stage.platform.ingest(each) for each in partitions]
    for worker in (*ours, *theirs):
        worker._position = -1  # each believes to be where the log begins
    while any(worker.step() for worker in (*ours, *theirs)):
        pass
    stage.settle()
    assert [text for _, text in stage.said()] == [f"text {number}" for number in range(5)]


def test_a_text_and_an_agents_start_at_the_same_time_come_to_one_conversation(
    stage: Stage, ana: Agent
) -> None:
    stage.text(CUSTOMER, "Hello", settle=False)
    started = ana.start(CUSTOMER, "Hello from us")
    assert started["conversation"]["origin"] == "agent"
    assert len(stage.conversations()) == 1
    assert sorted(stage.said()) == [("agent", "Hello from us"), ("customer", "Hello")]
