"""Problems: every refusal and failure as `application/problem+json` (RFC 9457), naming the fields."""

import logging
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, g, request
from flask_wtf.csrf import CSRFError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from domain.administration import VersionMismatch
from domain.errors import (
    Clash,
    Conflict,
    FieldError,
    Forbidden,
    Invalid,
    NotFound,
    Unavailable,
)
from domain.providers import BadRequest, BadSignature

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 1  # after which something that is unavailable now is worth another try

_log = logging.getLogger(__name__)


class WrongField(BaseModel):
    """A field of the request that is wrong."""

    field: str = Field(description="Its path as the document is written, such as `routes[0].address`.")
    message: str = Field(description="What would be right.")


class Problem(BaseModel):
    """Why a request was not granted (RFC 9457)."""

    model_config = ConfigDict(json_schema_extra={"required": ["type", "title", "status", "detail"]})

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[WrongField] = []
    request_id: str = Field(default="", description="Names the request in the server's log.")


def problem(
    status: int,
    detail: str,
    errors: Iterable[FieldError] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer that says what was wrong."""
    document = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        errors=[WrongField(field=each.field, message=each.message) for each in errors],
        request_id=g.get("request_id", ""),
    )
    return Response(document.model_dump_json(), status, headers, content_type=MEDIA_TYPE)


def described(status: int) -> dict[str, Any]:
    """A problem as OpenAPI describes it."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": schema}}}


def wrong_fields(error: ValidationError) -> list[FieldError]:
    """What pydantic found, each field's path as the document is written."""
    return [
        FieldError(_path(each["loc"]), each["msg"])
        for each in error.errors(include_url=False, include_context=False, include_input=False)
    ]


def invalid_document(error: ValidationError) -> Response:
    """The answer to a document or parameter that is not as described."""
    errors = wrong_fields(error)
    return problem(422, "; ".join(f"{e.field}: {e.message}" for e in errors), errors)


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path or "body"


# ── from exceptions to answers ─────────────────────────────────────────────────────────────────


def _clash(error: Clash) -> Response:
    errors = [FieldError(error.field, error.message)] if error.field else []
    return problem(409, error.message, errors)


def _conflict(_: Conflict) -> Response:
    return _unavailable("others keep changing the same thing: try again")


def _away(error: Unavailable) -> Response:
    _log.warning("%s: %s", type(error).__name__, error)
    return _unavailable("nothing can be made durable now: try the very same again")


def _unavailable(detail: str) -> Response:
    return problem(503, detail, headers={"Retry-After": str(RETRY_SECONDS)})


def _bad_request(error: BadRequest) -> Response:
    return problem(400, str(error), [FieldError(error.field, error.message)])


def _http(error: HTTPException) -> Response:
    answer = error.get_response()  # with headers such as Allow, Retry-After, WWW-Authenticate
    status = error.code or answer.status_code
    if status < 400 or answer.mimetype == MEDIA_TYPE:  # a redirect, or a problem already
        return Response(answer.get_data(), status, answer.headers)
    headers = {name: value for name, value in answer.headers if not name.startswith("Content-")}
    return problem(status, error.description or HTTPStatus(status).phrase, headers=headers)


def _too_large(error: RequestEntityTooLarge) -> Response:
    most = request.max_content_length
    detail = f"the body is longer than {most} octets" if most else str(error.description)
    return problem(413, detail, [FieldError("body", detail)])


def _unexpected(error: Exception) -> Response:
    request_id = g.get("request_id", "")
    _log.error("request %s failed", request_id, exc_info=error)
    return problem(500, f"something failed here; the log has it under {request_id}")


_HANDLERS: Mapping[type[Exception], Callable[[Any], Response]] = {
    Invalid: lambda error: problem(422, error.message, error.errors),
    NotFound: lambda error: problem(404, error.message),
    Forbidden: lambda error: problem(403, error.message),
    VersionMismatch: lambda error: problem(412, error.message, [FieldError("If-Match", error.message)]),
    Clash: _clash,
    Conflict: _conflict,
    Unavailable: _away,
    BadSignature: lambda error: problem(403, str(error)),
    BadRequest: _bad_request,
    CSRFError: lambda error: problem(403, error.description, [FieldError("X-CSRFToken", error.description)]),
    ValidationError: invalid_document,
    RequestEntityTooLarge: _too_large,
    HTTPException: _http,
    Exception: _unexpected,
}


def problem_of(error: Exception) -> Response:
    """The answer to a refusal or failure: that of the nearest kind of exception."""
    return next(_HANDLERS[kind] for kind in type(error).__mro__ if kind in _HANDLERS)(error)


def register(app: Flask) -> None:
    """Turn every exception into a problem; none reaches a client as it is."""
    for kind, handler in _HANDLERS.items():
        app.register_error_handler(kind, handler)
