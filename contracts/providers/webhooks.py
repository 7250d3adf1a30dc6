"""The contract of providers whose gateway calls webhooks."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from contracts.providers.common import InboundContract, secrets
from contracts.providers.counterparts import WebhookCounterpart
from domain.facts import ReceiptStatus, TextReceived
from domain.providers import BadRequest, BadSignature, Carrier, OutboundMessage, WebhookRequest

MALFORMED = (b"\xff\xfe", b"%", b"{}", b"a&b", b"x=%ff", b"", b"&" * 5000, b"\x00" * 100)
FORGERIES: dict[str, Callable[[WebhookRequest], WebhookRequest]] = {
    "body": lambda request: replace(request, body=request.body + b"&Extra=1"),
    "url": lambda request: replace(request, url=request.url + "x"),
    "no signature": lambda request: replace(request, headers=_kind(request)),
    "nonsense": lambda request: replace(
        request, headers=dict.fromkeys(request.headers, "x") | _kind(request)
    ),
}


class WebhookContract(InboundContract):
    """For providers whose gateway calls webhooks."""

    def test_the_provider_names_its_texts(self, counterpart: WebhookCounterpart) -> None:
        provider_id = counterpart.new_id()
        fact = counterpart.read(counterpart.text("Hello?", provider_id))
        assert isinstance(fact, TextReceived)
        assert fact.provider_message_id == provider_id

    def test_the_same_webhook_twice_is_the_same_fact(
        self, counterpart: WebhookCounterpart, carrier: Carrier, message: OutboundMessage
    ) -> None:
        for request in _webhooks(counterpart, carrier, message):
            assert counterpart.read(request) == counterpart.read(request)

    @pytest.mark.parametrize("forgery", FORGERIES)
    def test_a_forged_webhook_is_refused(
        self, forgery: str, counterpart: WebhookCounterpart, carrier: Carrier, message: OutboundMessage
    ) -> None:
        if forgery in {"body", "url"} - counterpart.signed:
            pytest.skip(f"declared: the far end's signatures do not cover the {forgery}")
        for request in _webhooks(counterpart, carrier, message):
            with pytest.raises(BadSignature):
                counterpart.read(FORGERIES[forgery](request))

    @pytest.mark.parametrize("body", MALFORMED)
    def test_a_malformed_body_is_refused(self, body: bytes, counterpart: WebhookCounterpart) -> None:
        with pytest.raises((BadRequest, BadSignature)):
            counterpart.read(replace(counterpart.text("Hi", counterpart.new_id()), body=body))

    def test_no_secret_shows_in_what_is_said_of_a_forgery(
        self, counterpart: WebhookCounterpart, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        forged = replace(counterpart.text("Hi", counterpart.new_id()), body=b"Body=forged")
        with pytest.raises((BadSignature, BadRequest)) as caught:
            counterpart.read(forged)
        seen = f"{caught.value!r} {caught.value} {caplog.text}"
        assert [each for each in secrets(counterpart) if each in seen] == []


def _webhooks(
    counterpart: WebhookCounterpart, carrier: Carrier, message: OutboundMessage
) -> Iterator[WebhookRequest]:
    """One of each kind that comes."""
    yield counterpart.text("Give me a refund", counterpart.new_id())
    handover = carrier.send(message)
    receipt = counterpart.receipt(message, handover.provider_message_id, ReceiptStatus.DELIVERED)
    if receipt is not None:
        yield receipt


def _kind(request: WebhookRequest) -> dict[str, str]:
    return {"content-type": request.headers.get("content-type", "")}
