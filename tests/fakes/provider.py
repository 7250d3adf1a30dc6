"""A provider that carries everything nowhere, and does as it is told."""

from collections.abc import Mapping
from typing import ClassVar

from domain.errors import FieldError
from domain.ids import Identities
from domain.providers import (
    Account,
    Carrier,
    Handover,
    Limits,
    Option,
    OptionValue,
    OutboundMessage,
    Provider,
    SecretField,
    SendError,
    WebhookReply,
    WebhookRequest,
)


class FakeCarrier(Carrier):
    """Remembers what was handed over. `failures` are raised first, one for each send."""

    def __init__(self) -> None:
        self.sent: list[OutboundMessage] = []
        self.failures: list[SendError] = []

    def send(self, message: OutboundMessage) -> Handover:
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(message)
        return Handover(f"{message.message_id}/{message.attempt}", segments=1)

    def check(self) -> list[FieldError]:
        return []


class FakeProvider(Provider):
    """Declares one of everything a provider can declare."""

    name: ClassVar[str] = "fake"
    title: ClassVar[str] = "Fake"
    credentials: ClassVar[tuple[SecretField, ...]] = (
        SecretField("user_name", "The account", hidden=False, required=True),
        SecretField("password", "Its secret", hidden=True, required=True),
        SecretField("access_secret", "Another one", hidden=True, required=False),
    )
    options: ClassVar[tuple[Option, ...]] = (
        Option("pool", str, "Numbers with the same pool share their customers' consent"),
        Option("segments_per_second", float, "Rate", default=1.0, minimum=0.1, maximum=100),
        Option("window", int, "Sends in flight", minimum=1, maximum=10),
        Option("tls", bool, "Encrypt the connection"),
        Option("alphabet", str, "How texts are encoded", choices=("gsm7", "ucs2")),
    )
    limits: ClassVar[Limits] = Limits(characters=1600, media=10, media_bytes=5_000_000)

    def __init__(self) -> None:
        self.carrier = FakeCarrier()

    def check(self, account: Account) -> list[FieldError]:
        if account.credentials.get("password") == "wrong":
            return [FieldError("credentials.password", "is not what a password looks like")]
        return []

    def sender_scope(self, options: Mapping[str, OptionValue], our_address: str) -> str:
        return str(options.get("pool") or our_address)

    def read_webhook(self, account: Account, request: WebhookRequest, ids: Identities) -> WebhookReply:
        return WebhookReply([])

    def open(self, account: Account) -> Carrier:
        return self.carrier
