"""Ingest: batches, and what happens when they cannot be saved as they are."""

import logging
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from contracts.far_end import Fault
from domain.errors import Conflict, StoreUnavailable
from domain.facts import Outcome, SendSettled
from domain.ports import Unit
from tests.flows.stage import CUSTOMER, Agent, Json, Stage, thread_of
from tests.flows.test_parked import orphan
from workers.ingest import RETRIES, Ingest


def partition_of(stage: Stage) -> int:
    """Where the customer's facts stand."""
    ingress = stage.platform.ingress
    (found,) = [each for each in range(ingress.partitions) if ingress.end(each) >= 0]
    return found


def texts(stage: Stage, number: int) -> Ingest:
    """The worker of the partition in which so many texts wait."""
    for each in range(number):
        stage.text(CUSTOMER, f"text {each}", settle=False)
    return stage.platform.ingest(partition_of(stage))


def watch(stage: Stage, monkeypatch: pytest.MonkeyPatch, before: Callable[[Unit], None]) -> list[Unit]:
    """What is saved, with something done before each."""
    save, saved = stage.platform.store.save, list[Unit]()

    def watched(unit: Unit) -> int:
        before(unit)
        position = save(unit)
        saved.append(unit)
        return position

    monkeypatch.setattr(stage.platform.store, "save", watched)
    return saved


def test_a_batch_is_one_transaction(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    ingest = texts(stage, 20)
    saved = watch(stage, monkeypatch, lambda _: None)
    assert ingest.step()
    assert not ingest.step()
    assert len(saved) == 1
    stage.settle()
    assert len(stage.said()) == 20


def test_what_somebody_else_has_ingested_is_skipped(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    late = texts(stage, 3)
    other = stage.platform.ingest(partition_of(stage))
    read = stage.platform.ingress.read

    def overtaken(partition: int, after: int, limit: int) -> Any:
        batch = read(partition, after, limit)
        monkeypatch.undo()
        assert other.step()
        return batch

    monkeypatch.setattr(stage.platform.ingress, "read", overtaken)
    assert late.step()  # AlreadyTracked: it goes on from where the store says
    assert not late.step()
    stage.settle()
    assert [text for _, text in stage.said()] == ["text 0", "text 1", "text 2"]
    assert stage.platform.parking.parked() == []


def test_a_batch_that_keeps_colliding_is_taken_apart(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    ingest, tries = texts(stage, 4), []

    def collide(unit: Unit) -> None:
        tries.append(unit)
        if len(tries) <= RETRIES:
            raise Conflict

    saved = watch(stage, monkeypatch, collide)
    assert ingest.step()
    assert [each.source.offset for each in saved if each.source] == [1, 2, 3, 4]
    stage.settle()
    assert [text for _, text in stage.said()] == [f"text {each}" for each in range(4)]


def test_a_batch_with_a_fact_that_cannot_be_decided_is_taken_apart(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stage.text(CUSTOMER, "before", settle=False)
    stage.platform.ingress.accept([orphan(stage)])
    ingest = texts(stage, 1)
    saved = watch(stage, monkeypatch, lambda _: None)
    with caplog.at_level(logging.ERROR):
        assert ingest.step()
    assert [len(each.parked) for each in saved] == [0, 1, 0]
    assert "fact 2 of ingest-" in caplog.text


def test_a_parked_fact_and_the_position_are_saved_together(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.platform.ingress.accept([orphan(stage)])
    ingest = stage.platform.ingest(partition_of(stage))
    saved = watch(stage, monkeypatch, lambda _: None)
    assert ingest.step()
    assert [(each.source and each.source.offset, len(each.parked)) for each in saved] == [(1, 1)]


def test_a_new_worker_resumes_where_the_store_says(stage: Stage) -> None:
    assert texts(stage, 2).step()
    assert not stage.platform.ingest(partition_of(stage)).step()


def found(message: Json, thread_id: UUID) -> SendSettled:
    """What a look at the provider's records came to."""
    return SendSettled(
        key=thread_id,
        message_id=UUID(message["id"]),
        attempt=1,
        outcome=Outcome.ACCEPTED,
        scope="twilio",
        provider_message_id="SM" + "7" * 32,
        error_code=None,
        detail="",
        retry_at=None,
        reconciled=True,
    )


@pytest.mark.parametrize("together", [True, False])
def test_one_record_of_the_providers_is_never_two_messages(stage: Stage, ana: Agent, together: bool) -> None:
    stage.text(CUSTOMER, "Hello")
    replies = []
    for _ in range(2):
        stage.twilio.fail_next(Fault.FAILED)
        replies.append(ana.reply(stage.conversation(), "Equal texts"))
    for each in replies:
        stage.platform.ingress.accept([found(each, thread_of(stage))])
        if not together:
            stage.settle()
    stage.settle()
    assert [stage.message(each)["status"] for each in replies] == ["accepted", "in_doubt"]


def test_while_the_store_is_away_nothing_is_parked(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    ingest = texts(stage, 3)

    def away(*_: object) -> None:
        raise StoreUnavailable("PostgreSQL is away")

    with monkeypatch.context() as patched:
        patched.setattr(stage.platform.store, "load", away)
        with pytest.raises(StoreUnavailable):
            ingest.step()
    stage.settle()
    assert len(stage.said()) == 3
    assert stage.platform.parking.parked() == []
