"""The application over a platform of the test's own, and somebody to ask it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from werkzeug.test import TestResponse

from adapters.accounts import Role
from api.app import create_app
from tests.fakes.platform import Platform

ADMIN_KEY = "an admin key for tests, thirty-two long"
TWILIO = {"user_name": "AC" + "0" * 32, "password": "the-auth-token"}


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    platform = Platform(tmp_path)
    platform.services.people.ensure_admin_key(ADMIN_KEY)
    yield platform
    platform.close()


@pytest.fixture
def app(platform: Platform) -> OpenAPI:
    return create_app(platform.services)


@dataclass
class Caller:
    """Asks with an API key; sees at once what it did."""

    platform: Platform
    client: FlaskClient
    key: str | None = ADMIN_KEY
    headers: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, document: Any = None, **headers: str) -> TestResponse:
        """Send a JSON document, if any, to a path below /api/v1, or to any full path."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.key is not None:
            given.setdefault("Authorization", f"Bearer {self.key}")
        body = None if document is None else json.dumps(document)
        full = path if path.startswith(("/api", "/health", "/metrics")) else f"/api/v1{path}"
        kind = None if body is None else "application/json"
        answer = self.client.open(full, method=method, data=body, content_type=kind, headers=given)
        self.platform.catch_up()
        return answer

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.ask("GET", path, **headers)

    def post(self, path: str, document: Any = None, **headers: str) -> TestResponse:
        return self.ask("POST", path, document, **headers)

    def put(self, path: str, document: Any, **headers: str) -> TestResponse:
        return self.ask("PUT", path, document, **headers)

    def delete(self, path: str, **headers: str) -> TestResponse:
        return self.ask("DELETE", path, **headers)


@pytest.fixture
def admin(platform: Platform, app: OpenAPI) -> Caller:
    return Caller(platform, app.test_client())


def caller_with(admin: Caller, *roles: Role) -> Caller:
    """Somebody with an API key of these roles."""
    name = "-".join(roles)
    made = admin.post("/keys", {"name": name, "roles": list(roles)})
    return Caller(admin.platform, admin.client, made.json["key"])  # type: ignore[index]  # it is JSON


def rest_mapping(**changes: Any) -> dict[str, Any]:
    """A mapping that needs nothing but the queue SUPPORT."""
    return {
        "kind": "rest",
        "code": "TW-SUPPORT",
        "description": "Support, US",
        "status": "active",
        "default_country": "US",
        "provider": "twilio",
        "credentials": TWILIO,
        "routes": [{"address": "+15005550006", "display_name": "Support", "skill_queue": "SUPPORT"}],
    } | changes


def fields_of(answer: TestResponse) -> list[str]:
    """The fields that a problem names."""
    assert answer.mimetype == "application/problem+json", answer.text
    assert answer.json is not None
    assert answer.json["status"] == answer.status_code
    return [each["field"] for each in answer.json["errors"]]
