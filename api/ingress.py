"""Webhooks: what providers post. The hot path, so a plain Flask blueprint without documents or sessions.

A request is answered 200 only when its facts are durable. One with a bad signature, or that cannot be read,
leaves nothing behind.
"""

from urllib.parse import urlsplit

from flask import Blueprint, Response, request

from api.auth import public
from api.services import services
from domain.errors import NotFound
from domain.mapping_settings import Kind
from domain.mappings import Mapping
from domain.providers import Account, Provider, WebhookRequest

ACCEPTED = "parley_accepted_facts"

ingress = Blueprint("ingress", __name__)


@ingress.post("/ingress/rest/<code>")
@public
def text(code: str) -> Response:
    """A customer's text."""
    return accept(code, _received(is_status=False))


@ingress.post("/ingress/rest/<code>/status")
@public
def status(code: str) -> Response:
    """A receipt."""
    return accept(code, _received(is_status=True))


def accept(code: str, received: WebhookRequest) -> Response:
    """Let a mapping's provider read a request, make its facts durable, and answer.

    Raises NotFound, BadSignature, BadRequest, Unavailable.
    """
    here = services()
    mapping, account = here.accounts.receiving(code)  # deleted ones too: late receipts are still taken
    reply = _provider(mapping, account).read_webhook(account, received, here.ids)
    here.ingress.accept(reply.facts)
    request.environ[ACCEPTED] = len(reply.facts)
    return Response(reply.body, content_type=reply.content_type)


def _received(*, is_status: bool) -> WebhookRequest:
    """This request, as a provider reads it. Raises RequestEntityTooLarge."""
    return WebhookRequest(
        url=services().public_url + raw_target(),
        headers={name.lower(): value for name, value in request.headers},
        body=request.get_data(cache=False),
        is_status=is_status,
    )


def _provider(mapping: Mapping, account: Account) -> Provider:
    code = mapping.settings.code
    provider = services().providers.get(mapping.settings.provider_name)
    if mapping.settings.kind is not Kind.REST or provider is None:
        raise NotFound(f"mapping {code} takes no webhooks")
    if provider.missing_credentials(account):
        raise NotFound(f"mapping {code} is a draft without its credentials: it takes nothing yet")
    return provider


def raw_target() -> str:
    """The request's path and query exactly as they came: what a provider has signed.

    WSGI itself only has the decoded path; the servers keep the request line's target.
    """
    target: str = request.environ.get("REQUEST_URI") or request.full_path.rstrip("?")
    if target.startswith("/"):
        return target
    parts = urlsplit(target)  # the absolute form, which a client may send too (RFC 9112, section 3.2.2)
    return parts.path + (f"?{parts.query}" if parts.query else "")
