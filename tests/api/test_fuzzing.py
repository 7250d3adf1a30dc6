"""Whatever fits the OpenAPI document, and what does not: never a failure, always an answer as described."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from api.app import create_app, described_app
from api.openapi import document
from projections.views import Views
from tests.api.conftest import ADMIN_KEY, Caller, rest_mapping
from tests.fakes.platform import Platform

EXAMPLES = 10  # of each operation, and as many that are wrong on purpose
CHECKS: Any = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The document of an application that has one of most things."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Views, "wait_for", lambda *_: True)  # 503 is right, but here it would hide the rest
        platform = Platform(tmp_path_factory.mktemp("fuzzing"))
        platform.services.people.ensure_admin_key(ADMIN_KEY)
        app = create_app(platform.services)
        admin = Caller(platform, app.test_client())
        admin.post("/queues", {"code": "SUPPORT", "name": "Support"})
        admin.post("/mappings", rest_mapping())
        yield schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
        platform.close()


def operations() -> Iterator[tuple[str, str, GenerationMode]]:
    """Every method of every path, right and wrong; without input nothing can be wrong.

    Left out is the stream of events, which does not end.
    """
    for path, item in document(described_app())["paths"].items():
        for method, operation in item.items():
            if path.split("/")[-1] == "stream":
                continue
            yield path, method, GenerationMode.POSITIVE
            if operation.get("parameters") or operation.get("requestBody"):
                yield path, method, GenerationMode.NEGATIVE


@pytest.mark.parametrize(("path", "method", "mode"), list(operations()))
def test_an_operation(described: Any, path: str, method: str, mode: GenerationMode) -> None:
    @given(case=described[path][method].as_strategy(generation_mode=mode))
    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def ask(case: "Case[Any]") -> None:
        case.call_and_validate(checks=CHECKS, headers={"Authorization": f"Bearer {ADMIN_KEY}"})

    ask()
