"""Whatever is wrong with a request: a problem document that names the field, and nothing recorded."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Response
from flask_openapi3.openapi import OpenAPI

from api import problems
from api.auth import public
from domain.errors import Conflict, LogUnavailable
from tests.api.conftest import ADMIN_KEY, Caller, fields_of, rest_mapping
from tests.fakes.platform import Platform

JSON = {"Content-Type": "application/json", "Authorization": f"Bearer {ADMIN_KEY}"}


@pytest.fixture(autouse=True)
def nothing_recorded(admin: Caller) -> Iterator[None]:
    """Of what any test here sends."""
    admin.post("/queues", {"code": "SUPPORT", "name": "Support"})
    before = admin.platform.store.head()
    yield
    assert admin.platform.store.head() == before


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"nonsense",
        b'{"code": "A", "name": "\\ud800"}',
        b'{"code": NaN}',
        b'{"code": "\xff"}',
        b"[" * 100_000,
        b'{"n": ' + b"9" * 5000 + b"}",
    ],
    ids=["cut", "no JSON", "half a character", "NaN", "not UTF-8", "too deep", "too long a number"],
)
def test_malformed_json(admin: Caller, body: bytes) -> None:
    answer = admin.client.post("/api/v1/queues", data=body, headers=JSON)
    assert answer.status_code == 400
    assert fields_of(answer) == []


def test_utf_16_is_not_json(admin: Caller) -> None:
    body = '{"code": "A", "name": "A"}'.encode("utf-16")
    assert admin.client.post("/api/v1/queues", data=body, headers=JSON).status_code == 400


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_another_content_type(admin: Caller, kind: str) -> None:
    headers = JSON | {"Content-Type": kind}
    assert admin.client.post("/api/v1/queues", data=b'{"code": "A"}', headers=headers).status_code == 415


def test_no_body(admin: Caller) -> None:
    answer = admin.post("/queues")
    assert (answer.status_code, fields_of(answer)) == (422, ["body"])


@pytest.mark.parametrize("document", [[], 3, "text", None, True])
def test_no_object(admin: Caller, document: Any) -> None:
    answer = admin.client.post("/api/v1/queues", data=json.dumps(document), headers=JSON)
    assert (answer.status_code, fields_of(answer)) == (422, ["body"])


def test_a_megabyte(admin: Caller) -> None:
    answer = admin.post("/queues", {"code": "A", "name": "x" * 1024 * 1024})
    assert answer.status_code == 413
    assert answer.mimetype == "application/problem+json"


@pytest.mark.parametrize(
    "environ", [{"PATH_INFO": "/api/v1/queues/\xff"}, {"QUERY_STRING": "cursor=%ff"}], ids=["path", "query"]
)
def test_an_address_that_is_not_utf_8(admin: Caller, environ: dict[str, str]) -> None:
    headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
    answer = admin.client.get("/api/v1/queues", headers=headers, environ_overrides=environ)
    assert answer.status_code == 400


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"code": "lower"}, "code"),
    ({"code": 7}, "code"),
    ({"kind": "pigeon"}, "kind"),
    ({"kind": None}, "kind"),
    ({"status": "asleep"}, "status"),
    ({"description": "x" * 201}, "description"),
    ({"default_country": "XX"}, "default_country"),
    ({"provider": "nobody"}, "provider"),
    ({"provider": None}, "provider"),
    ({"colour": "blue"}, "colour"),
    ({"host": "smsc.example.com"}, "host"),
    ({"mode": "eum_sns"}, "mode"),
    ({"user": "u"}, "user"),
    ({"credentials": {}}, "credentials.user_name"),
    ({"credentials": {"user_name": "AC", "pin": "1"}}, "credentials.pin"),
    ({"credentials": {"user_name": 1}}, "credentials.user_name.str"),
    ({"chat_control": {"idle_timeout_minutes": 0}}, "chat_control.idle_timeout_minutes"),
    ({"chat_control": {"idle_timeout_minutes": 61}}, "chat_control.idle_timeout_minutes"),
    ({"chat_control": {"idle_timeout_minutes": "ten"}}, "chat_control.idle_timeout_minutes"),
    ({"chat_control": {"idle_timeout_minutes": 2.5}}, "chat_control.idle_timeout_minutes"),
    ({"chat_control": {"idle_timeout_minutes": True}}, "chat_control.idle_timeout_minutes"),
    ({"chat_control": {"suppress_system_messages": "no"}}, "chat_control.suppress_system_messages"),
    ({"chat_control": {"max_chats": 0}}, "chat_control.max_chats"),
    ({"chat_control": {"notices": {"birthday": "x"}}}, "chat_control.notices.birthday"),
    ({"options": {"colour": "blue"}}, "options.colour"),
    ({"options": {"segments_per_second": "fast"}}, "options.segments_per_second"),
    ({"options": {"segments_per_second": 0}}, "options.segments_per_second"),
    ({"routes": []}, "routes"),
    ({"routes": {}}, "routes"),
    ({"routes": [{"address": "nonsense number!", "display_name": "A", "skill_queue": "SUPPORT"}]},
     "routes[0].address"),
    ({"routes": [{"address": "+1500555000699999999", "display_name": "A", "skill_queue": "SUPPORT"}]},
     "routes[0].address"),
    ({"routes": [{"display_name": "A", "skill_queue": "SUPPORT"}]}, "routes[0].address"),
    ({"routes": [{"address": "+15005550006", "display_name": "A"}]}, "routes[0].skill_queue"),
    ({"routes": [{"address": "+15005550006", "display_name": "A", "skill_queue": "NONE"}]},
     "routes[0].skill_queue"),
    ({"routes": [{"address": "+15005550006", "display_name": "A", "contact_flow": "f"}]},
     "routes[0].contact_flow"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "field"), WRONG, ids=[f"{field} {change}"[:60] for change, field in WRONG]
)
def test_a_wrong_field_of_a_mapping(admin: Caller, change: dict[str, Any], field: str) -> None:
    answer = admin.post("/mappings", rest_mapping(**change))
    assert answer.status_code == 422
    assert field in fields_of(answer)


def test_every_wrong_field_is_named_at_once(admin: Caller) -> None:
    control = {"idle_timeout_minutes": 99, "max_chats": -1}
    answer = admin.post("/mappings", rest_mapping(chat_control=control, default_country="Atlantis"))
    assert set(fields_of(answer)) == {
        "default_country",
        "chat_control.idle_timeout_minutes",
        "chat_control.max_chats",
    }


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=many", "limit"),
        ("limit=201", "limit"),
        ("cursor=nonsense", "cursor"),
        ("after=-1", "after"),
        ("after=99999999999999999999", "after"),
        ("after=x", "after"),
        ("colour=blue", "colour"),
        ("status=asleep", "status"),
    ],
)
def test_a_wrong_parameter(admin: Caller, query: str, field: str) -> None:
    answer = admin.get(f"/mappings?{query}")
    assert (answer.status_code, fields_of(answer)) == (422, [field])


def test_no_such_place_and_no_such_method(admin: Caller) -> None:
    assert admin.get("/nowhere").status_code == 404
    answer = admin.ask("PATCH", "/queues")
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]
    assert fields_of(answer) == []


@pytest.mark.parametrize("error", [Conflict(), LogUnavailable("full")])
def test_what_may_work_later_says_so(app: OpenAPI, admin: Caller, error: Exception) -> None:
    answer = failing(app, admin, error)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == str(problems.RETRY_SECONDS)


def test_a_failure_of_ours_tells_a_number_and_nothing_else(
    app: OpenAPI, admin: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    answer = failing(app, admin, RuntimeError("the customer's text"))
    assert answer.status_code == 500
    assert "customer" not in answer.text
    assert "Traceback" not in answer.text
    assert answer.json is not None
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]
    assert answer.json["request_id"] in caplog.text


def failing(app: OpenAPI, admin: Caller, error: Exception) -> Any:
    """What a client is told when a view function raises."""

    @public
    def fail() -> Response:
        raise error

    app.view_functions["probes.live"] = fail
    return admin.get("/health/live")


def test_every_answer_has_the_security_headers(admin: Caller) -> None:
    for path in ("/queues", "/nowhere", "/health/live"):
        headers = admin.get(path).headers
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Strict-Transport-Security"]
        assert headers["Cache-Control"] == "no-store"
        assert "Server" not in headers


def test_forged_proxy_headers_change_nothing(admin: Caller, platform: Platform) -> None:
    forged = {"Host": "evil.example", "X_Forwarded_Host": "evil.example", "X_Forwarded_Proto": "http"}
    answer = admin.get("/queues/SUPPORT", **forged)
    assert answer.status_code == 200
    assert "evil" not in answer.text + str(answer.headers)
