"""Courier, an invented gateway: JSON over HTTPS, webhooks signed with HMAC-SHA256."""

import hmac
import json
from datetime import datetime
from typing import Any, ClassVar

from adapters import gateways, outgoing
from domain import facts, providers
from domain.errors import FieldError
from domain.ids import Identities

API = "https://api.courier.example"
TIMEOUT = (5.0, 20.0)  # seconds to connect, and for an answer
LIMITS = providers.Limits(characters=1000, media=0, media_bytes=0)
STATUSES = {"on-its-way": "sent", "arrived": "delivered", "lost": "failed"}  # its words, and Parley's
MEANINGS: dict[str, type[providers.SendError]] = {
    "opted-out": providers.OptedOut,
    "not-your-number": providers.Misconfigured,
    "no-credit": providers.Misconfigured,
    "queue-full": providers.NotTaken,
}  # any other error is about the one message: Rejected


def sign(secret: str, url: str, body: bytes) -> str:
    return hmac.new(secret.encode(), url.encode() + b"\n" + body, "sha256").hexdigest()


class CourierCarrier(providers.Carrier):
    """Sends for one account."""

    def __init__(self, account: providers.Account, timeout: tuple[float, float]) -> None:
        self._account, self._timeout, self._web = account, timeout, outgoing.session()

    def send(self, message: providers.OutboundMessage) -> providers.Handover:
        gateways.refuse_unsupported(message, LIMITS, "Courier")
        ours, customer = message.our_address, message.customer_address
        receipts_to = gateways.callback_url(self._account, message)
        asked = {"from": ours, "to": customer, "text": message.text, "receipts_to": receipts_to}
        return _handover(self._ask("POST", "/messages", json=asked))

    def find(self, message: providers.OutboundMessage, attempted_at: datetime) -> list[providers.Handover]:
        receipts_to = gateways.callback_url(self._account, message)  # it names the attempt
        asked = {"receipts_to": receipts_to, "since": attempted_at.isoformat()}
        return [
            _handover(each) for each in _of(self._ask("GET", "/messages", params=asked), "messages", list)
        ]

    def check(self) -> list[FieldError]:
        try:
            self._ask("GET", "/account")
        except providers.Misconfigured as error:
            return [FieldError("credentials.api_key", f"is refused: {error.detail}")]
        except providers.SendError as error:
            return [FieldError("provider", f"Courier could not be asked: {error.detail}")]
        return []

    def close(self) -> None:
        self._web.close()

    def _ask(self, method: str, path: str, **given: Any) -> Any:
        """The document that Courier answers. Raises SendError."""
        url = f"{self._account.options.get('api_base') or API}/v1{path}"
        key = {"Authorization": f"Bearer {self._account.credentials['api_key']}"}
        answer = gateways.ask_once(self._web, "Courier", method, url, self._timeout, headers=key, **given)
        try:
            document = answer.json()
        except ValueError:
            raise providers.Unknown("Courier's answer is not JSON") from None
        if answer.ok:
            return document
        code = _of(document, "error", str)
        refused = providers.Misconfigured if answer.status_code in {401, 403} else providers.Rejected
        raise MEANINGS.get(code, refused)(f"Courier refused it ({code})", code)


def _handover(record: Any) -> providers.Handover:
    return providers.Handover(_of(record, "id", str), _of(record, "parts", int))


def _of(document: Any, name: str, kind: type) -> Any:
    if not isinstance(document, dict) or not isinstance(document.get(name), kind):
        raise providers.Unknown(f"Courier's answer cannot be read: no {name}")
    return document[name]


class CourierProvider(providers.Provider):
    """Carries a mapping's texts by a Courier account."""

    name: ClassVar[str] = "courier"
    title: ClassVar[str] = "Courier"
    credentials = (
        providers.SecretField("api_key", "The account's API key", hidden=True, required=True),
        providers.SecretField("webhook_secret", "What signs its webhooks", hidden=True, required=True),
    )
    options = (providers.Option("api_base", str, "Where to reach Courier, if elsewhere", default=API),)
    limits = LIMITS
    can_find: ClassVar[bool] = True

    def __init__(self, timeout: tuple[float, float] = TIMEOUT) -> None:
        self._timeout = timeout

    def check(self, account: providers.Account) -> list[FieldError]:
        return list(gateways.base_problems(str(account.options.get("api_base") or API)))

    def open(self, account: providers.Account) -> CourierCarrier:
        return CourierCarrier(account, self._timeout)

    def read_webhook(
        self, account: providers.Account, request: providers.WebhookRequest, ids: Identities
    ) -> providers.WebhookReply:
        given = request.headers.get("courier-signature", "")
        expected = sign(account.credentials["webhook_secret"], request.url, request.body)
        if not hmac.compare_digest(expected.encode(), given.encode()):
            raise providers.BadSignature("not by this mapping's secret over this URL and body")
        try:
            document = json.loads(request.body)
        except (ValueError, RecursionError):
            raise providers.BadRequest("body", "is not JSON") from None
        return providers.WebhookReply([_fact(account, request, document, ids)])


def _fact(
    account: providers.Account, request: providers.WebhookRequest, document: Any, ids: Identities
) -> facts.TextReceived | facts.ReceiptReceived:
    def given(name: str) -> str:
        value = document.get(name) if isinstance(document, dict) else None
        if not isinstance(value, str) or not gateways.is_utf8(value):
            raise providers.BadRequest(name, "must be there, as a text")
        return value

    parties = ("from", "to") if request.is_status else ("to", "from")  # ours first
    ours, customer = (gateways.address(account, name, given(name)) for name in parties)
    common: dict[str, Any] = {
        "key": ids.thread(ours, customer),
        "mapping_id": account.mapping_id,
        "scope": CourierProvider.name,
        "provider_message_id": given("id"),
        "raw": request.body.decode(),
    }
    if not request.is_status:
        return facts.TextReceived(
            **common, our_address=ours, customer_address=customer, text=given("text"), media=(), keyword=None
        )
    message_id, attempt = gateways.attempt_in(request.url)
    if given("status") not in STATUSES:
        raise providers.BadRequest("status", f"must be one of {', '.join(STATUSES)}")
    common |= {"status": facts.ReceiptStatus(STATUSES[given("status")]), "provider_status": given("status")}
    return facts.ReceiptReceived(**common, message_id=message_id, attempt=attempt, error_code=None)
