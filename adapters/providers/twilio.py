"""Twilio Programmable Messaging: what a mapping gives it, and what its webhooks say.

Sources: Twilio's "Webhook security", "TwiML for programmable messaging" and "Messages resource" pages, and
the source of its Python client. How texts are sent is in `adapters.twilio_rest`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import ClassVar
from urllib.parse import parse_qsl

from twilio.request_validator import HMAC_SHA1, HMAC_SHA256, RequestValidator, get_signature_algorithm
from twilio.twiml.messaging_response import MessagingResponse

from adapters.downloads import Download, fetch
from adapters.gateways import address, attempt_in, base_problems, is_utf8
from adapters.twilio_rest import (
    API,
    LIMITS,
    LONGEST_VALIDITY,
    MESSAGE_SID,
    TwilioCarrier,
    base_url,
    basic_auth,
)
from domain.errors import FieldError
from domain.facts import MediaLink, ReceiptReceived, ReceiptStatus, TextReceived
from domain.ids import Identities
from domain.providers import (
    Account,
    BadRequest,
    BadSignature,
    MediaContent,
    Option,
    OptionValue,
    Provider,
    Rejected,
    SecretField,
    WebhookReply,
    WebhookRequest,
)

TIMEOUT = (5.0, 15.0)  # seconds to connect, and to wait for an answer
MEDIA_CAP = 16 * 1024 * 1024  # octets; Twilio itself delivers at most 5 MB with pictures
MOST_FIELDS = 200  # of a webhook; a text with ten pictures has about fifty

STATUSES: Mapping[str, ReceiptStatus] = {
    "accepted": ReceiptStatus.QUEUED,
    "scheduled": ReceiptStatus.QUEUED,
    "queued": ReceiptStatus.QUEUED,
    "sending": ReceiptStatus.QUEUED,
    "sent": ReceiptStatus.SENT,
    "delivered": ReceiptStatus.DELIVERED,
    "partially_delivered": ReceiptStatus.UNDELIVERED,  # the customer has not got all of it
    "undelivered": ReceiptStatus.UNDELIVERED,
    "failed": ReceiptStatus.FAILED,
    "canceled": ReceiptStatus.FAILED,
    "read": ReceiptStatus.READ,
}

_NO_ANSWER = str(MessagingResponse())  # whatever there is to say goes out by the API
_ACCOUNT_SID = re.compile(r"AC[0-9a-f]{32}")
_KEY_SID = re.compile(r"SK[0-9a-f]{32}")
_SERVICE_SID = re.compile(r"MG[0-9a-f]{32}")
_MEDIA_PATH = re.compile(
    r"/2010-04-01/Accounts/(AC[0-9a-f]{32})/Messages/(?:SM|MM)[0-9a-f]{32}/Media/ME[0-9a-f]{32}"
)


class TwilioProvider(Provider):
    """Carries a mapping's texts by a Twilio account. `timeout`: seconds to connect, and for an answer."""

    name = "twilio"
    title = "Twilio"
    credentials = (
        SecretField("user_name", "Account SID (AC…)", hidden=False, required=True),
        SecretField(
            "password", "Auth Token: what Twilio signs its webhooks with", hidden=True, required=False
        ),
        SecretField(
            "previous_password",
            "The Auth Token until now, while a new one is taken up",
            hidden=True,
            required=False,
        ),
        SecretField(
            "access_key", "API key SID (SK…); sends in place of the Auth Token", hidden=False, required=False
        ),
        SecretField("access_secret", "The API key's secret", hidden=True, required=False),
        SecretField(
            "signing_secret", "SharedKey secret, if webhooks are signed with one", hidden=True, required=False
        ),
    )
    options = (
        Option("messaging_service", str, "Messaging Service SID (MG…) to send by"),
        Option("segments_per_second", float, "Rate of each number", default=1.0, minimum=0.01, maximum=2000),
        Option(
            "validity_seconds",
            int,
            "How long Twilio may go on trying, at most",
            default=LONGEST_VALIDITY,
            minimum=1,
            maximum=LONGEST_VALIDITY,
        ),
        Option("api_base", str, "Where to reach Twilio's API, if by a gateway of your own", default=API),
    )
    limits = LIMITS
    can_find: ClassVar[bool] = True
    answers_keywords: ClassVar[bool] = True

    def __init__(self, timeout: tuple[float, float] = TIMEOUT) -> None:
        self._timeout = timeout

    def check(self, account: Account) -> list[FieldError]:
        return list(_problems(account))

    def scope(self, account: Account) -> str:
        return _scope(account)

    def sender_scope(self, options: Mapping[str, OptionValue], our_address: str) -> str:
        return str(options.get("messaging_service") or our_address)

    def read_webhook(self, account: Account, request: WebhookRequest, ids: Identities) -> WebhookReply:
        form = _verified_form(account, request)
        if form.one("AccountSid") != account.credentials["user_name"]:
            raise BadRequest("AccountSid", "is not this mapping's account")
        raw = request.body.decode()
        if request.is_status:
            return WebhookReply([_receipt(account, request.url, form, raw, ids)])
        return WebhookReply([_text(account, form, raw, ids)], _NO_ANSWER, "text/xml")

    def open(self, account: Account) -> TwilioCarrier:
        return TwilioCarrier(account, self._timeout)

    def fetch_media(self, account: Account, url: str) -> MediaContent:
        base = base_url(account)
        origin, slash, rest = url.partition("/2010-04-01/")
        path = _MEDIA_PATH.fullmatch(slash + rest)
        if origin not in {API, base} or not path or path[1] != account.credentials["user_name"]:
            raise Rejected("the file is not one of this account's at Twilio")
        return fetch(Download(base + path[0], base, basic_auth(account), MEDIA_CAP, self._timeout))


