"""What Telnyx's tests share: an account at the fake, signed webhooks, and the contract's far end."""

import json
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid4

from adapters.gateways import callback_url
from adapters.providers.telnyx import TelnyxProvider
from contracts.far_end import Fault, closed_port
from contracts.providers import WebhookCounterpart
from domain.facts import ReceiptStatus
from domain.providers import Account, OptionValue, OutboundMessage, WebhookRequest
from tests.fakes.gateway import Record
from tests.fakes.telnyx import API_KEY, NUMBER, PUBLIC_KEY, FakeTelnyx

WEBHOOK = "https://parley.example/ingress/rest/TX-SUPPORT"
CUSTOMER = "+12125550123"
PNG = b"\x89PNG\r\n\x1a\n" + b"picture"


def account(
    fake_url: str, *, options: Mapping[str, OptionValue] | None = None, **credentials: str
) -> Account:
    given = {"api_key": API_KEY, "public_key": PUBLIC_KEY} | credentials
    return Account(
        mapping_id=UUID(int=7),
        code="TX-SUPPORT",
        credentials={name: value for name, value in given.items() if value},
        options={"api_base": fake_url, **(options or {})},
        addresses=(NUMBER,),
        default_country="US",
        webhook_url=WEBHOOK,
    )


def webhook(fake: FakeTelnyx, event: Record, url: str = WEBHOOK, **signing: Any) -> WebhookRequest:
    return raw_webhook(fake, json.dumps(event).encode(), url, **signing)


def raw_webhook(fake: FakeTelnyx, body: bytes, url: str = WEBHOOK, **signing: Any) -> WebhookRequest:
    headers = {name.lower(): value for name, value in fake.headers(body, **signing).items()}
    return WebhookRequest(url, headers, body, is_status="/status" in url)


def message(**changes: object) -> OutboundMessage:
    plain = OutboundMessage(uuid4(), 1, NUMBER, CUSTOMER, "We open at nine.")
    return replace(plain, **changes)  # type: ignore[arg-type]


class Far(WebhookCounterpart):
    """Telnyx, as the contract's far end."""

    customer = CUSTOMER
    refused_customer = "+12125550001"
    opted_out_customer = "+12125550004"
    _STATUSES = MappingProxyType(
        {
            ReceiptStatus.SENT: "sent",
            ReceiptStatus.DELIVERED: "delivered",
            ReceiptStatus.FAILED: "sending_failed",
        }
    )

    def __init__(self, fake: FakeTelnyx, provider: TelnyxProvider) -> None:
        self.fake, self.provider = fake, provider
        self.account = account(fake.url)
        self.wrong_account = account(fake.url, api_key="KEY_of_nobody_at_all")

    @property
    def accepted(self) -> list[str]:
        return [record["text"] for record in self.fake.accepted]

    def fail_next(self, fault: Fault, message: OutboundMessage) -> OutboundMessage:
        self.fake.fail_next(fault)
        return message

    def text(self, text: str, provider_message_id: str) -> WebhookRequest:
        event = self.fake.text_event(WEBHOOK, CUSTOMER, NUMBER, text, id=provider_message_id)
        return webhook(self.fake, event)

    def receipt(
        self, message: OutboundMessage, provider_message_id: str, status: ReceiptStatus
    ) -> WebhookRequest:
        url = callback_url(self.account, message)
        self.fake.messages[provider_message_id]["to"][0]["status"] = self._STATUSES[status]
        return webhook(self.fake, self.fake.receipt_event(provider_message_id, url), url)

    def new_id(self) -> str:
        return str(uuid4())

    def unreachable(self) -> Account:
        return account(f"http://127.0.0.1:{closed_port()}")

    def unsupported(self) -> list[OutboundMessage]:
        return [message(customer_address=f"whatsapp:{CUSTOMER}"), message(our_address=f"rcs:{NUMBER}")]
