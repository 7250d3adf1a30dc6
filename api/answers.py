"""What the resources share: documents, parameters, pages, versions and positions."""

from collections.abc import Mapping
from typing import Generic, TypeVar

from flask import Flask, Response, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, ConfigDict, Field
from werkzeug.exceptions import PreconditionRequired, ServiceUnavailable

from api.problems import RETRY_SECONDS, described
from api.services import services
from domain.administration import VersionMismatch
from domain.errors import Invalid

PREFIX = "/api/v1"
POSITION_HEADER = "Parley-Position"
LONGEST_WAIT = 2.0  # seconds that a read waits for the views
LARGEST_NUMBER = 2**63 - 1  # that the store can hold

SECURITY: list[dict[str, list[str]]] = [{"api_key": []}, {"session": []}]
_REFUSALS = (400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503)

T = TypeVar("T")


class Document(BaseModel):
    """A JSON document that somebody sends: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class Query(BaseModel):
    """The parameters that every read takes."""

    model_config = ConfigDict(extra="forbid")

    after: int | None = Field(
        default=None,
        ge=0,
        le=LARGEST_NUMBER,
        description="A `Parley-Position`: the answer shows everything up to there.",
    )


class PageQuery(Query):
    """The parameters that every list takes."""

    cursor: str | None = Field(default=None, max_length=200, description="`next` of the page before.")
    limit: int = Field(default=50, ge=1, le=200, description="Most items of a page.")


class Page(BaseModel, Generic[T]):
    """A page of a list."""

    items: list[T]
    next: str | None = Field(description="The cursor of the next page; null on the last.")


class IfMatch(BaseModel):
    """The version that the caller has read."""

    if_match: str | None = Field(
        default=None,
        alias="If-Match",
        description='The `ETag` that was read, such as `"3"`. Needed: without it the answer is 428.',
    )


def blueprint(name: str, description: str, *, secured: bool = True) -> APIBlueprint:
    """A blueprint for one kind of resource under `/api/v1`, with the problems that any route may answer.

    One that is not `secured` has public routes: the others there say `security=SECURITY`.
    """
    return APIBlueprint(
        name.replace(" ", "_"),
        __name__,
        url_prefix=PREFIX,
        abp_tags=[Tag(name=name, description=description)],
        abp_security=SECURITY if secured else [],
        operation_id_callback=_operation_id,
        abp_responses={status: described(status) for status in _REFUSALS},
    )


def _operation_id(*, name: str, path: str, method: str) -> str:
    return name


def answer(
    document: BaseModel,
    status: int = 200,
    *,
    position: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A document as JSON; with the position at which a command can be seen."""
    response = Response(document.model_dump_json(), status, headers, mimetype="application/json")
    return _at(response, position)


def no_content(position: int | None = None) -> Response:
    """The answer to a command that has nothing to say."""
    return _at(Response(status=204), position)


def _at(response: Response, position: int | None) -> Response:
    if position is not None:
        response.headers[POSITION_HEADER] = str(position)
    return response


def created(document: BaseModel, path: str, position: int | None = None) -> Response:
    """The answer to the making of something, and where it is found from now on."""
    return answer(document, 201, position=position, headers={"Location": f"{services().public_url}{path}"})


def etag(version: int) -> dict[str, str]:
    """The header that tells a resource's version."""
    return {"ETag": f'"{version}"'}


def expected_version(header: IfMatch) -> int | None:
    """The version that the caller has read; None for any (`*`).

    Raises PreconditionRequired without the header, VersionMismatch when it names no version of ours.
    """
    given = (header.if_match or "").strip()
    if not given:
        raise PreconditionRequired("send the ETag that was read as If-Match, so that nobody's change is lost")
    if given == "*":
        return None
    version = given.removeprefix('"').removesuffix('"')
    if not (version.isascii() and version.isdecimal() and len(version) < 10):
        raise VersionMismatch(f"{given[:40]} is not the present version")
    return int(version)


def wait_for_views() -> None:
    """Let a read with `after` wait until the views have got there.

    Raises Invalid for a wrong number, ServiceUnavailable when it takes too long.
    """
    if request.method != "GET" or not request.path.startswith(f"{PREFIX}/"):
        return
    given = request.args.get("after")
    if given is None:
        return
    if not (given.isascii() and given.isdecimal() and len(given) < 20 and int(given) <= LARGEST_NUMBER):
        raise Invalid.field("after", "must be the Parley-Position of an answer")
    if not services().views.wait_for(int(given), LONGEST_WAIT):
        raise ServiceUnavailable(
            f"the views have not reached position {given} yet", retry_after=RETRY_SECONDS
        )


def register(app: Flask) -> None:
    """Let every read wait for its `after`."""
    app.before_request(wait_for_views)
