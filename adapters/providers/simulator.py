"""A simulated carrier for the demo: a `rest` provider whose handsets are on the demo page.

It keeps to the provider contract like any other, so that what the demo shows is what Parley does. The last
four digits of a handset's number choose what happens to texts for it.
"""

import hashlib
import hmac
import json
import threading
import uuid
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar
from uuid import UUID

from adapters.gateways import refuse_unsupported
from domain.errors import FieldError
from domain.facts import ReceiptReceived, ReceiptStatus, TextReceived
from domain.ids import Identities
from domain.ports import Clock
from domain.providers import (
    Account,
    BadRequest,
    BadSignature,
    Carrier,
    Handover,
    Limits,
    NotTaken,
    OptedOut,
    Option,
    OutboundMessage,
    Provider,
    Rejected,
    SecretField,
    Unknown,
    WebhookReply,
    WebhookRequest,
)

SIGNATURE = "x-simulator-signature"
SCOPE = "simulator"
LIMITS = Limits(characters=1600, media=0, media_bytes=0)

NOT_DELIVERED = "0190"  # taken, then reported undelivered
LOST_ANSWER = "0191"  # taken or not: the answer is lost, the text is in doubt
ON_OPT_OUT_LIST = "0192"
REFUSED = "0193"
BUSY = "0194"  # never taken now: tried again until its time is over


SENT_AFTER = timedelta(seconds=0.2)
DELIVERED_AFTER = timedelta(seconds=0.6)


def sign(secret: str, body: bytes) -> str:
    """The signature of a webhook's body: HMAC-SHA256 in hexadecimal."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class PendingReceipt:
    """A receipt on its way back."""

    mapping_id: UUID
    thread_id: UUID
    message: OutboundMessage
    provider_message_id: str
    status: ReceiptStatus
    due_at: datetime


class SimulatedNetwork:
    """The air between carrier and handsets: it takes a moment until a receipt is back."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._arrival = threading.Condition()
        self._receipts: deque[PendingReceipt] = deque()

    def now(self) -> datetime:
        """The network's time."""
        return self._clock.now()

    def report(self, receipt: PendingReceipt) -> None:
        """A handset or the carrier reports on a text."""
        with self._arrival:
            self._receipts.append(receipt)
            self._arrival.notify_all()

    def collect(self) -> list[ReceiptReceived]:
        """The receipts that have arrived since the last time, as facts."""
        now = self._clock.now()
        with self._arrival:
            arrived = [each for each in self._receipts if each.due_at <= now]
            self._receipts = deque(each for each in self._receipts if each.due_at > now)
        return [_receipt_fact(each) for each in arrived]

    def wait(self, timeout: float) -> None:
        """Return when a receipt has arrived, at the latest after `timeout` seconds."""
        with self._arrival:
            if not self._receipts:
                self._arrival.wait(timeout)
            if self._receipts:
                due_in = (min(each.due_at for each in self._receipts) - self._clock.now()).total_seconds()
                self._arrival.wait(min(timeout, max(0.0, due_in)))


def _receipt_fact(receipt: PendingReceipt) -> ReceiptReceived:
    return ReceiptReceived(
        key=receipt.thread_id,
        mapping_id=receipt.mapping_id,
        scope=SCOPE,
        provider_message_id=receipt.provider_message_id,
        message_id=receipt.message.message_id,
        attempt=receipt.message.attempt,
        status=receipt.status,
        provider_status=receipt.status,
        error_code="handset-off" if receipt.status is ReceiptStatus.UNDELIVERED else None,
        raw="",
    )


class SimulatorCarrier(Carrier):
    """Hands texts to the simulated network."""

    def __init__(self, account: Account, network: SimulatedNetwork, ids: Identities) -> None:
        self._account = account
        self._network = network
        self._ids = ids

    def send(self, message: OutboundMessage) -> Handover:
        refuse_unsupported(message, LIMITS, "the simulated carrier")
        ending = message.customer_address[-4:]
        if ending == REFUSED:
            raise Rejected("the simulated carrier refuses this number", "refused")
        if ending == ON_OPT_OUT_LIST:
            raise OptedOut("the number is on the simulated carrier's opt-out list", "opted-out")
        if ending == BUSY:
            raise NotTaken("the simulated carrier is busy", "busy", retry_after=5.0)
        if ending == LOST_ANSWER:
            raise Unknown("the simulated carrier's answer was lost", "lost-answer")
        provider_message_id = f"SIM{uuid.uuid4().hex}"
        last = ReceiptStatus.UNDELIVERED if ending == NOT_DELIVERED else ReceiptStatus.DELIVERED
        thread_id = self._ids.thread(message.our_address, message.customer_address)
        now = self._network.now()
        for status, after in ((ReceiptStatus.SENT, SENT_AFTER), (last, DELIVERED_AFTER)):
            self._network.report(
                PendingReceipt(
                    self._account.mapping_id, thread_id, message, provider_message_id, status, now + after
                )
            )
        return Handover(provider_message_id)

    def check(self) -> list[FieldError]:
        return []


class SimulatorProvider(Provider):
    """Installed by the demo and nowhere else."""

    name: ClassVar[str] = "simulator"
    title: ClassVar[str] = "Simulated carrier (demo)"
    credentials: ClassVar[tuple[SecretField, ...]] = (
        SecretField("password", "signs the simulated handsets' webhooks", hidden=True, required=True),
    )
    options: ClassVar[tuple[Option, ...]] = (
        Option("segments_per_second", int, "how fast the number sends", default=50, minimum=1, maximum=1000),
    )
    limits: ClassVar[Limits] = LIMITS

    def __init__(self, network: SimulatedNetwork, ids: Identities) -> None:
        self._network = network
        self._ids = ids

    def read_webhook(self, account: Account, request: WebhookRequest, ids: Identities) -> WebhookReply:
        expected = sign(account.credentials.get("password", ""), request.body)
        if not hmac.compare_digest(expected.encode(), request.headers.get(SIGNATURE, "").encode()):
            raise BadSignature
        try:
            document = json.loads(request.body)
        except ValueError as error:
            raise BadRequest("body", "is not JSON") from error
        if not isinstance(document, dict):
            raise BadRequest("body", "is not an object")
        if request.is_status:
            raise BadRequest("body", "the simulated carrier reports by itself")
        return WebhookReply([_text_from(account, document, ids)])

    def open(self, account: Account) -> Carrier:
        return SimulatorCarrier(account, self._network, self._ids)


def _text_from(account: Account, document: dict[str, object], ids: Identities) -> TextReceived:
    ours, customer = _field(document, "to"), _field(document, "from")
    return TextReceived(
        key=ids.thread(ours, customer),
        mapping_id=account.mapping_id,
        scope=SCOPE,
        provider_message_id=_field(document, "id"),
        our_address=ours,
        customer_address=customer,
        text=_field(document, "text"),
        media=(),
        keyword=None,
        raw=json.dumps(document),
    )


def _field(document: dict[str, object], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or (not value and name != "text"):
        raise BadRequest(name, "is needed, as a text")
    return value
