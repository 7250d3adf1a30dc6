"""The OpenAPI document: made of the functions that serve it, and kept as `docs/openapi.json`.

python -m api.openapi > docs/openapi.json
"""

import json
import sys
from typing import Any

from flask import Response
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI

from api import problems
from api.answers import POSITION_HEADER, PREFIX
from api.auth import CSRF_HEADER, public

VERSION = "1"
DESCRIPTION = f"""\
SMS conversations for contact centres.

Errors are problem details (RFC 9457) that name the field. The answer to a command carries
`{POSITION_HEADER}`; a read with `after` set to it shows what the command did. A list is a page of `items` and
the cursor of the `next`. Machines send an API key; people's pages send their session's cookie, and with
everything but reads the header `{CSRF_HEADER}`."""

_SCHEMES: dict[str, Any] = {
    "api_key": {"type": "http", "scheme": "bearer", "description": "An API key."},
    "session": {"type": "apiKey", "in": "cookie", "name": "parley", "description": "Of a person signed in."},
}
_POSITION = {
    "description": "Where the views show what was done: send it as `after`.",
    "schema": {"type": "integer"},
}


def make_app() -> OpenAPI:
    """An application without resources yet."""
    app = OpenAPI(
        "api",
        info=Info(title="Parley", version=VERSION, description=DESCRIPTION),
        security_schemes=_SCHEMES,
        doc_ui=False,
        validation_error_model=problems.Problem,
    )

    @public
    def serve() -> Response:
        return Response(written(app), mimetype="application/json")

    app.add_url_rule(f"{PREFIX}/openapi.json", "openapi", serve)
    return app


def document(app: OpenAPI) -> dict[str, Any]:
    """The whole document."""
    described: dict[str, Any] = json.loads(json.dumps(app.api_doc))
    shared: dict[str, Any] = {}
    described["components"]["responses"] = shared
    for item in described["paths"].values():
        for method, operation in item.items():
            operation["responses"] = {
                status: _share(status, response, shared)
                for status, response in operation["responses"].items()
            }
            if method != "get":
                _add_position(operation)
    return described


def written(app: OpenAPI) -> str:
    """The document as it is kept."""
    return json.dumps(document(app), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _share(status: str, response: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    """A problem described once for all operations; other answers as they are."""
    if problems.MEDIA_TYPE not in response.get("content", {}):
        return response
    name = f"Problem{status}"
    shared[name] = response
    return {"$ref": f"#/components/responses/{name}"}


def _add_position(operation: dict[str, Any]) -> None:
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            response["headers"] = {POSITION_HEADER: _POSITION}


def main() -> None:
    """Print the document."""
    from api.app import described_app  # noqa: PLC0415 - which imports this module

    sys.stdout.write(written(described_app()))


if __name__ == "__main__":
    main()
