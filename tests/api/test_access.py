"""Who may use what: every route says so, and nobody else gets in."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from werkzeug.routing import BaseConverter, IntegerConverter, UUIDConverter

from adapters.accounts import Role, UserDraft
from api.app import create_app
from api.auth import declared_roles
from tests.api.conftest import Caller, caller_with, fields_of
from tests.fakes.platform import Platform

PASSWORD = "correct horse"


def routes(app: OpenAPI) -> list[tuple[str, str, frozenset[Role] | None]]:
    """Every method of every route: its URL, and who may use it."""
    adapter = app.url_map.bind("localhost")
    found = []
    for rule in app.url_map.iter_rules():
        values = {name: _value(converter) for name, converter in rule._converters.items()}
        url = adapter.build(rule.endpoint, values)
        roles = declared_roles(app.view_functions[rule.endpoint])
        found += [(method, url, roles) for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})]
    return found


def _value(converter: BaseConverter) -> Any:
    """Something that a variable part of a URL can be."""
    if isinstance(converter, IntegerConverter):
        return 0
    return UUID(int=0) if isinstance(converter, UUIDConverter) else "x"


def is_page(url: str) -> bool:
    """Whether people look at it, who are shown where to sign in."""
    return not url.startswith(("/api/", "/metrics"))


def test_every_route_says_who_may_use_it(app: OpenAPI) -> None:
    assert len(routes(app)) > 40
    assert [(method, url) for method, url, roles in routes(app) if roles is None] == []


def test_what_is_public(app: OpenAPI) -> None:
    public = {url.split("/")[1] for _, url, roles in routes(app) if roles == frozenset()}
    assert public <= {"ingress", "health", "static", "api", "media", "signin", ""}
    in_api = {(method, url) for method, url, roles in routes(app) if not roles and url.startswith("/api/")}
    assert in_api == {("GET", "/api/v1/openapi.json"), ("POST", "/api/v1/session")}


def test_no_route_serves_without_credentials(app: OpenAPI, admin: Caller) -> None:
    admin.key = None
    for method, url, roles in routes(app):
        if roles:
            answer = admin.client.open(url, method=method)
            if is_page(url):
                assert (answer.status_code, answer.location.split("?")[0]) == (303, "/signin"), url
                continue
            assert answer.status_code == 401, (method, url)
            assert answer.mimetype == "application/problem+json"
            assert answer.headers["WWW-Authenticate"].lower().startswith("bearer")


def test_no_route_serves_a_wrong_role(app: OpenAPI, admin: Caller) -> None:
    keys = {role: caller_with(admin, role).key for role in Role}
    tried = 0
    for method, url, roles in routes(app):
        for role in set(Role) - roles if roles else ():
            answer = admin.client.open(url, method=method, headers={"Authorization": f"Bearer {keys[role]}"})
            assert answer.status_code == 403, (method, url, role)
            tried += 1
    assert tried > 40


def test_a_route_that_says_nothing_is_closed(app: OpenAPI, platform: Platform) -> None:
    app.add_url_rule("/forgotten", "forgotten", lambda: "secret")
    caller = Caller(platform, app.test_client())
    assert caller.client.get("/forgotten").status_code == 401
    answer = caller.client.get("/forgotten", headers={"Authorization": f"Bearer {caller.key}"})
    assert answer.status_code == 403


# ── API keys ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "authorization", ["Bearer wrong", "Bearer ", "Bearer", "Basic YWRtaW46YWRtaW4=", "", "Bearer é\x80"]
)
def test_a_wrong_key_is_refused(admin: Caller, authorization: str) -> None:
    assert admin.get("/queues", Authorization=authorization).status_code == 401


def test_a_key_expires_and_can_be_made_void(admin: Caller) -> None:
    tomorrow = admin.platform.clock.now() + timedelta(days=1)
    made = admin.post("/keys", {"name": "r", "roles": ["analyst"], "expires_at": tomorrow.isoformat()}).json
    reader = Caller(admin.platform, admin.client, made["key"])  # type: ignore[index]
    assert reader.get("/queues").status_code == 200
    admin.platform.clock.move(timedelta(days=1))
    assert reader.get("/queues").status_code == 401
    other = caller_with(admin, Role.AGENT)
    assert other.get("/queues").status_code == 200
    listed: Any = admin.get("/keys").json
    (key,) = [each for each in listed["items"] if each["name"] == "agent"]
    assert admin.delete(f"/keys/{key['id']}").status_code == 204
    assert other.get("/queues").status_code == 401


# ── sessions ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def people(platform: Platform, app: OpenAPI) -> Caller:
    roles = frozenset({Role.ADMIN, Role.AGENT})
    platform.services.people.add_user(UserDraft("ada", "Ada", roles, PASSWORD))
    return Caller(platform, client_of(app), key=None)


def client_of(app: OpenAPI) -> FlaskClient:
    """A browser: it keeps cookies that are only for https too."""
    client = app.test_client()
    client.environ_base["wsgi.url_scheme"] = "https"
    return client


def sign_in(caller: Caller, password: str = PASSWORD) -> Any:
    return caller.client.post(
        "/api/v1/session", json={"login": "ada", "password": password}, base_url="https://localhost"
    )


def ask(caller: Caller, method: str, path: str, document: Any = None, token: str = "") -> Any:
    headers = {"X-CSRFToken": token} if token else {}
    return caller.client.open(
        f"/api/v1{path}", method=method, json=document, headers=headers, base_url="https://localhost"
    )


def test_a_person_signs_in_and_out(people: Caller) -> None:
    answer = sign_in(people)
    assert answer.status_code == 201
    assert answer.json["roles"] == ["admin", "agent"]
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-parley=")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    token = ask(people, "GET", "/session").json["csrf_token"]
    assert ask(people, "DELETE", "/session", token=token).status_code == 204
    assert ask(people, "GET", "/session").status_code == 401


def test_a_session_needs_its_csrf_token_to_change_anything(people: Caller) -> None:
    token = sign_in(people).json["csrf_token"]
    document = {"code": "SUPPORT", "name": "Support"}
    refused = ask(people, "POST", "/queues", document)
    assert (refused.status_code, fields_of(refused)) == (403, ["X-CSRFToken"])
    assert ask(people, "POST", "/queues", document, token="forged").status_code == 403
    assert people.platform.store.head() == 0
    assert ask(people, "POST", "/queues", document, token=token).status_code == 201


@pytest.mark.parametrize("change", [{"password": "another one"}, {"disabled": True}])
def test_a_session_ends_when_password_or_user_change(people: Caller, change: dict[str, Any]) -> None:
    sign_in(people)
    assert ask(people, "GET", "/session").status_code == 200
    draft = UserDraft("ada", "Ada", frozenset({Role.AGENT}), **{"password": None, **change})
    people.platform.services.people.modify_user(draft)
    assert ask(people, "GET", "/session").status_code == 401


def test_roles_are_those_of_now(people: Caller) -> None:
    sign_in(people)
    assert ask(people, "GET", "/users").status_code == 200
    people.platform.services.people.modify_user(UserDraft("ada", "Ada", frozenset({Role.AGENT}), None))
    assert ask(people, "GET", "/users").status_code == 403


def test_repeated_failures_have_to_wait(people: Caller) -> None:
    for _ in range(5):
        assert sign_in(people, "wrong").status_code == 401
    refused = sign_in(people)
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    people.platform.clock.move(timedelta(minutes=5))
    assert sign_in(people).status_code == 201


def test_a_disabled_user_cannot_sign_in(people: Caller) -> None:
    draft = UserDraft("ada", "Ada", frozenset({Role.AGENT}), None, disabled=True)
    people.platform.services.people.modify_user(draft)
    assert sign_in(people).status_code == 401


def test_over_plain_http_the_cookie_is_not_only_for_https(platform: Platform) -> None:
    app = create_app(replace(platform.services, public_url="http://127.0.0.1:8080"))
    platform.services.people.add_user(UserDraft("ada", "Ada", frozenset({Role.AGENT}), PASSWORD))
    answer = app.test_client().post("/api/v1/session", json={"login": "ada", "password": PASSWORD})
    assert answer.headers["Set-Cookie"].startswith("parley=")
    assert "Secure" not in answer.headers["Set-Cookie"]
