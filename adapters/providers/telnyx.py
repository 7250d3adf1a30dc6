"""Telnyx Messaging: what a mapping gives it, and what its webhooks say.

Sources: the pages "Receiving webhooks for messaging", "Webhook fundamentals", "Advanced opt-in/out" and "Send
and receive MMS" on developers.telnyx.com, Telnyx's OpenAPI description (github.com/team-telnyx/openapi), and
the source of its Python client. How texts are sent is in `adapters.telnyx_rest`.
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from adapters.clock import SystemClock
from adapters.downloads import Download, fetch
from adapters.gateways import address, attempt_in, base_problems, is_utf8
from adapters.telnyx_rest import API, LIMITS, MESSAGE_ID, TelnyxCarrier, base_url
from domain.addresses import is_phone, is_short_code
from domain.errors import FieldError
from domain.facts import MediaLink, ReceiptReceived, ReceiptStatus, TextReceived
from domain.ids import Identities
from domain.ports import Clock
from domain.providers import (
    Account,
    BadRequest,
    BadSignature,
    MediaContent,
    Option,
    OptionValue,
    Provider,
    SecretField,
    WebhookReply,
    WebhookRequest,
)

TIMEOUT = (5.0, 15.0)  # seconds to connect, and to wait for an answer
TOLERANCE = timedelta(minutes=5)
"""How old a signature may be, as Telnyx advises; or how far ahead of our clock."""

MEDIA_CAP = 16 * 1024 * 1024  # octets

TEXT = "message.received"
RECEIPTS = ("message.sent", "message.finalized")

STATUSES: Mapping[str, ReceiptStatus] = {
    "queued": ReceiptStatus.QUEUED,
    "sending": ReceiptStatus.QUEUED,
    "sent": ReceiptStatus.SENT,
    "delivered": ReceiptStatus.DELIVERED,
    "delivery_unconfirmed": ReceiptStatus.SENT,  # the carrier has it, and never said more
    "delivery_failed": ReceiptStatus.UNDELIVERED,
    "sending_failed": ReceiptStatus.FAILED,
    "expired": ReceiptStatus.FAILED,  # it never left Telnyx's queue
}


class TelnyxProvider(Provider):
    """Carries a mapping's texts by a Telnyx account. `timeout`: seconds to connect, and for an answer.

    A messaging profile at Telnyx has one webhook URL, for texts and receipts alike: both are taken at either
    of the mapping's URLs. Message ids are UUIDs, unique whatever the account.
    """

    name = "telnyx"
    title = "Telnyx"
    credentials = (
        SecretField("api_key", "API key (KEY…)", hidden=True, required=True),
        SecretField(
            "public_key",
            "The account's public key, as the portal shows it: what Telnyx's webhooks are verified with",
            hidden=False,
            required=True,
        ),
    )
    options = (
        Option("messaging_profile", str, "Messaging profile id (a UUID) that the numbers are in"),
        Option("segments_per_second", float, "Rate of each number", default=1.0, minimum=0.01, maximum=2000),
        Option("api_base", str, "Where to reach Telnyx's API, if by a gateway of your own", default=API),
    )
    limits = LIMITS
    can_find: ClassVar[bool] = True
    answers_keywords: ClassVar[bool] = True

    def __init__(self, timeout: tuple[float, float] = TIMEOUT, clock: Clock | None = None) -> None:
        self._timeout, self._clock = timeout, clock or SystemClock()

    def check(self, account: Account) -> list[FieldError]:
        return list(_problems(account))

    def sender_scope(self, options: Mapping[str, OptionValue], our_address: str) -> str:
        return str(options.get("messaging_profile") or our_address)  # Telnyx blocks for a whole profile

    def read_webhook(self, account: Account, request: WebhookRequest, ids: Identities) -> WebhookReply:
        self._verify(account, request)
        root = _Object("body", _parsed(request.body))
        _check_destination(root, request.url)
        event, raw = root.object("data"), request.body.decode()
        kind, payload = event.text("event_type"), event.object("payload")
        if kind == TEXT:
            return WebhookReply([_text(account, payload, raw, ids)])
        if kind in RECEIPTS:
            return WebhookReply([_receipt(account, payload, raw, ids)])
        raise BadRequest(event.path("event_type"), f"must be one of {', '.join((TEXT, *RECEIPTS))}")

    def open(self, account: Account) -> TelnyxCarrier:
        return TelnyxCarrier(account, self._timeout)

    def fetch_media(self, account: Account, url: str) -> MediaContent:
        # Telnyx's links carry their own permission, for 30 days, on hosts that it does not promise to keep.
        return fetch(Download(url, base_url(account), None, MEDIA_CAP, self._timeout))

    def _verify(self, account: Account, request: WebhookRequest) -> None:
        """Raise BadSignature unless Telnyx signed this body, with this account's key, just now."""
        timestamp = request.headers.get("telnyx-timestamp", "")
        signature = _from_base64(request.headers.get("telnyx-signature-ed25519", ""))
        key = _public_key(account.credentials.get("public_key", ""))
        if not re.fullmatch(r"[0-9]{1,12}", timestamp) or not signature or key is None:
            raise BadSignature("the request carries no signature of Telnyx's, or there is no key for it")
        try:
            key.verify(signature, timestamp.encode() + b"|" + request.body)
        except InvalidSignature:
            raise BadSignature("the signature is not by this mapping's key over this time and body") from None
        if abs(self._clock.now().timestamp() - int(timestamp)) > TOLERANCE.total_seconds():
            raise BadSignature("the signature is too old, or a clock is wrong")


# ── settings ───────────────────────────────────────────────────────────────────────────────────


