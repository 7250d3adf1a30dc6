"""Users and API keys over HTTP."""

from typing import Any

import pytest

from tests.api.conftest import Caller, fields_of

USER = {"login": "ada", "name": "Ada", "roles": ["admin", "agent"], "password": "correct horse"}


def test_a_user_s_life(admin: Caller) -> None:
    added = admin.post("/users", USER)
    assert added.status_code == 201
    shown = {"login": "ada", "name": "Ada", "roles": ["admin", "agent"], "disabled": False}
    assert added.json == shown
    assert admin.get("/users/ada").json == shown
    assert admin.get("/users").json == {"items": [shown], "next": None}
    again = admin.post("/users", USER)
    assert (again.status_code, fields_of(again)) == (409, ["login"])
    changed = admin.put("/users/ada", {"name": "Ada L.", "roles": ["analyst"], "disabled": True})
    assert changed.json == shown | {"name": "Ada L.", "roles": ["analyst"], "disabled": True}
    assert admin.platform.services.people.verify("ada", "correct horse") is None
    assert admin.delete("/users/ada").status_code == 204
    assert admin.get("/users/ada").status_code == 404
    assert admin.delete("/users/ada").status_code == 404
    assert admin.put("/users/ada", {"name": "Ada", "roles": ["agent"]}).status_code == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"login": "Ada L"}, "login"),
        ({"name": ""}, "name"),
        ({"roles": []}, "roles"),
        ({"roles": ["king"]}, "roles[0]"),
        ({"password": "short"}, "password"),
        ({"password": None}, "password"),
        ({"disabled": "no"}, "disabled"),
    ],
)
def test_a_wrong_user(admin: Caller, change: dict[str, Any], field: str) -> None:
    answer = admin.post("/users", USER | change)
    assert (answer.status_code, fields_of(answer)) == (422, [field])
    assert "correct horse" not in answer.text
    assert admin.get("/users").json == {"items": [], "next": None}


def test_pages_of_users(admin: Caller) -> None:
    for login in "abc":
        admin.post("/users", USER | {"login": login})
    page: Any = admin.get("/users?limit=2").json
    rest: Any = admin.get(f"/users?limit=2&cursor={page['next']}").json
    assert [each["login"] for each in page["items"] + rest["items"]] == ["a", "b", "c"]
    assert rest["next"] is None


def test_a_key_is_shown_once(admin: Caller) -> None:
    made: Any = admin.post("/keys", {"name": "reports", "roles": ["analyst"]}).json
    key = made.pop("key")
    assert len(key) == 43  # 256 bits in base64
    assert made["created_by"] == "key:PARLEY_ADMIN_KEY"
    assert admin.get(f"/keys/{made['id']}").json == made
    listed = admin.get("/keys")
    assert key not in listed.text
    assert [each["name"] for each in listed.json["items"]] == ["PARLEY_ADMIN_KEY", "reports"]  # type: ignore[index]
    assert admin.get("/queues", Authorization=f"Bearer {key}").status_code == 200
    assert admin.get(f"/keys/{made['id']}").json["last_used_at"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": " "}, "name"),
        ({"roles": []}, "roles"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "2030-01-01T00:00:00"}, "expires_at"),
        ({"expires_at": "soon"}, "expires_at"),
    ],
)
def test_a_wrong_key(admin: Caller, change: dict[str, Any], field: str) -> None:
    answer = admin.post("/keys", {"name": "reports", "roles": ["analyst"]} | change)
    assert (answer.status_code, fields_of(answer)) == (422, [field])


def test_names_of_keys_are_used_once(admin: Caller) -> None:
    admin.post("/keys", {"name": "reports", "roles": ["analyst"]})
    again = admin.post("/keys", {"name": "reports", "roles": ["analyst"]})
    assert (again.status_code, fields_of(again)) == (409, ["name"])
    assert admin.delete("/keys/none").status_code == 404
    assert admin.get("/keys/none").status_code == 404
