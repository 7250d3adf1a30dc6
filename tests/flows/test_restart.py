"""Restarts: a new process on the same folder goes on where the last one was."""

from datetime import timedelta

from tests.flows.pools import LostPool
from tests.flows.stage import CUSTOMER, OTHER_CUSTOMER, PUBLIC_URL, SUPPORT, Agent, Json, Stage
from workers.inline import InlineExecutor


def test_everything_goes_on_after_a_restart(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Hello")
    stage.restart()
    ana = stage.signed_in("ana")
    assert ana.hand() == [CUSTOMER]
    ana.reply(stage.conversation(), "Hi!")
    stage.text(CUSTOMER, "Thanks")
    assert stage.said() == [("customer", "Hello"), ("agent", "Hi!"), ("customer", "Thanks")]
    stage.restart()
    stage.pass_minutes(10)
    assert stage.conversation()["end_reason"] == "idle"
    assert stage.ledger() == ["Hi!"]


def test_a_text_accepted_right_before_a_restart_is_not_lost(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "one", settle=False)
    stage.text(OTHER_CUSTOMER, "two", settle=False)
    stage.restart()
    stage.settle()
    assert stage.said(CUSTOMER) == [("customer", "one")]
    assert stage.said(OTHER_CUSTOMER) == [("customer", "two")]


def ask_for(stage: Stage, ana: Agent, text: str) -> Json:
    """A reply that the API has accepted, and that nobody has sent yet."""
    answer = ana.client.post(
        f"/api/v1/conversations/{stage.conversation()['id']}/messages",
        json={"text": text},
        headers=ana.headers | {"Idempotency-Key": text},
        base_url=PUBLIC_URL,
    )
    assert answer.status_code == 201
    return dict(answer.json or {})


def test_a_reply_asked_for_right_before_a_restart_is_sent_once(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Hello")
    ask_for(stage, ana, "Hi!")
    assert stage.ledger() == []
    stage.restart()
    stage.settle()
    assert stage.ledger() == ["Hi!"]


def lost(stage: Stage) -> Json:
    """A reply whose process stopped after the intent was recorded, in the next process."""
    stage.text(CUSTOMER, "Hello")
    stage.restart(LostPool())
    reply = stage.signed_in("ana").reply(stage.conversation(), "Hi!")
    assert stage.message(reply)["status"] == "attempting"
    stage.restart()
    return reply


def test_an_attempt_whose_outcome_was_lost_is_in_doubt_once_it_can_no_longer_come(
    stage: Stage, ana: Agent
) -> None:
    reply = lost(stage)
    stage.pass_seconds(40, every=5)  # ten to begin with it, thirty to hear of it
    assert stage.message(reply)["status"] == "attempting"
    stage.pass_seconds(1)
    stage.settle()
    assert stage.message(reply)["status"] == "in_doubt"
    stage.pass_minutes(30)
    assert stage.ledger() == []


def test_nothing_of_its_conversation_overtakes_it_until_then(stage: Stage, ana: Agent) -> None:
    lost(stage)
    stage.signed_in("ana").reply(stage.conversation(), "Second")
    stage.pass_seconds(30)
    assert stage.ledger() == []
    stage.pass_seconds(30)
    assert stage.ledger() == ["Second"]


def test_an_outcome_that_stands_on_the_log_is_believed_however_late_it_is_ingested(
    stage: Stage, ana: Agent
) -> None:
    stage.text(CUSTOMER, "Hello")
    reply = ask_for(stage, ana, "Hi!")
    assert stage.platform.projector().step()
    assert stage.platform.dispatch().step()  # sent, and the outcome is on the log: no more than that
    assert stage.ledger() == ["Hi!"]
    stage.restart()
    stage.clock.move(timedelta(minutes=5))
    while stage.platform.projector().step():
        pass
    assert not stage.platform.dispatch().step()  # the new owner looks before anything is ingested
    stage.settle()
    told = stage.message(reply)
    assert (told["status"], [each["outcome"] for each in told["attempts"]]) == ("accepted", ["accepted"])
    assert stage.ledger() == ["Hi!"]


def test_a_clean_stop_gives_up_what_only_one_process_may_do(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Hello")
    ana.reply(stage.conversation(), "Hi!")
    stage.close()
    stage.open(InlineExecutor())
    leases = stage.platform.leases
    names = ["router", "timers", "upkeep", f"lane:{SUPPORT}"]
    assert [each for each in names if not leases.acquire(each, "another", timedelta(seconds=5))] == []
    stage.clock.move(timedelta(seconds=6))
