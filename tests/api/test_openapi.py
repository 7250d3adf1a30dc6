"""The OpenAPI document: whole, and the one that is kept in docs/."""

import json
from pathlib import Path
from typing import Any

import pytest
from flask_openapi3.openapi import OpenAPI

from api.app import RESOURCES
from api.openapi import written
from tests.api.conftest import Caller

KEPT = Path(__file__).parents[2] / "docs" / "openapi.json"


@pytest.fixture
def served(admin: Caller) -> dict[str, Any]:
    document: dict[str, Any] = Caller(admin.platform, admin.client, key=None).get("/openapi.json").json  # type: ignore[assignment]
    return document


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]


def test_the_kept_document_is_the_served_one(app: OpenAPI) -> None:
    assert KEPT.read_text("utf-8") == written(app), "run: python -m api.openapi > docs/openapi.json"


def test_every_route_of_the_api_is_described(app: OpenAPI, served: dict[str, Any]) -> None:
    described = {(path, method.upper()) for path, method, _ in operations(served)}
    routed = set()
    for rule in app.url_map.iter_rules():
        path = "".join(f"{{{part}}}" if is_name else part for is_name, part in rule._trace if part != "|")
        if path.startswith("/api/v1/") and path != "/api/v1/openapi.json":
            routed |= {(path, method) for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}}
    assert described == routed


def test_no_two_schemas_share_a_name() -> None:
    seen: dict[str, Any] = {}
    for resource in RESOURCES:
        for name, schema in resource.components_schemas.items():
            assert seen.setdefault(name, schema) == schema, (resource.name, name)


def test_operations_have_names_of_their_own_and_words(served: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(served)]
    assert len(set(names)) == len(names)
    assert [path for path, _, operation in operations(served) if not operation["summary"]] == []


def test_every_operation_describes_its_problems_and_who_may(served: dict[str, Any]) -> None:
    for path, method, operation in operations(served):
        refused = {code: each for code, each in operation["responses"].items() if code[0] in "45"}
        assert {"401", "403", "422", "500"} <= set(refused), path
        assert all(
            each == {"$ref": f"#/components/responses/Problem{code}"} for code, each in refused.items()
        )
        is_public = (method, path) == ("post", "/api/v1/session")
        assert bool(operation.get("security")) is not is_public, path


def test_every_reference_leads_somewhere(served: dict[str, Any]) -> None:
    parts = served["components"]
    for kind in ("schemas", "responses"):
        found = {part.split('"')[0] for part in json.dumps(served).split(f'"#/components/{kind}/')[1:]}
        assert found - set(parts[kind]) == set()
    assert all("application/problem+json" in each["content"] for each in parts["responses"].values())


def test_commands_tell_their_position(served: dict[str, Any]) -> None:
    made = served["paths"]["/api/v1/mappings"]["post"]["responses"]["201"]
    assert "Parley-Position" in made["headers"]
    assert served["components"]["schemas"]["MappingDocument"]["example"]["code"] == "TW-SUPPORT"
