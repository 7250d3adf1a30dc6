"""Timers: a deadline is put on the log when it is due, once, and again when nothing came of it."""

from datetime import timedelta

from domain.facts import DeadlineFell
from tests.flows.stage import CUSTOMER, OTHER_CUSTOMER, Agent, Stage


def fallen(stage: Stage) -> list[DeadlineFell]:
    """The deadlines that stand on the log."""
    ingress = stage.platform.ingress
    facts = [each.fact for part in range(ingress.partitions) for each in ingress.read(part, -1, 1000)]
    return [fact for fact in facts if isinstance(fact, DeadlineFell)]


def test_a_deadline_falls_once_and_again_after_half_a_minute(stage: Stage) -> None:
    stage.text(CUSTOMER, "Hello")
    timers = stage.platform.timers()
    stage.clock.move(timedelta(minutes=10) - timedelta(microseconds=1))
    assert not timers.step()
    stage.clock.move(timedelta(microseconds=1))
    assert timers.step()
    assert not timers.step()
    stage.clock.move(timedelta(seconds=29))
    assert not timers.step()
    assert len(fallen(stage)) == 1
    stage.clock.move(timedelta(seconds=1))
    assert timers.step()  # nobody has ingested it: it might have been lost
    first, second = fallen(stage)
    assert first == second
    stage.settle()
    assert stage.conversation()["end_reason"] == "idle"
    stage.clock.move(timedelta(minutes=1))
    assert not timers.step()


def test_a_deadline_has_the_moment_at_which_it_was_due(stage: Stage) -> None:
    stage.text(CUSTOMER, "Hello")
    due = stage.clock.now() + timedelta(minutes=10)
    stage.clock.move(timedelta(hours=1))
    stage.platform.timers().step()
    assert [each.due_at for each in fallen(stage)] == [due]


def test_a_deadline_that_moved_falls_at_its_new_time(stage: Stage) -> None:
    stage.text(CUSTOMER, "Hello")
    stage.pass_minutes(9)
    stage.text(CUSTOMER, "Still here")
    timers = stage.platform.timers()
    stage.clock.move(timedelta(minutes=9))
    assert not timers.step()
    stage.clock.move(timedelta(minutes=1))
    assert timers.step()


def test_only_who_has_the_lease_lets_deadlines_fall(stage: Stage) -> None:
    stage.text(CUSTOMER, "Hello")
    stage.clock.move(timedelta(minutes=10))
    stage.platform.owner = "another process"
    elsewhere = stage.platform.timers()
    stage.platform.owner = "this one"
    assert stage.platform.timers().step()
    assert not elsewhere.step()
    assert len(fallen(stage)) == 1


def test_many_fall_at_once(stage: Stage, ana: Agent) -> None:
    for customer in (CUSTOMER, OTHER_CUSTOMER):
        stage.text(customer, "Hello")
    stage.clock.move(timedelta(minutes=11))
    assert stage.platform.timers().step()
    assert len(fallen(stage)) == 2


def test_no_deadline_overtakes_texts_that_wait_in_a_spool(stage: Stage) -> None:
    stage.text(CUSTOMER, "Hello")
    timers = stage.platform.timers()
    stage.clock.move(timedelta(minutes=10))
    spool = stage.platform.leases.acquire("spool:elsewhere", "elsewhere", timedelta(seconds=15))
    assert spool is not None
    assert not timers.step()
    stage.platform.leases.release(spool)
    assert timers.step()
