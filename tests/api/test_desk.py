"""The desk: what an agent begins with, and what agents do about themselves."""

from datetime import timedelta
from typing import Any

import pytest
from flask_openapi3.openapi import OpenAPI

from adapters.accounts import Role
from tests.api.conftest import Caller, fields_of, rest_mapping
from tests.api.scene import CUSTOMER, OTHER, OURS, Scene
from tests.fakes.platform import Platform


@pytest.fixture
def scene(platform: Platform, app: OpenAPI, admin: Caller) -> Scene:
    return Scene(platform, app, admin)


def desk_of(person: Caller) -> Any:
    answer = person.get("/desk")
    assert answer.status_code == 200, answer.text
    return answer.json


def test_the_desk_has_all_that_a_page_begins_with(scene: Scene) -> None:
    scene.admin.post("/canned-replies", {"code": "HELLO", "name": "Greeting", "text": "Good day!"})
    scene.admin.post("/work-codes", {"code": "SOLVED", "name": "Solved"})
    conversation_id = scene.in_hand("ana")
    scene.in_hand("ben", "anybody?", OTHER)
    desk = desk_of(scene.ana)
    assert (desk["agent"]["login"], desk["agent"]["status"], desk["agent"]["in_hand"]) == (
        "ana",
        "available",
        1,
    )
    assert [(each["id"], each["customer"]) for each in desk["conversations"]] == [
        (str(conversation_id), CUSTOMER)
    ]
    assert desk["conversations"][0]["messages"][0]["text"] == "hello"
    assert desk["origins"] == [{"our_address": OURS, "display_name": "Support", "mapping": "TW-SUPPORT"}]
    assert [each["code"] for each in desk["queues"]] == ["SALES", "SUPPORT"]
    assert [each["login"] for each in desk["agents"]] == ["ana", "ben"]
    assert desk["canned_replies"] == [{"code": "HELLO", "name": "Greeting", "text": "Good day!"}]
    assert desk["work_codes"] == [{"code": "SOLVED", "name": "Solved"}]
    assert desk["position"] == scene.store.head()


def test_numbers_of_paused_mappings_are_no_origins(scene: Scene) -> None:
    tag = scene.admin.get("/mappings/TW-SUPPORT").headers["ETag"]
    scene.admin.put("/mappings/TW-SUPPORT", rest_mapping(status="paused"), If_Match=tag)
    assert desk_of(scene.ana)["origins"] == []


def test_who_has_no_desk(scene: Scene) -> None:
    assert scene.analyst.get("/desk").status_code == 403
    assert scene.admin.get("/desk").status_code == 403
    newcomer = scene.person("nora", Role.AGENT)
    answer = newcomer.get("/desk")
    assert answer.status_code == 404
    assert "nora" in answer.text


def test_status(scene: Scene) -> None:
    path = "/agents/ana/status"
    answer = scene.ana.post(path, {"status": "away"})
    assert (answer.status_code, desk_of(scene.ana)["agent"]["status"]) == (204, "away")
    assert int(answer.headers["Parley-Position"]) == scene.store.head()
    assert scene.ben.post(path, {"status": "available"}).status_code == 403
    assert scene.analyst.post(path, {"status": "available"}).status_code == 403
    assert scene.admin.post(path, {"status": "available"}).status_code == 204
    assert fields_of(scene.ana.post(path, {"status": "asleep"})) == ["status"]
    assert scene.admin.post("/agents/nobody/status", {"status": "away"}).status_code == 404


def test_logging_off_with_work_in_hand(scene: Scene) -> None:
    conversation_id = scene.in_hand("ana")
    refused = scene.ana.post("/agents/ana/status", {"status": "offline"})
    assert (refused.status_code, fields_of(refused)) == (409, ["status"])
    assert scene.ana.post("/agents/ana/status", {"status": "offline", "requeue": True}).status_code == 204
    assert desk_of(scene.ana)["conversations"] == []
    found = scene.admin.get(f"/conversations/{conversation_id}").json
    assert found
    assert (found["state"], found["queue"]) == ("waiting", "SUPPORT")


def test_wrap_up_is_finished_early(scene: Scene) -> None:
    settings = {"name": "Ana", "skills": ["SUPPORT"], "wrap_up_seconds": 60}
    assert scene.admin.put("/agents/ana", settings).status_code == 200
    conversation_id = scene.in_hand("ana")
    scene.ana.post(f"/conversations/{conversation_id}/end", {})
    until = scene.platform.clock.now() + timedelta(seconds=60)
    assert desk_of(scene.ana)["agent"]["wrap_up_until"] == until.isoformat().replace("+00:00", "Z")
    assert scene.ana.post("/desk/ready").status_code == 204
    assert desk_of(scene.ana)["agent"]["wrap_up_until"] is None
