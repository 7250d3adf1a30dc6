"""Conversations and messages: reading, answering, starting, transferring, ending, and who may."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask_openapi3.openapi import OpenAPI
from werkzeug.test import TestResponse

from tests.api.conftest import Caller, fields_of, rest_mapping
from tests.api.scene import CUSTOMER, OTHER, OURS, Person, Scene, reply, shown
from tests.fakes.platform import Platform


@pytest.fixture
def scene(platform: Platform, app: OpenAPI, admin: Caller) -> Scene:
    return Scene(platform, app, admin)


def start(person: Person, key: str = "s1", **changes: Any) -> TestResponse:
    document = {"our_address": OURS, "customer": CUSTOMER, "text": "hello there"} | changes
    return person.post("/conversations", document, Idempotency_Key=key)


# ── reading ────────────────────────────────────────────────────────────────────────────────────


def test_an_agent_reads_the_conversation_in_hand(scene: Scene) -> None:
    conversation_id = scene.in_hand("ana")
    found = shown(scene.ana.get(f"/conversations/{conversation_id}"))
    assert (found["state"], found["agent"], found["customer"]) == ("assigned", "ana", CUSTOMER)
    assert (found["display_name"], found["mapping"], found["queue"]) == ("Support", "TW-SUPPORT", "SUPPORT")
    assert [(each["sender"], each["text"]) for each in found["messages"]] == [
        ("customer", "hello"),
        ("system", "Ana has joined the conversation."),
    ]
    assert found["at"] is None


def test_another_agents_conversation_is_refused_in_every_way(scene: Scene) -> None:
    conversation_id = scene.in_hand("ana")
    message_id = shown(reply(scene.ana, conversation_id), 201)["id"]
    path = f"/conversations/{conversation_id}"
    for each in ("", "/messages", "/events", "/replay"):
        assert scene.ben.get(path + each).status_code == 403, each
    assert scene.ben.get(f"/messages/{message_id}").status_code == 403
    assert reply(scene.ben, conversation_id).status_code == 403
    assert scene.ben.post(f"{path}/end", {}).status_code == 403
    assert scene.ben.post(f"{path}/transfer", {"queue": "SALES"}).status_code == 403
    assert scene.ben.post(f"{path}/dismiss").status_code == 403
    assert (
        scene.ben.post(f"/messages/{message_id}/resolve", {"resolution": "drop", "why": "x"}).status_code
        == 403
    )
    assert shown(scene.ben.get("/conversations"))["items"] == []
    assert scene.ben.get("/conversations?agent=ana").status_code == 403


def test_what_was_in_an_agents_hands_stays_readable(scene: Scene) -> None:
    conversation_id = scene.in_hand("ana")
    scene.ana.post(f"/conversations/{conversation_id}/transfer", {"agent": "ben"})
    assert shown(scene.ana.get(f"/conversations/{conversation_id}"))["agent"] == "ben"
    assert reply(scene.ana, conversation_id).status_code == 403


def test_analysts_read_everything_and_change_nothing(scene: Scene) -> None:
    conversation_id = scene.in_hand("ana")
    for each in ("", "/messages", "/events", "/replay"):
        shown(scene.analyst.get(f"/conversations/{conversation_id}{each}"))
    assert reply(scene.analyst, conversation_id).status_code == 403
    assert scene.analyst.post(f"/conversations/{conversation_id}/end", {}).status_code == 403
    assert start(scene.analyst).status_code == 403


def test_what_is_not_there(scene: Scene) -> None:
    nobody = UUID(int=1)
    for each in ("", "/messages", "/events", "/replay"):
        assert scene.admin.get(f"/conversations/{nobody}{each}").status_code == 404
    assert scene.admin.get(f"/messages/{nobody}").status_code == 404
    assert fields_of(scene.admin.get("/conversations/nonsense")) == ["id"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", 2),
        ("customer=%2B14155550123", 1),
        ("customer=%2B1 415 555 0123", 1),
        ("number=%2B15005550006", 2),
        ("queue=SALES", 0),
        ("agent=ana", 1),
        ("outcome=missed", 0),
        ("state=waiting", 1),
        ("text=HELLO", 1),
        ("text=%25", 0),
        ("from=2026-03-02T09:00:00Z", 2),
        ("from=2027-01-01T00:00:00Z", 0),
        ("to=2026-03-02T09:00:00%2B00:00", 0),
    ],
)
def test_search(scene: Scene, query: str, expected: int) -> None:
    scene.in_hand("ana")
    scene.text("anybody?", OTHER)
    assert len(shown(scene.analyst.get(f"/conversations?{query}"))["items"]) == expected


def test_search_is_paged(scene: Scene) -> None:
    scene.text("one")
    scene.text("two", OTHER)
    first = shown(scene.admin.get("/conversations?limit=1"))
    second = shown(scene.admin.get(f"/conversations?limit=1&cursor={first['next']}"))
    assert [each["customer"] for each in first["items"] + second["items"]] == [OTHER, CUSTOMER]
    assert second["next"] is None
    assert fields_of(scene.admin.get("/conversations?cursor=nonsense")) == ["cursor"]
    assert fields_of(scene.admin.get("/conversations?from=2026-03-02T09:00:00")) == ["from"]


def test_messages_and_events_are_paged_without_a_gap(scene: Scene) -> None:
    conversation_id = scene.in_hand("ana")
    for number in range(3):
        reply(scene.ana, conversation_id, f"text {number}", f"k{number}")
    path = f"/conversations/{conversation_id}"
    assert [each["text"] for each in all_pages(scene.ana, f"{path}/messages")][2:] == [
        "text 0",
        "text 1",
        "text 2",
    ]
    events = all_pages(scene.ana, f"{path}/events")
    assert [each["position"] for each in events] == sorted({each["position"] for each in events})
    assert events[0]["type"] == "parley.conversation.created.v1"
    assert {"parley.message.received.v1", "parley.conversation.assigned.v1"} <= {
        each["type"] for each in events
    }


def all_pages(caller: Caller, path: str) -> list[Any]:
    items: list[Any] = []
    cursor = ""
    while True:
        page = shown(caller.get(f"{path}?limit=2{cursor}"))
        items += page["items"]
        if page["next"] is None:
            return items
        cursor = f"&cursor={page['next']}"


def test_the_state_as_of_a_moment(scene: Scene) -> None:
    began = scene.platform.clock.now() + timedelta(seconds=1)
    conversation_id = scene.in_hand("ana")
    scene.platform.clock.move(timedelta(seconds=5))
    shown(reply(scene.ana, conversation_id), 201)
    path = f"/conversations/{conversation_id}"
    then = shown(scene.ana.get(f"{path}?at={_written(began)}"))
    assert [each["text"] for each in then["messages"]] == ["hello", "Ana has joined the conversation."]
    assert (then["at"], then["first_response_at"]) == (_written(began), None)
    now = _written(scene.platform.clock.now())
    latest = shown(scene.ana.get(f"{path}?at={now}"))
    assert latest | {"at": None} == shown(scene.ana.get(path))
    before = scene.ana.get(f"{path}?at={_written(began - timedelta(seconds=1))}")
    assert before.status_code == 404
    assert fields_of(scene.ana.get(f"{path}?at=yesterday")) == ["at"]


def _written(moment: Any) -> str:
    return str(moment.isoformat().replace("+00:00", "Z"))


def test_replay_tells_all_of_it(scene: Scene) -> None:
    conversation_id = scene.in_hand("ana")
    found = shown(scene.ana.get(f"/conversations/{conversation_id}/replay"))
    assert [each["kind"] for each in found["entries"]] == ["started", "text", "queued", "assigned", "notice"]
    assert found["configuration"]["chat_control"]["idle_timeout_minutes"] == 10
    assert found["configuration"]["provider"] == "twilio"
    assert "the-auth-token" not in scene.ana.get(f"/conversations/{conversation_id}/replay").text


# ── texts ──────────────────────────────────────────────────────────────────────────────────────


def test_a_reply_is_answered_with_the_message_before_the_views_show_it(scene: Scene) -> None:
    conversation_id = scene.in_hand("ana")
    answer = reply(scene.ana, conversation_id)
    message = shown(answer, 201)
    assert (message["text"], message["status"], message["agent"]) == ("good day", "requested", "ana")
    assert answer.headers["Location"].endswith(f"/api/v1/messages/{message['id']}")
    after = f"?after={answer.headers['Parley-Position']}"
    assert shown(scene.ana.get(f"/messages/{message['id']}{after}")) == message


def test_the_same_key_again_sends_nothing_and_another_text_under_it_is_refused(scene: Scene) -> None:
    conversation_id = scene.in_hand("ana")
    first = shown(reply(scene.ana, conversation_id), 201)
    assert shown(reply(scene.ana, conversation_id), 201)["id"] == first["id"]
    assert fields_of(reply(scene.ana, conversation_id, "something else")) == ["Idempotency-Key"]
    assert shown(reply(scene.ana, conversation_id, key="k2"), 201)["id"] != first["id"]


@pytest.mark.parametrize("headers", [{}, {"Idempotency_Key": " "}])
def test_texts_need_a_key(scene: Scene, headers: dict[str, str]) -> None:
    conversation_id = scene.in_hand("ana")
    path = f"/conversations/{conversation_id}/messages"
    assert scene.ana.post(path, {"text": "hello"}, **headers).status_code == 428
    document = {"our_address": OURS, "customer": OTHER, "text": "hello"}
    assert scene.ana.post("/conversations", document, **headers).status_code == 428


@pytest.mark.parametrize(
    ("document", "fields"),
    [
        ({}, ["text"]),
        ({"text": " "}, ["text"]),
        ({"text": "x" * 1601}, ["text"]),
        ({"text": "a\0b"}, ["text"]),
        ({"text": 5}, ["text"]),
        ({"words": "hello"}, ["words"]),
        ({"media_ids": [str(UUID(int=1))]}, ["media_ids[0]"]),
        ({"media_ids": ["x"]}, ["media_ids[0]"]),
    ],
)
def test_a_wrong_reply_names_the_field(scene: Scene, document: Any, fields: list[str]) -> None:
    conversation_id = scene.in_hand("ana")
    head = scene.store.head()
    answer = scene.ana.post(f"/conversations/{conversation_id}/messages", document, Idempotency_Key="k1")
    assert answer.status_code == 422
    assert fields_of(answer) == fields
    assert scene.store.head() == head


def test_an_opted_out_customer_gets_nothing_and_it_shows(scene: Scene) -> None:
    conversation_id = scene.in_hand("ana")
    scene.text("STOP")
    assert shown(scene.ana.get(f"/conversations/{conversation_id}"))["opted_out"] is True
    assert reply(scene.ana, conversation_id).status_code == 409


def test_starting_a_conversation(scene: Scene) -> None:
    answer = start(scene.ana, customer="(415) 555-0123")
    started = shown(answer, 201)
    conversation = started["conversation"]
    assert (conversation["state"], conversation["agent"], conversation["customer"]) == (
        "assigned",
        "ana",
        CUSTOMER,
    )
    assert started["message"]["text"] == "hello there"
    path = f"/api/v1/conversations/{conversation['id']}"
    assert answer.headers["Location"].endswith(path)
    assert shown(scene.ana.get(path))["messages"][0]["id"] == started["message"]["id"]
    assert shown(start(scene.ana, customer="(415) 555-0123"), 201) == started
    held = start(scene.ben, key="s2")
    assert (held.status_code, fields_of(held)) == (409, ["customer"])
    assert "ana has it" in held.text


def test_a_single_message_ends_at_once_and_stays_readable_to_its_sender(scene: Scene) -> None:
    conversation = shown(start(scene.ana, single=True), 201)["conversation"]
    assert (conversation["state"], conversation["outcome"]) == ("ended", "single")
    shown(scene.ana.get(f"/conversations/{conversation['id']}"))
    assert scene.ben.get(f"/conversations/{conversation['id']}").status_code == 403


def test_the_number_may_be_named_by_its_display_name(scene: Scene) -> None:
    assert (
        shown(start(scene.ana, our_address=None, origin="Support"), 201)["conversation"]["our_address"]
        == OURS
    )
    assert fields_of(start(scene.ana, our_address=None, origin="Nobody")) == ["origin"]
    assert fields_of(start(scene.ana, origin="Support")) == ["our_address", "origin"]
    assert fields_of(start(scene.ana, our_address=None)) == ["our_address", "origin"]
    route = {"address": "+15005550007", "display_name": "Support", "skill_queue": "SALES"}
    shown(scene.admin.post("/mappings", rest_mapping(code="SECOND", routes=[route])), 201)
    ambiguous = start(scene.ana, our_address=None, origin="Support", customer=OTHER)
    assert fields_of(ambiguous) == ["origin"]
    assert "2 numbers" in ambiguous.text


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"customer": "nobody at all"}, "customer"), ({"our_address": "+15005550099"}, "our_address")],
)
def test_a_wrong_start_names_the_field(scene: Scene, changes: dict[str, Any], field: str) -> None:
    answer = start(scene.ana, **changes)
    assert (answer.status_code, fields_of(answer)) == (422, [field])


# ── commands ───────────────────────────────────────────────────────────────────────────────────


def test_transfer_to_a_queue_or_an_agent(scene: Scene) -> None:
    conversation_id = scene.in_hand("ana")
    path = f"/conversations/{conversation_id}/transfer"
    assert fields_of(scene.ana.post(path, {})) == ["queue", "agent"]
    assert fields_of(scene.ana.post(path, {"queue": "SALES", "agent": "ben"})) == ["queue", "agent"]
    assert fields_of(scene.ana.post(path, {"queue": "NONE"})) == ["queue"]
    assert fields_of(scene.ana.post(path, {"agent": "nobody"})) == ["agent"]
    assert shown(scene.ana.post(path, {"agent": "ben"}))["agent"] == "ben"
    moved = shown(scene.ben.post(path, {"queue": "SALES"}))
    assert (moved["state"], moved["queue"], moved["agent"]) == ("waiting", "SALES", None)


def test_transfer_to_an_agent_who_is_away_is_refused_with_the_reason(scene: Scene) -> None:
    conversation_id = scene.in_hand("ana")
    scene.ben.post("/agents/ben/status", {"status": "away"})
    answer = scene.ana.post(f"/conversations/{conversation_id}/transfer", {"agent": "ben"})
    assert (answer.status_code, fields_of(answer)) == (409, ["agent"])
    assert "ben is away" in answer.text


def test_ending_with_a_work_code(scene: Scene) -> None:
    scene.admin.post("/work-codes", {"code": "SOLVED", "name": "Solved"})
    conversation_id = scene.in_hand("ana")
    path = f"/conversations/{conversation_id}/end"
    assert fields_of(scene.ana.post(path, {"work_code": "NONE"})) == ["work_code"]
    ended = shown(scene.ana.post(path, {"work_code": "SOLVED"}))
    assert (ended["state"], ended["work_code"], ended["ended_by"]) == ("ended", "SOLVED", "ana")
    assert scene.ana.post(path, {}).status_code == 409
