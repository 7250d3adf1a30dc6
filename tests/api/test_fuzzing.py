"""Whatever fits the OpenAPI document, and what does not: never a failure, always an answer as described."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
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


def operations() -> list[tuple[str, str]]:
    """Every method of every path, but for the stream of events, which does not end."""
    paths = document(described_app())["paths"]
    return [
        (path, method) for path, item in paths.items() for method in item if path.split("/")[-1] != "stream"
    ]


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize(("path", "method"), operations())
def test_an_operation(described: Any, path: str, method: str, mode: GenerationMode) -> None:
    @given(case=described[path][method].as_strategy(generation_mode=mode))
    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def ask(case: "Case[Any]") -> None:
        case.call_and_validate(checks=CHECKS, headers={"Authorization": f"Bearer {ADMIN_KEY}"})

    try:
        ask()
    except Unsatisfiable:
        pytest.skip("nothing wrong can be sent: there is nothing to send")
