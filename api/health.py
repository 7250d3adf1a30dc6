"""Health: whether the process lives, and whether it can do its work."""

from flask import Blueprint, Response, jsonify
from pydantic import BaseModel

from adapters.accounts import Role
from api.answers import Query, answer, blueprint
from api.auth import allow, public
from api.services import services

health = Blueprint("probes", __name__)
health_details = blueprint("health", "How the parts of Parley are.")


class Part(BaseModel):
    """How one part of Parley is."""

    name: str
    ok: bool
    detail: str


class Parts(BaseModel):
    """How every part of Parley is."""

    ok: bool
    items: list[Part]


@health.get("/health/live")
@public
def live() -> Response:
    """200 while the process answers at all."""
    return jsonify(ok=True)


@health.get("/health/ready")
@public
def ready() -> tuple[Response, int]:
    """200 when every part works, else 503. Names the parts; what is wrong with them is for admins."""
    parts = services().health()
    ok = all(part.ok for part in parts if part.vital)
    return jsonify(ok=ok, parts={part.name: part.ok for part in parts}), 200 if ok else 503


@health_details.get("/health", responses={200: Parts})
@allow(Role.ADMIN)
def show_health(query: Query) -> Response:
    """Show how every part is, and what is wrong."""
    items = [Part(name=part.name, ok=part.ok, detail=part.detail) for part in services().health()]
    return answer(Parts(ok=all(part.ok for part in items), items=items))
