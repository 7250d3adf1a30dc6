"""Pictures and files: uploaded to be sent, and fetched by providers through links that expire."""

from uuid import UUID

from flask import Blueprint, Response, request
from flask_openapi3.models import RawModel
from pydantic import BaseModel, Field

from adapters.accounts import Role
from adapters.downloads import checked_type
from api.access import visible_conversation
from api.answers import answer, blueprint
from api.auth import allow, current_actor, public
from api.services import services
from domain.addresses import AddressError, normalise
from domain.errors import FieldError, Forbidden, Invalid, NotFound
from domain.mappings import Claim, Mapping
from domain.providers import Rejected

LARGEST_MEDIA = 1_000_000
"""Octets. What is larger, most carriers shrink or refuse."""

media = blueprint("media", "Pictures and files to be sent.")
media_links = Blueprint("media_links", __name__)


class MediaBody(RawModel):
    """The file itself; the `Content-Type` says what it is."""

    mimetypes = ["image/jpeg", "image/png", "image/gif", "application/pdf", "text/vcard"]  # noqa: RUF012 - as declared


class UploadQuery(BaseModel):
    """For whom it is: it is encrypted with the customer's key. A conversation, or both addresses."""

    conversation_id: UUID | None = None
    our_address: str | None = Field(default=None, max_length=60)
    customer: str | None = Field(default=None, max_length=60, description="As when starting a conversation.")


class UploadDocument(BaseModel):
    """A picture or file, kept until it is sent."""

    media_id: UUID
    content_type: str
    size: int = Field(description="Octets.")


@media.post("/media", responses={201: UploadDocument})
@allow(Role.ADMIN, Role.AGENT)
def upload_media(query: UploadQuery, raw: MediaBody) -> Response:
    """Upload a picture or file; its id then goes into a message's `media_ids`."""
    customer_id = _customer_id(query)
    content = request.get_data()
    if not content:
        raise Invalid.field("body", "is empty: send the file itself")
    try:
        content_type = checked_type(request.mimetype, content)
    except Rejected as error:
        raise Invalid.field("Content-Type", error.detail) from error
    media_id = services().random_ids.new()
    services().media.put(media_id, customer_id, content_type, content)
    return answer(UploadDocument(media_id=media_id, content_type=content_type, size=len(content)), 201)


@media.before_app_request
def _allow_large_uploads() -> None:
    """Before anything reads the body: a session's token is looked for in it."""
    if request.endpoint == f"{media.name}.{upload_media.__name__}":
        request.max_content_length = LARGEST_MEDIA


def _customer_id(query: UploadQuery) -> UUID:
    if query.conversation_id is not None:
        return visible_conversation(current_actor(), query.conversation_id).customer_id
    if query.our_address is None or query.customer is None:
        raise Invalid.field("conversation_id", "give it, or both our_address and customer")
    country = _default_country(query.our_address)
    try:
        return services().ids.customer(normalise(query.customer, country))
    except AddressError as error:
        raise Invalid.field("customer", str(error)) from error


def _default_country(our_address: str) -> str:
    ids, store = services().ids, services().store
    claim = store.load({ids.claim(our_address)}).get(ids.claim(our_address))
    if not isinstance(claim, Claim) or claim.owner is None:
        raise Invalid([FieldError("our_address", f"no mapping has the number {our_address}")])
    mapping_id = ids.mapping(claim.owner)
    mapping = store.load({mapping_id}).get(mapping_id)
    return mapping.settings.default_country if isinstance(mapping, Mapping) else ""


# ── for providers ──────────────────────────────────────────────────────────────────────────────


@media_links.get("/media/<uuid:media_id>")
@public
def fetch_media(media_id: UUID) -> Response:
    """A picture or file of an outbound message, for whoever has a link of ours that has not expired."""
    expires = request.args.get("expires", "")
    signature = request.args.get("signature", "")
    is_number = expires.isascii() and expires.isdecimal() and len(expires) < 12
    now = services().clock.now()
    if not is_number or not services().links.is_valid(media_id, int(expires), signature, now):
        raise Forbidden("the link is not one of ours, or has expired")
    return file_answer(media_id)


def file_answer(media_id: UUID) -> Response:
    """A file for a browser: pictures may be shown, everything else is only to be saved."""
    try:
        content_type, content = services().media.get(media_id)
    except KeyError:
        raise NotFound("there is no such picture or file (any more)") from None
    response = Response(content, content_type=content_type)
    kind = "inline" if content_type.startswith("image/") else "attachment"
    response.headers["Content-Disposition"] = f'{kind}; filename="{media_id}"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response
