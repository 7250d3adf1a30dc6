"""Mappings: what providers and numbers are administered by."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Response
from pydantic import BaseModel, Field

from adapters.accounts import Role
from api.answers import (
    Document,
    IfMatch,
    Page,
    PageQuery,
    Query,
    answer,
    blueprint,
    etag,
    expected_version,
    no_content,
)
from api.auth import allow, current_actor
from api.configuration import page_of
from api.mapping_documents import (
    MappingAnswer,
    MappingDocument,
    MappingKind,
    MappingStatus,
    mapping_answer,
    own_name,
)
from api.problems import described
from api.services import services
from domain.errors import Invalid, NotFound
from domain.mapping_settings import Kind, MappingSettings
from domain.mappings import Mapping
from projections.configuration import Sort
from projections.configuration_queries import Listed

mappings = blueprint("mappings", "Provider configurations with their numbers.")

_VERSIONED: dict[str | int, Any] = {412: described(412), 428: described(428)}


class MappingPath(BaseModel):
    """Which mapping."""

    code: str


class RoutePath(MappingPath):
    """Which of its numbers."""

    address: str = Field(description="In E.164, or a short code, or a sender name.")


class MappingQuery(PageQuery):
    """Which mappings to list."""

    kind: MappingKind | None = None
    status: MappingStatus | None = None
    q: str | None = Field(
        default=None, max_length=100, description="A part of code, description, address or display name."
    )


class NewCode(Document):
    """What a duplicate is to be called."""

    code: str


class Target(Document):
    """Where a number is to go."""

    to: str = Field(description="The code of the mapping that gets it.")


class MappingPage(Page[MappingAnswer]):
    """Mappings by code."""


@mappings.get("/mappings", responses={200: MappingPage})
@allow(Role.ADMIN)
def list_mappings(query: MappingQuery) -> Response:
    """List mappings, by code."""
    listed = Listed(search=query.q or "", kind=query.kind or "", status=query.status or "")
    page, following = page_of(Mapping, Sort.MAPPING, services().ids.mapping, query, listed)
    items = [_document(each.settings, each.version) for each in page]
    return answer(MappingPage(items=items, next=following))


@mappings.post("/mappings", responses={201: MappingAnswer})
@allow(Role.ADMIN)
def add_mapping(body: MappingDocument) -> Response:
    """Add a mapping."""
    draft = body.draft(services().providers)
    with _own_fields(body.kind):
        done = services().mappings.add(current_actor(), draft)
    return _created(body.code, done.position)


@mappings.get("/mappings/<code>", responses={200: MappingAnswer})
@allow(Role.ADMIN)
def get_mapping(path: MappingPath, query: Query) -> Response:
    """Show a mapping."""
    return _shown(path.code)


@mappings.put("/mappings/<code>", responses={200: MappingAnswer, **_VERSIONED})
@allow(Role.ADMIN)
def modify_mapping(path: MappingPath, header: IfMatch, body: MappingDocument) -> Response:
    """Replace a mapping's settings. A secret that is left out stays, null clears it."""
    version = expected_version(header)
    kind = present_mapping(path.code).settings.kind
    if body.code != path.code:
        raise Invalid.field("code", f"cannot be changed; it is {path.code}. A duplicate may have another")
    if body.kind is not kind:  # said before its fields are measured by another kind's
        raise Invalid.field("kind", f"cannot be changed; it is {kind}")
    draft = body.draft(services().providers)
    with _own_fields(body.kind):
        done = services().mappings.modify(current_actor(), draft, version)
    return _shown(path.code, done.position)


@mappings.delete("/mappings/<code>", responses={204: None, **_VERSIONED})
@allow(Role.ADMIN)
def delete_mapping(path: MappingPath, header: IfMatch) -> Response:
    """Take a mapping out of use. Refused while conversations are open; late receipts are still taken."""
    version = expected_version(header)
    return no_content(services().mappings.delete(current_actor(), path.code, version).position)


@mappings.post("/mappings/<code>/duplicate", responses={201: MappingAnswer})
@allow(Role.ADMIN)
def duplicate_mapping(path: MappingPath, body: NewCode) -> Response:
    """Make a draft with everything but code, description and numbers; secrets are copied."""
    done = services().mappings.duplicate(current_actor(), path.code, body.code)
    return _created(body.code, done.position)


@mappings.post("/mappings/<code>/routes/<address>/move", responses={200: MappingAnswer})
@allow(Role.ADMIN)
def move_route(path: RoutePath, body: Target) -> Response:
    """Move a number with its route to another mapping, at once; threads and conversations survive."""
    if present_mapping(path.code).settings.route(path.address) is None:
        raise NotFound(f"mapping {path.code} has no route {path.address}")
    done = services().mappings.move_address(current_actor(), path.address, body.to)
    return _shown(body.to, done.position)


def present_mapping(code: str) -> Mapping:
    """The mapping with this code, unless it was deleted. Raises NotFound."""
    mapping = services().accounts.mapping(code)
    if mapping.deleted:
        raise NotFound(f"there is no mapping {code}")
    return mapping


@contextmanager
def _own_fields(kind: Kind) -> Iterator[None]:
    """Name the fields of an error as the kind's document has them."""
    try:
        yield
    except Invalid as error:
        raise Invalid([own_name(kind, each) for each in error.errors]) from None


def _created(code: str, position: int) -> Response:
    response = _shown(code, position)
    response.status_code = 201
    response.location = f"{services().public_url}/api/v1/mappings/{code}"
    return response


def _shown(code: str, position: int | None = None) -> Response:
    mapping = present_mapping(code)
    return answer(
        _document(mapping.settings, mapping.version), position=position, headers=etag(mapping.version)
    )


def _document(settings: MappingSettings, version: int) -> MappingAnswer:
    provider = services().providers.get(settings.provider_name)
    return mapping_answer(settings, version, provider, services().accounts.webhook_url(settings.code))
