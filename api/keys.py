"""API keys: how machines are known. A key is shown once, when it is made."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from flask import Response
from pydantic import AwareDatetime, BaseModel, Field

from adapters.accounts import ApiKey, Role
from api.answers import PREFIX, Document, Page, PageQuery, Query, answer, blueprint, created, no_content
from api.auth import allow, current_actor
from api.services import services
from domain.errors import NotFound
from projections.pages import behind, cursor_of

keys = blueprint("keys", "API keys of machines.")


class KeyPath(BaseModel):
    """Which key."""

    id: str


class NewKey(Document):
    """A key to make."""

    name: str
    roles: list[Role]
    expires_at: AwareDatetime | None = Field(default=None, description="Null: never.")


class KeyAnswer(BaseModel):
    """A key, without the key itself."""

    id: str
    name: str
    roles: list[Role]
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="To the minute.")


class MadeKey(KeyAnswer):
    """A key that was just made."""

    key: str = Field(description="Sent as `Authorization: Bearer …`. It is never shown again.")


class KeyPage(Page[KeyAnswer]):
    """Keys by name."""


@keys.get("/keys", responses={200: KeyPage})
@allow(Role.ADMIN)
def list_keys(query: PageQuery) -> Response:
    """List API keys, by name."""
    after = str(behind(query.cursor, [str])[0]) if query.cursor else ""
    found = services().people.keys(after, query.limit + 1)
    shown = found[: query.limit]
    more = cursor_of([shown[-1].name]) if len(found) > query.limit else None
    return answer(KeyPage(items=[KeyAnswer(**_fields(key)) for key in shown], next=more))


@keys.post("/keys", responses={201: MadeKey})
@allow(Role.ADMIN)
def add_key(body: NewKey) -> Response:
    """Make an API key. Keep what the answer shows: it is not shown again."""
    kept, key = services().people.add_key(body.name, body.roles, body.expires_at, current_actor().login)
    return created(MadeKey(**_fields(kept), key=key), f"{PREFIX}/keys/{kept.id}")


@keys.get("/keys/<id>", responses={200: KeyAnswer})
@allow(Role.ADMIN)
def get_key(path: KeyPath, query: Query) -> Response:
    """Show an API key, without the key itself."""
    key = services().people.key(path.id)
    if key is None:
        raise NotFound(f"there is no key {path.id}")
    return answer(KeyAnswer(**_fields(key)))


@keys.delete("/keys/<id>", responses={204: None})
@allow(Role.ADMIN)
def delete_key(path: KeyPath) -> Response:
    """Make an API key void."""
    services().people.remove_key(path.id)
    return no_content()


def _fields(key: ApiKey) -> dict[str, Any]:
    return asdict(key) | {"roles": sorted(key.roles)}
