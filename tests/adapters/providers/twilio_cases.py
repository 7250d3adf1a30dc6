"""What Twilio's tests share: an account at the fake, signed webhooks, and the contract's far end."""

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlencode
from uuid import UUID, uuid4

from adapters.providers.twilio import TwilioProvider
from contracts.far_end import Fault, closed_port
from contracts.providers import WebhookCounterpart
from domain.facts import ReceiptStatus
from domain.providers import Account, OptionValue, OutboundMessage, WebhookRequest
from tests.fakes.twilio import FakeTwilio, sign
from tests.fakes.twilio_state import ACCOUNT_SID, AUTH_TOKEN, NUMBER

WEBHOOK = "https://parley.example/ingress/rest/TW-SUPPORT"
CUSTOMER = "+12125550123"
SERVICE = "MG0123456789abcdef0123456789abcdef"
PNG = b"\x89PNG\r\n\x1a\n" + b"picture"
FORM = "application/x-www-form-urlencoded; charset=UTF-8"


def account(
    fake_url: str, *, options: Mapping[str, OptionValue] | None = None, **credentials: str
) -> Account:
    given = {"user_name": ACCOUNT_SID, "password": AUTH_TOKEN} | credentials
    return Account(
        mapping_id=UUID(int=7),
        code="TW-SUPPORT",
        credentials={name: value for name, value in given.items() if value},
        options={"api_base": fake_url, **(options or {})},
        addresses=(NUMBER,),
        default_country="US",
        webhook_url=WEBHOOK,
    )


def webhook(
    form: dict[str, str], url: str = WEBHOOK, secret: str = AUTH_TOKEN, **headers: str
) -> WebhookRequest:
    signed = {"content-type": FORM, "x-twilio-signature": sign(url, form, secret)} | headers
    return WebhookRequest(url, signed, urlencode(form).encode(), is_status="/status" in url)


def message(**changes: object) -> OutboundMessage:
    plain = OutboundMessage(uuid4(), 1, NUMBER, CUSTOMER, "We open at nine.")
    return replace(plain, **changes)  # type: ignore[arg-type]


class Far(WebhookCounterpart):
    """Twilio, as the contract's far end."""

    customer = CUSTOMER
    refused_customer = "+15005550001"
    opted_out_customer = "+15005550004"

    def __init__(self, fake: FakeTwilio, provider: TwilioProvider) -> None:
        self.fake, self.provider = fake, provider
        self.account = account(fake.url)
        self.wrong_account = account(fake.url, password="not-the-auth-token-of-anybody")

    @property
    def accepted(self) -> list[str]:
        return [record["body"] for record in self.fake.accepted]

    def fail_next(self, fault: Fault, message: OutboundMessage) -> OutboundMessage:
        self.fake.fail_next(fault)
        return message

    def text(self, text: str, provider_message_id: str) -> WebhookRequest:
        return webhook(self.fake.text_form(CUSTOMER, NUMBER, text, MessageSid=provider_message_id))

    def receipt(
        self, message: OutboundMessage, provider_message_id: str, status: ReceiptStatus
    ) -> WebhookRequest:
        form = self.fake.receipt_form(provider_message_id, status)
        return webhook(form, f"{WEBHOOK}/status?attempt={message.message_id.hex}.{message.attempt}")

    def new_id(self) -> str:
        return f"SM{uuid4().hex}"

    def unreachable(self) -> Account:
        return account(f"http://127.0.0.1:{closed_port()}")

    def unsupported(self) -> list[OutboundMessage]:
        return [message(customer_address=f"whatsapp:{CUSTOMER}"), message(our_address=f"messenger:{NUMBER}")]
