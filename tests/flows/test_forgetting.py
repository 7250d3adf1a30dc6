"""Forgetting a customer (rule 13): they are in no file and no answer any more, and may come back."""

import json

import pytest
from click.testing import CliRunner, Result

from contracts.far_end import Fault
from domain.threads import Thread
from tests.flows.stage import CUSTOMER, OTHER_CUSTOMER, SUPPORT, Agent, Json, Stage, thread_of
from tests.flows.traces import environment, places_with
from workers.cli import main

SECRET = "zanzibar-marmalade"
NUMBER = CUSTOMER.removeprefix("+1")
PNG = b"\x89PNG\r\n\x1a\n" + SECRET.encode()

READS = (
    "/conversations?limit=200",
    "/missed",
    "/unrouted",
    "/in-doubt",
    "/parked",
    f"/conversations?text={SECRET}",
    f"/conversations?customer=%2B1{NUMBER}",
    "/mappings/TW/status",
)
PARTS = ("", "/messages", "/events", "/replay", "?at=2026-03-02T12:00:00Z")


def parley_forget(stage: Stage, customer: str) -> Result:
    """`parley forget`, as an operator runs it beside the running process."""
    return CliRunner().invoke(main, ["forget", customer, "--yes"], env=environment(stage))


def forget(stage: Stage, customer: str = CUSTOMER) -> None:
    """Forget a customer, and let that be seen everywhere."""
    done = parley_forget(stage, customer)
    assert done.exit_code == 0, done.output
    assert "destroyed" in done.output
    stage.settle()


def answers(stage: Stage, ana: Agent) -> str:
    """All that the API says of anything."""
    paths = list(READS)
    for each in stage.admin.get("/conversations?limit=200")["items"]:
        conversation = f"/conversations/{each['id']}"
        paths += [f"{conversation}{part}" for part in PARTS]
        messages = stage.admin.get(f"{conversation}/messages")["items"]
        paths += [f"/messages/{message['id']}" for message in messages]
    told = [stage.admin.ask("GET", path).get_data(as_text=True) for path in paths]
    return "\n".join([*told, json.dumps(ana.get("/desk"))])


@pytest.fixture
def past(stage: Stage, ana: Agent) -> Json:
    """A conversation with everything in it that tells of its customer, which is over."""
    stage.text(CUSTOMER, f"I like {SECRET}", media=[stage.twilio.add_media(PNG)])
    conversation = stage.conversation()
    upload = ana.upload(PNG, "image/png", conversation_id=conversation["id"])
    ana.reply(conversation, f"Who does not like {SECRET}?", media=[upload["media_id"]])
    stage.receipt(stage.twilio.accepted[-1]["sid"], "delivered")
    ana.end(conversation)
    ana.start(CUSTOMER, f"More {SECRET}!", single=True)
    return stage.conversations()[-1]


def test_who_is_forgotten_is_in_no_file_and_no_answer(stage: Stage, ana: Agent, past: Json) -> None:
    stage.text(OTHER_CUSTOMER, "I stay")
    assert SECRET in answers(stage, ana)
    forget(stage)
    assert places_with(stage, SECRET, NUMBER) == []
    told = answers(stage, ana)
    assert SECRET not in told
    assert NUMBER not in told
    assert stage.said(OTHER_CUSTOMER) == [("customer", "I stay")]
    stage.restart()
    assert places_with(stage, SECRET, NUMBER) == []


def test_before_that_nothing_but_the_views_shows_them_in_clear(stage: Stage, ana: Agent, past: Json) -> None:
    assert {name.split(".")[0] for name in places_with(stage, SECRET, NUMBER)} == {"views"}


def test_what_happened_stays_without_the_person(stage: Stage, ana: Agent, past: Json) -> None:
    events = stage.admin.get(f"/conversations/{past['id']}/events")["items"]
    forget(stage)
    found = stage.admin.get(f"/conversations/{past['id']}")
    assert (found["outcome"], found["agent"], found["customer"]) == ("handled", "ana", "[erased]")
    assert {each["text"] for each in found["messages"]} == {"[erased]"}
    after = stage.admin.get(f"/conversations/{past['id']}/events")["items"]
    assert [each["type"] for each in after] == [each["type"] for each in events]
    (picture,) = found["messages"][0]["media"]
    assert stage.admin.ask("GET", f"/messages/{found['messages'][0]['id']}/media/0").status_code == 404
    assert picture is not None


def test_a_rebuild_brings_nobody_back(stage: Stage, ana: Agent, past: Json) -> None:
    forget(stage)
    done = CliRunner().invoke(main, ["rebuild"], env=environment(stage))
    assert done.exit_code == 0, done.output
    stage.settle()
    assert places_with(stage, SECRET, NUMBER) == []
    assert SECRET not in answers(stage, ana)


def test_the_thread_still_loads_and_consent_stays(stage: Stage, ana: Agent, past: Json) -> None:
    stage.text(CUSTOMER, "STOP")
    forget(stage)
    thread_id = thread_of(stage)
    thread = stage.platform.store.load({thread_id})[thread_id]
    assert isinstance(thread, Thread)
    assert thread.our_address == SUPPORT
    ana.start(CUSTOMER, "Hello again", expect=409)


def test_who_comes_back_begins_anew(stage: Stage, ana: Agent, past: Json) -> None:
    forget(stage)
    stage.text(CUSTOMER, "Hello, it is me")
    (conversation,) = stage.conversations()
    assert (conversation["state"], conversation["customer"]) == ("assigned", CUSTOMER)
    ana.reply(conversation, "Nice to meet you")
    assert stage.ledger()[-1] == "Nice to meet you"
    assert places_with(stage, SECRET) == []
    ana.end(conversation)
    forget(stage)
    assert places_with(stage, "Nice to meet you", NUMBER) == []


def test_while_a_conversation_is_open_nobody_is_forgotten(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, f"I like {SECRET}")
    refused = parley_forget(stage, CUSTOMER)
    assert (refused.exit_code, "is open; end it first" in refused.output) == (2, True)
    assert stage.said() == [("customer", f"I like {SECRET}")]


def test_what_still_waited_to_go_to_them_never_goes(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, f"I like {SECRET}")
    conversation = stage.conversation()
    stage.twilio.fail_next(Fault.THROTTLED)
    reply = ana.reply(conversation, f"Who does not like {SECRET}?")
    ana.end(conversation)
    forget(stage)
    stage.pass_minutes(20)
    assert (stage.message(reply)["status"], stage.twilio.accepted) == ("blocked", [])
    assert places_with(stage, SECRET, NUMBER) == []
    assert SECRET not in answers(stage, ana)


def test_a_stranger_can_be_forgotten_as_well(stage: Stage, ana: Agent, past: Json) -> None:
    forget(stage, "+12025550199")
    assert SECRET in answers(stage, ana)