# ── settings ───────────────────────────────────────────────────────────────────────────────────


def _problems(account: Account) -> Iterator[FieldError]:
    given = account.credentials
    yield from _misshapen("credentials.user_name", given.get("user_name"), _ACCOUNT_SID)
    yield from _misshapen("credentials.access_key", given.get("access_key"), _KEY_SID)
    yield from _misshapen("options.messaging_service", account.options.get("messaging_service"), _SERVICE_SID)
    for name in ("password", "previous_password", "access_secret", "signing_secret"):
        if not re.fullmatch(r"[!-~]*", given.get(name) or ""):
            yield FieldError(f"credentials.{name}", "only ASCII characters without spaces: copy it again")
    if bool(given.get("access_key")) != bool(given.get("access_secret")):
        missing = "access_secret" if given.get("access_key") else "access_key"
        yield FieldError(
            f"credentials.{missing}", "an access key and its secret go together: give both or neither"
        )
    if not (given.get("password") or given.get("access_key")):
        yield FieldError("credentials.password", "is needed to send, or else access_key and access_secret")
    elif not (given.get("password") or given.get("signing_secret")):
        yield FieldError("credentials.password", "is needed to verify webhooks, or else signing_secret")
    yield from base_problems(base_url(account))


def _misshapen(name: str, value: object, shape: re.Pattern[str]) -> Iterator[FieldError]:
    if value and not shape.fullmatch(str(value)):
        yield FieldError(name, f"must be {shape.pattern[:2]} and 32 digits or letters a to f")


# ── webhooks ───────────────────────────────────────────────────────────────────────────────────


class _Form(dict[str, list[str]]):
    """A form as it came: blank, repeated and unknown fields too, for all of them are signed."""

    def getlist(self, name: str) -> list[str]:  # this is how Twilio's validator asks
        return self[name]

    def one(self, name: str) -> str:
        """The value of a field that must be there, once."""
        if len(values := self.get(name, [])) != 1:
            raise BadRequest(name, "is given more than once" if values else "is missing")
        return values[0]

    def optional(self, name: str) -> str | None:
        """The value of a field that may be absent or blank."""
        return (self.one(name) or None) if name in self else None


