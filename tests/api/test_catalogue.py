"""Queues, agents, connections, work codes and canned replies over HTTP."""

from typing import Any

import pytest

from tests.api.conftest import Caller, fields_of, rest_mapping

QUEUE = {"code": "SUPPORT", "name": "Support"}
AGENT = {"login": "ana", "name": "Ana", "skills": [], "room": 3, "wrap_up_seconds": 10}
CONNECTION = {
    "code": "AWS",
    "name": "Main",
    "region": "eu-west-1",
    "role": "arn:aws:iam::1:role/parley",
    "topics": ["arn:aws:sns:eu-west-1:1:sms"],
    "queues": ["https://sqs.eu-west-1.amazonaws.com/1/sms"],
}
WORK_CODE = {"code": "SOLVED", "name": "Solved"}
REPLY = {"code": "HELLO", "name": "Greeting", "text": "Hello, how can I help?"}

SORTS = [
    ("queues", QUEUE, {"name": "Help"}, {"name": " "}),
    ("agents", AGENT, {"name": "Anna", "room": 5}, {"room": 0}),
    ("connections", CONNECTION, {"name": "Second", "region": "us-east-1"}, {"role": "no ARN"}),
    ("work-codes", WORK_CODE, {"name": "Done"}, {"name": "x" * 61}),
    ("canned-replies", REPLY, {"name": "Hi", "text": "Hi!"}, {"text": ""}),
]


@pytest.mark.parametrize(("path", "new", "change", "wrong"), SORTS, ids=[each[0] for each in SORTS])
def test_its_life(
    admin: Caller, path: str, new: dict[str, Any], change: dict[str, Any], wrong: dict[str, Any]
) -> None:
    key = "login" if "login" in new else "code"
    one = f"/{path}/{new[key]}"
    added = admin.post(f"/{path}", new)
    assert added.status_code == 201, added.text
    assert added.headers["Location"] == f"https://sms.example.com/api/v1{one}"
    document: Any = added.json
    assert new.items() <= document.items()
    position = added.headers["Parley-Position"]
    assert admin.get(f"/{path}?after={position}").json == {"items": [document], "next": None}
    assert admin.get(one).json == document

    again = admin.post(f"/{path}", new)
    assert (again.status_code, fields_of(again)) == (409, [key])
    bad = admin.put(one, {name: new[name] for name in new if name != key} | wrong)
    assert (bad.status_code, fields_of(bad)) == (422, list(wrong))

    changed = admin.put(one, change)
    assert changed.status_code == 200, changed.text
    shown: Any = admin.get(one).json
    assert change.items() <= shown.items()

    assert admin.delete(one).status_code == 204
    assert admin.get(one).status_code == 404
    assert admin.delete(one).status_code == 404
    assert admin.put(one, change).status_code == 404
    assert admin.get(f"/{path}").json == {"items": [], "next": None}
    assert admin.post(f"/{path}", new).status_code == 201


@pytest.mark.parametrize(("path", "new", "change", "wrong"), SORTS, ids=[each[0] for each in SORTS])
def test_its_pages(
    admin: Caller, path: str, new: dict[str, Any], change: dict[str, Any], wrong: dict[str, Any]
) -> None:
    key = "login" if "login" in new else "code"
    names = [f"{new[key]}-{number}" for number in range(5)]
    for name in names:
        assert admin.post(f"/{path}", new | {key: name}).status_code == 201
    seen, query = [], "limit=2"
    for _ in range(3):
        page: Any = admin.get(f"/{path}?{query}").json
        seen += [each[key] for each in page["items"]]
        query = f"limit=2&cursor={page['next']}"
    assert (seen, page["next"]) == (names, None)


def test_what_is_in_use_is_not_removed(admin: Caller) -> None:
    admin.post("/queues", QUEUE)
    admin.post("/agents", AGENT | {"skills": ["SUPPORT"]})
    admin.post("/mappings", rest_mapping())
    refused = admin.delete("/queues/SUPPORT")
    assert refused.status_code == 409
    assert "agent ana" in refused.text
    assert "mapping TW-SUPPORT" in refused.text
    assert admin.get("/queues/SUPPORT").json["users"] == ["agent ana", "mapping TW-SUPPORT"]  # type: ignore[index]
    admin.post("/queues", {"code": "OTHER", "name": "Other"})
    admin.platform.counts.waiting["OTHER"] = 4
    refused = admin.delete("/queues/OTHER")
    assert refused.status_code == 409
    assert "4 conversations waiting" in refused.text


def test_an_agent_of_an_unknown_queue(admin: Caller) -> None:
    answer = admin.post("/agents", AGENT | {"skills": ["NONE"]})
    assert (answer.status_code, fields_of(answer)) == (422, ["skills"])


def test_a_login_that_is_none(admin: Caller) -> None:
    answer = admin.post("/agents", AGENT | {"login": "Ana B"})
    assert (answer.status_code, fields_of(answer)) == (422, ["login"])
