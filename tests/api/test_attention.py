"""What waits for a person: the missed and refused, the unrouted, messages in doubt; what was counted."""

from uuid import UUID

import pytest
from flask_openapi3.openapi import OpenAPI

from tests.api.conftest import Caller, fields_of, rest_mapping
from tests.api.scene import OTHER, Scene, reply, shown
from tests.fakes.platform import Platform


@pytest.fixture
def scene(platform: Platform, app: OpenAPI, admin: Caller) -> Scene:
    return Scene(platform, app, admin)


def test_the_missed_are_for_those_with_the_skill_to_read_and_dismiss(scene: Scene) -> None:
    carl = scene.agent("carl", "SALES")
    nobody = scene.agent("dora")
    conversation_id = scene.conversation_of(scene.text("anybody?"))
    scene.idle(conversation_id)
    assert [each["id"] for each in shown(scene.ana.get("/missed"))["items"]] == [str(conversation_id)]
    assert shown(scene.ana.get(f"/conversations/{conversation_id}"))["messages"][0]["text"] == "anybody?"
    for each in (carl, nobody):
        assert shown(each.get("/missed"))["items"] == []
        assert shown(each.get("/missed?queue=SUPPORT"))["items"] == []
        assert each.post(f"/conversations/{conversation_id}/dismiss").status_code == 403
    assert shown(scene.ben.get("/missed?queue=SALES"))["items"] == []
    assert scene.analyst.post(f"/conversations/{conversation_id}/dismiss").status_code == 403
    dismissed = shown(scene.ana.post(f"/conversations/{conversation_id}/dismiss"))
    assert (dismissed["closed"], dismissed["closed_by"]) == (True, "ana")
    assert shown(scene.admin.get("/missed"))["items"] == []
    assert scene.ana.post(f"/conversations/{conversation_id}/dismiss").status_code == 409


def test_unrouted_texts_are_for_admins_to_route_after_the_fix(scene: Scene) -> None:
    message_id = scene.text("hello?", ours="+15005550007")
    found = shown(scene.admin.get("/unrouted"))["items"]
    assert [(each["id"], each["status"]) for each in found] == [(str(message_id), "unrouted")]
    assert scene.ana.get("/unrouted").status_code == 403
    path = f"/unrouted/{message_id}/route"
    assert scene.ana.post(path).status_code == 403
    assert scene.analyst.post(path).status_code == 403
    assert scene.admin.post(path).status_code == 409
    route = {"address": "+15005550007", "display_name": "New", "skill_queue": "SUPPORT"}
    shown(scene.admin.post("/mappings", rest_mapping(code="SECOND", routes=[route])), 201)
    routed = shown(scene.admin.post(path))
    assert (routed["disposition"], routed["status"]) == ("started", "received")
    assert shown(scene.admin.get("/unrouted"))["items"] == []


@pytest.mark.parametrize(
    ("resolution", "status"), [("resend", "requested"), ("sent", "sent"), ("drop", "dropped")]
)
def test_a_message_in_doubt_is_resolved_by_its_agent(scene: Scene, resolution: str, status: str) -> None:
    conversation_id = scene.in_hand("ana")
    message_id = shown(reply(scene.ana, conversation_id), 201)["id"]
    path = f"/messages/{message_id}/resolve"
    decision = {"resolution": resolution, "why": "asked the customer"}
    assert scene.ana.post(path, decision).status_code == 409
    scene.doubt(UUID(message_id))
    assert [each["id"] for each in shown(scene.ana.get("/in-doubt"))["items"]] == [message_id]
    assert shown(scene.ben.get("/in-doubt"))["items"] == []
    assert [each["id"] for each in shown(scene.analyst.get("/in-doubt"))["items"]] == [message_id]
    assert scene.analyst.post(path, decision).status_code == 403
    assert fields_of(scene.ana.post(path, {"resolution": "maybe", "why": "x"})) == ["resolution"]
    assert fields_of(scene.ana.post(path, {"resolution": "drop"})) == ["why"]
    resolved = shown(scene.ana.post(path, decision))
    assert (resolved["status"], resolved["resolved_by"]) == (status, "ana")
    assert (resolved["attempts"][0]["outcome"], resolved["resolved_why"]) == (
        "in_doubt",
        "asked the customer",
    )
    assert shown(scene.admin.get("/in-doubt"))["items"] == []
    assert shown(scene.ana.get(f"/messages/{message_id}")) == resolved


# ── statistics ─────────────────────────────────────────────────────────────────────────────────


def test_statistics(scene: Scene) -> None:
    conversation_id = scene.in_hand("ana")
    reply(scene.ana, conversation_id)
    scene.text("anybody?", OTHER)
    assert scene.ana.get("/statistics").status_code == 403
    total = shown(scene.analyst.get("/statistics"))["items"]
    assert [(each["inbound"], each["started"], each["mapping"]) for each in total] == [(2, 2, None)]
    by = shown(scene.analyst.get("/statistics?group=mapping&group=hour&mapping=TW-SUPPORT"))["items"]
    assert [(each["mapping"], each["hour"]) for each in by] == [("TW-SUPPORT", "2026-03-02T09:00:00Z")]
    assert shown(scene.analyst.get("/statistics?mapping=NONE"))["items"] == []
    assert fields_of(scene.analyst.get("/statistics?group=weather")) == ["group[0]"]