def _verified_form(account: Account, request: WebhookRequest) -> _Form:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise BadRequest("Content-Type", "must be application/x-www-form-urlencoded")
    form = _parse(request.body)
    signature = request.headers.get("x-twilio-signature", "")
    algorithm, secrets = _keys(account, request.headers.get("x-twilio-webhooks-signature-settings"))
    if not (signature and request.url.isascii()):
        raise BadSignature("the request carries no signature of Twilio's")
    checks = [
        RequestValidator(secret).validate(request.url, form, signature, algorithm) for secret in secrets
    ]
    if not any(checks):
        raise BadSignature("the signature is not by this mapping's secret over this URL and form")
    return form


def _keys(account: Account, settings: str | None) -> tuple[str, list[str]]:
    # The request names the algorithm; which secret goes with it is the mapping's to say.
    algorithm = get_signature_algorithm(settings).upper()
    names = {HMAC_SHA1: ("password", "previous_password"), HMAC_SHA256: ("signing_secret",)}.get(
        algorithm, ()
    )
    return algorithm, [secret for name in names if (secret := account.credentials.get(name))]


def _parse(body: bytes) -> _Form:
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="surrogateescape",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError:
        raise BadRequest("form", f"is not a URL-encoded form of at most {MOST_FIELDS} fields") from None
    form = _Form()
    for name, value in pairs:
        if not is_utf8(name) or not is_utf8(value):
            raise BadRequest(name.encode("ascii", "replace").decode(), "is not UTF-8")
        form.setdefault(name, []).append(value)
    return form


def _scope(account: Account) -> str:
    return f"twilio:{account.credentials['user_name']}"


def _sid(form: _Form) -> str:
    sid = form.one("MessageSid")
    if not MESSAGE_SID.fullmatch(sid):
        raise BadRequest("MessageSid", "must be SM or MM and 32 digits or letters a to f")
    return sid


def _text(account: Account, form: _Form, raw: str, ids: Identities) -> TextReceived:
    if "MessageStatus" in form:
        raise BadRequest("MessageStatus", "belongs to a status callback, whose URL ends in /status")
    ours, customer = address(account, "To", form.one("To")), address(account, "From", form.one("From"))
    keyword = (form.optional("OptOutType") or "").upper()
    return TextReceived(
        key=ids.thread(ours, customer),
        mapping_id=account.mapping_id,
        scope=_scope(account),
        provider_message_id=_sid(form),
        our_address=ours,
        customer_address=customer,
        text=form.one("Body"),
        media=_media(form),
        keyword=keyword if keyword in {"STOP", "START", "HELP"} else None,
        raw=raw,
    )


def _media(form: _Form) -> tuple[MediaLink, ...]:
    count = form.optional("NumMedia") or "0"
    if not re.fullmatch(r"[0-9]{1,2}", count):
        raise BadRequest("NumMedia", "must be a small number")
    return tuple(
        MediaLink(form.one(f"MediaUrl{index}"), form.optional(f"MediaContentType{index}") or "")
        for index in range(int(count))
    )


def _receipt(account: Account, url: str, form: _Form, raw: str, ids: Identities) -> ReceiptReceived:
    status = form.one("MessageStatus")
    if status not in STATUSES:
        raise BadRequest("MessageStatus", f"must be one of {', '.join(STATUSES)}")
    sid, (message_id, attempt) = _sid(form), attempt_in(url)
    ours, customer = form.optional("From"), form.optional("To")
    thread = ids.thread(ours, customer) if ours and customer else None
    return ReceiptReceived(
        key=thread or message_id or ids.inbound(_scope(account), sid),
        mapping_id=account.mapping_id,
        scope=_scope(account),
        provider_message_id=sid,
        message_id=message_id,
        attempt=attempt,
        status=STATUSES[status],
        provider_status=status,
        error_code=form.optional("ErrorCode"),
        raw=raw,
    )