def _problems(account: Account) -> Iterator[FieldError]:
    given, profile = account.credentials, account.options.get("messaging_profile")
    if not re.fullmatch(r"[!-~]*", given.get("api_key") or ""):
        yield FieldError("credentials.api_key", "only ASCII characters without spaces: copy it again")
    if given.get("public_key") and _public_key(given["public_key"]) is None:
        yield FieldError(
            "credentials.public_key", "must be 32 octets in Base64: copy it from the portal again"
        )
    if profile and not MESSAGE_ID.fullmatch(str(profile)):
        yield FieldError("options.messaging_profile", "must be a UUID, in small letters")
    if not profile and not all(is_phone(each) or is_short_code(each) for each in account.addresses):
        yield FieldError("options.messaging_profile", "is needed to send with a name in place of a number")
    yield from base_problems(base_url(account))


def _from_base64(text: str) -> bytes:
    """Empty where it is no Base64."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


def _public_key(text: str) -> Ed25519PublicKey | None:
    try:
        return Ed25519PublicKey.from_public_bytes(_from_base64(text))
    except ValueError:
        return None


# ── webhooks ───────────────────────────────────────────────────────────────────────────────────


class _Object:
    """A JSON object that knows where it stands in a webhook, so that what is wrong is named in full."""

    def __init__(self, place: str, value: object) -> None:
        if not isinstance(value, dict):
            raise BadRequest(place, "must be an object")
        self._place, self._fields = place, value

    def path(self, name: str) -> str:
        """The full name of a field."""
        return name if self._place == "body" else f"{self._place}.{name}"

    def object(self, name: str) -> "_Object":
        """A field that must be an object. One that is absent is empty: what it lacks is missed by name."""
        return _Object(self.path(name), self._fields.get(name) or {})

    def objects(self, name: str) -> "list[_Object]":
        """A field that may be absent, or must be a list of objects."""
        values = self._fields.get(name) or []
        if not isinstance(values, list):
            raise BadRequest(self.path(name), "must be a list")
        return [_Object(f"{self.path(name)}[{index}]", value) for index, value in enumerate(values)]

    def optional(self, name: str) -> str | None:
        """A field that may be absent or blank, or must be a text."""
        value = self._fields.get(name)
        if value is not None and not isinstance(value, str):
            raise BadRequest(self.path(name), "must be a text")
        return value or None

    def text(self, name: str) -> str:
        """A field that must be there, as a text that can be encoded."""
        value = self.optional(name)
        if value is None or not is_utf8(value):
            raise BadRequest(self.path(name), "is missing" if value is None else "is not Unicode")
        return value

    def address(self, account: Account) -> str:
        """The address of this sender or recipient."""
        return address(account, self.path("phone_number"), self.text("phone_number"))


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body.decode())
    except (ValueError, RecursionError):
        raise BadRequest("body", "is not JSON in UTF-8") from None


def _check_destination(root: _Object, url: str) -> None:
    # The URL is not signed as such, but Telnyx repeats it in the body. Its path says whose the webhook is.
    delivered_to = root.object("meta").optional("delivered_to")
    if delivered_to is not None and _target(delivered_to) != _target(url):
        raise BadSignature("the signature is for another URL")


def _target(url: str) -> str:
    return url.partition("://")[2].partition("/")[2]


def _text(account: Account, payload: _Object, raw: str, ids: Identities) -> TextReceived:
    ours, customer = _ours(account, payload), payload.object("from").address(account)
    keyword = (payload.optional("autoresponse_type") or "").upper()
    return TextReceived(
        key=ids.thread(ours, customer),
        mapping_id=account.mapping_id,
        scope=TelnyxProvider.name,
        provider_message_id=payload.text("id"),
        our_address=ours,
        customer_address=customer,
        text=_mended(payload.optional("text") or ""),
        media=tuple(
            MediaLink(each.text("url"), each.optional("content_type") or "")
            for each in payload.objects("media")
        ),
        keyword=keyword if keyword in {"STOP", "START", "HELP"} else None,
        raw=raw,
    )


def _ours(account: Account, payload: _Object) -> str:
    """The one of ours among those that a text was sent to: a group MMS has several recipients."""
    recipients = [each.address(account) for each in payload.objects("to")]
    if not recipients:
        raise BadRequest(payload.path("to"), "is missing")
    return next((each for each in recipients if each in account.addresses), recipients[0])


def _mended(text: str) -> str:
    """A text with a mark for each lone half of a surrogate pair: it must not cost us the rest of it."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _receipt(account: Account, payload: _Object, raw: str, ids: Identities) -> ReceiptReceived:
    recipient = next(iter(payload.objects("to")), None) or _Object(f"{payload.path('to')}[0]", {})
    status = recipient.text("status")
    if status not in STATUSES:
        raise BadRequest(recipient.path("status"), f"must be one of {', '.join(STATUSES)}")
    # Telnyx repeats in the signed body what we gave it with the message: that names the attempt, even where
    # the receipt comes by the messaging profile's URL.
    message_id, attempt = attempt_in(payload.optional("webhook_url") or "")
    provider_id, error = payload.text("id"), next(iter(payload.objects("errors")), None)
    thread = _thread(account, payload.object("from"), recipient, ids)
    return ReceiptReceived(
        key=thread or message_id or ids.inbound(TelnyxProvider.name, provider_id),
        mapping_id=account.mapping_id,
        scope=TelnyxProvider.name,
        provider_message_id=provider_id,
        message_id=message_id,
        attempt=attempt,
        status=STATUSES[status],
        provider_status=status,
        error_code=error.optional("code") if error else None,
        raw=raw,
    )


def _thread(account: Account, ours: _Object, customer: _Object, ids: Identities) -> UUID | None:
    """The thread, where both numbers can be read: a messaging profile may have them redacted."""
    try:
        return ids.thread(ours.address(account), customer.address(account))
    except BadRequest:
        return None
