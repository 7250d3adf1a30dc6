"""Telnyx: what its webhooks say, and how they prove themselves."""

import base64
import json
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.providers.telnyx import STATUSES, TelnyxProvider
from contracts.providers import IDS
from domain.facts import MediaLink, ReceiptReceived, ReceiptStatus, TextReceived
from domain.providers import BadRequest, BadSignature, WebhookRequest
from tests.adapters.providers.telnyx_cases import CUSTOMER, WEBHOOK, account, message, raw_webhook, webhook
from tests.fakes.gateway import Record
from tests.fakes.telnyx import NUMBER, FakeTelnyx

ACCOUNT = account("https://api.telnyx.com")


@pytest.fixture
def provider() -> TelnyxProvider:
    return TelnyxProvider()


@pytest.fixture
def event(telnyx: FakeTelnyx) -> Record:
    return telnyx.text_event(WEBHOOK, CUSTOMER, NUMBER, "Hello")


def text(provider: TelnyxProvider, request: WebhookRequest) -> TextReceived:
    [fact] = provider.read_webhook(ACCOUNT, request, IDS).facts
    assert isinstance(fact, TextReceived)
    return fact


def receipt(provider: TelnyxProvider, request: WebhookRequest) -> ReceiptReceived:
    [fact] = provider.read_webhook(ACCOUNT, request, IDS).facts
    assert isinstance(fact, ReceiptReceived)
    return fact


def refused_field(provider: TelnyxProvider, request: WebhookRequest) -> str:
    with pytest.raises(BadRequest) as caught:
        provider.read_webhook(ACCOUNT, request, IDS)
    return caught.value.field


def refuse(provider: TelnyxProvider, request: WebhookRequest, **credentials: str) -> None:
    with pytest.raises(BadSignature):
        provider.read_webhook(
            replace(ACCOUNT, credentials={**ACCOUNT.credentials, **credentials}), request, IDS
        )


# ── signatures ─────────────────────────────────────────────────────────────────────────────────


def test_a_stale_webhook_is_refused(telnyx: FakeTelnyx, provider: TelnyxProvider, event: Record) -> None:
    for age in (0, 290, -290):
        assert text(provider, webhook(telnyx, event, age=age)).text == "Hello"
    for age in (310, 86_400, -310):
        refuse(provider, webhook(telnyx, event, age=age))


def test_a_fresh_time_does_not_renew_a_signature(
    telnyx: FakeTelnyx, provider: TelnyxProvider, event: Record
) -> None:
    stale, fresh = webhook(telnyx, event, age=4000), webhook(telnyx, event)
    mixed = {**stale.headers, "telnyx-timestamp": fresh.headers["telnyx-timestamp"]}
    refuse(provider, replace(stale, headers=mixed))


def test_a_replay_is_the_same_fact(telnyx: FakeTelnyx, provider: TelnyxProvider, event: Record) -> None:
    first, again = webhook(telnyx, event, age=200), webhook(telnyx, event)
    assert text(provider, first) == text(provider, first) == text(provider, again)


def test_somebody_elses_key_is_refused(telnyx: FakeTelnyx, provider: TelnyxProvider, event: Record) -> None:
    stranger = Ed25519PrivateKey.generate()
    theirs = base64.b64encode(stranger.public_key().public_bytes_raw()).decode()
    refuse(provider, webhook(telnyx, event, key=stranger))
    refuse(provider, webhook(telnyx, event), public_key=theirs)
    refuse(provider, webhook(telnyx, event), public_key="")
    refuse(provider, webhook(telnyx, event), public_key="no key")


@pytest.mark.parametrize(
    "headers",
    [
        {"telnyx-timestamp": ""},
        {"telnyx-timestamp": "now"},
        {"telnyx-timestamp": "-1"},
        {"telnyx-timestamp": "1e9"},
        {"telnyx-timestamp": "²"},
        {"telnyx-timestamp": "9" * 400},
        {"telnyx-signature-ed25519": ""},
        {"telnyx-signature-ed25519": "AAAA"},
        {"telnyx-signature-ed25519": "é"},
        {"telnyx-signature-ed25519": "A" * 88},
    ],
)
def test_garbage_in_the_headers_is_refused(
    headers: dict[str, str], telnyx: FakeTelnyx, provider: TelnyxProvider, event: Record
) -> None:
    request = webhook(telnyx, event)
    refuse(provider, replace(request, headers={**request.headers, **headers}))


def test_another_mappings_webhook_is_refused(
    telnyx: FakeTelnyx, provider: TelnyxProvider, event: Record
) -> None:
    request = webhook(telnyx, event)  # two mappings may share an account, and so its key
    refuse(provider, replace(request, url=WEBHOOK.replace("TX-SUPPORT", "TX-SALES")))
    refuse(provider, replace(request, url=f"{WEBHOOK}/status?attempt={'0' * 32}.1"))


def test_without_a_destination_the_signature_is_enough(
    telnyx: FakeTelnyx, provider: TelnyxProvider, event: Record
) -> None:
    assert text(provider, webhook(telnyx, {"data": event["data"]})).text == "Hello"


# ── texts ──────────────────────────────────────────────────────────────────────────────────────


def test_a_text(telnyx: FakeTelnyx, provider: TelnyxProvider, event: Record) -> None:
    request = webhook(telnyx, event)
    reply = provider.read_webhook(ACCOUNT, request, IDS)
    assert reply.body == ""
    assert list(reply.facts) == [
        TextReceived(
            key=IDS.thread(NUMBER, CUSTOMER),
            mapping_id=UUID(int=7),
            scope="telnyx",
            provider_message_id=event["data"]["payload"]["id"],
            our_address=NUMBER,
            customer_address=CUSTOMER,
            text="Hello",
            media=(),
            keyword=None,
            raw=request.body.decode(),
        )
    ]


@pytest.mark.parametrize(
    ("given", "keyword"), [("STOP", "STOP"), ("start", "START"), ("HELP", "HELP"), (None, None), ("X", None)]
)
def test_keywords_that_telnyx_answered(
    given: str | None, keyword: str | None, telnyx: FakeTelnyx, provider: TelnyxProvider
) -> None:
    event = telnyx.text_event(WEBHOOK, CUSTOMER, NUMBER, "Stop", autoresponse_type=given)
    assert text(provider, webhook(telnyx, event)).keyword == keyword


def test_pictures_come_without_a_text(telnyx: FakeTelnyx, provider: TelnyxProvider) -> None:
    media = [{"url": "https://media.telnyx.com/1.png", "content_type": "image/png", "size": 5}]
    media.append({"url": "https://media.telnyx.com/2", "content_type": None, "size": None})
    event = telnyx.text_event(WEBHOOK, CUSTOMER, NUMBER, None, media=media)
    event["data"]["payload"]["text"] = None
    fact = text(provider, webhook(telnyx, event))
    assert fact.text == ""
    assert fact.media == (
        MediaLink("https://media.telnyx.com/1.png", "image/png"),
        MediaLink("https://media.telnyx.com/2", ""),
    )


def test_a_text_to_a_group_is_to_the_number_that_is_ours(
    telnyx: FakeTelnyx, provider: TelnyxProvider
) -> None:
    to = [{"phone_number": "+12125550188"}, {"phone_number": NUMBER}]
    event = telnyx.text_event(WEBHOOK, CUSTOMER, NUMBER, "Hi", to=to)
    assert text(provider, webhook(telnyx, event)).our_address == NUMBER


def test_a_text_to_a_wrong_number_is_kept_as_it_is(telnyx: FakeTelnyx, provider: TelnyxProvider) -> None:
    event = telnyx.text_event(WEBHOOK, CUSTOMER, "+13125550199", "Hi")  # ingest finds no route for it
    assert text(provider, webhook(telnyx, event)).our_address == "+13125550199"


def test_a_short_code_is_kept_as_it_is(telnyx: FakeTelnyx, provider: TelnyxProvider) -> None:
    fact = text(provider, webhook(telnyx, telnyx.text_event(WEBHOOK, CUSTOMER, "12345", "Hi")))
    assert (fact.our_address, fact.key) == ("12345", IDS.thread("12345", CUSTOMER))


def test_other_scripts_come_as_they_are_or_escaped(telnyx: FakeTelnyx, provider: TelnyxProvider) -> None:
    event = telnyx.text_event(WEBHOOK, CUSTOMER, NUMBER, "Żółw 😀")
    for body in (json.dumps(event), json.dumps(event, ensure_ascii=False)):
        assert text(provider, raw_webhook(telnyx, body.encode())).text == "Żółw 😀"


def test_half_a_character_does_not_cost_the_text(telnyx: FakeTelnyx, provider: TelnyxProvider) -> None:
    event = telnyx.text_event(WEBHOOK, CUSTOMER, NUMBER, "so \U0001f600 and \ud83d")
    assert text(provider, webhook(telnyx, event)).text == "so \U0001f600 and \ufffd"


PAYLOAD = "data.payload"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": None}, f"{PAYLOAD}.id"),
        ({"id": 5}, f"{PAYLOAD}.id"),
        ({"from": None}, f"{PAYLOAD}.from.phone_number"),
        ({"from": "+12125550123"}, f"{PAYLOAD}.from"),
        ({"from": {"phone_number": ""}}, f"{PAYLOAD}.from.phone_number"),
        ({"from": {"phone_number": "9" * 65}}, f"{PAYLOAD}.from.phone_number"),
        ({"from": {"phone_number": f"whatsapp:{CUSTOMER}"}}, f"{PAYLOAD}.from.phone_number"),
        ({"to": []}, f"{PAYLOAD}.to"),
        ({"to": NUMBER}, f"{PAYLOAD}.to"),
        ({"to": [NUMBER]}, f"{PAYLOAD}.to[0]"),
        ({"to": [{"phone_number": "??"}]}, f"{PAYLOAD}.to[0].phone_number"),
        ({"text": ["Hello"]}, f"{PAYLOAD}.text"),
        ({"media": {}}, None),
        ({"media": "x"}, f"{PAYLOAD}.media"),
        ({"media": [{"content_type": "image/png"}]}, f"{PAYLOAD}.media[0].url"),
    ],
)
def test_a_wrong_field_is_named(
    changes: dict[str, Any], field: str | None, telnyx: FakeTelnyx, provider: TelnyxProvider, event: Record
) -> None:
    event["data"]["payload"] |= changes
    if field is None:
        assert text(provider, webhook(telnyx, event)).media == ()
    else:
        assert refused_field(provider, webhook(telnyx, event)) == field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"event_type": "call.initiated"}, "data.event_type"),
        ({"event_type": "message.updated"}, "data.event_type"),
        ({"event_type": None}, "data.event_type"),
        ({"payload": None}, "data.payload.id"),
        ({"payload": []}, "data.payload.id"),
        ({"payload": "x"}, "data.payload"),
    ],
)
def test_an_event_that_is_none_of_ours_is_refused(
    changes: dict[str, Any], field: str, telnyx: FakeTelnyx, provider: TelnyxProvider, event: Record
) -> None:
    event["data"] |= changes
    refused = refused_field(provider, webhook(telnyx, event))
    assert refused == field or refused.startswith("data.payload.to")


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"5", b"{", b'"\xff"', b"[" * 100_000, b'{"data": 5}', b'{"meta": 5}', b"{}"],
)
def test_a_signed_body_that_is_no_event_is_refused(
    body: bytes, telnyx: FakeTelnyx, provider: TelnyxProvider
) -> None:
    refused_field(provider, raw_webhook(telnyx, body))


# ── receipts ───────────────────────────────────────────────────────────────────────────────────


def accepted(telnyx: FakeTelnyx, url: str | None) -> str:
    record = telnyx.accept({"from": NUMBER, "to": CUSTOMER, "text": "Hello", "webhook_url": url})
    return str(record["id"])


def test_a_receipt_names_its_attempt(telnyx: FakeTelnyx, provider: TelnyxProvider) -> None:
    message_id = uuid4()
    url = f"{WEBHOOK}/status?attempt={message_id.hex}.2"
    provider_id = accepted(telnyx, url)
    telnyx.messages[provider_id]["to"][0]["status"] = "delivery_failed"
    telnyx.messages[provider_id]["errors"] = [{"code": "40008", "title": "Undeliverable"}]
    request = webhook(telnyx, telnyx.receipt_event(provider_id, url), url)
    assert receipt(provider, request) == ReceiptReceived(
        key=IDS.thread(NUMBER, CUSTOMER),
        mapping_id=UUID(int=7),
        scope="telnyx",
        provider_message_id=provider_id,
        message_id=message_id,
        attempt=2,
        status=ReceiptStatus.UNDELIVERED,
        provider_status="delivery_failed",
        error_code="40008",
        raw=request.body.decode(),
    )


def test_a_receipt_that_comes_by_the_profiles_url_names_its_attempt(
    telnyx: FakeTelnyx, provider: TelnyxProvider
) -> None:
    message_id = uuid4()
    provider_id = accepted(telnyx, f"{WEBHOOK}/status?attempt={message_id.hex}.1")
    fact = receipt(provider, webhook(telnyx, telnyx.receipt_event(provider_id, WEBHOOK), WEBHOOK))
    assert (fact.message_id, fact.attempt, fact.status) == (message_id, 1, ReceiptStatus.QUEUED)


def test_a_receipt_of_a_message_that_we_did_not_send(telnyx: FakeTelnyx, provider: TelnyxProvider) -> None:
    for url in (None, "https://elsewhere.example/hooks"):
        provider_id = accepted(telnyx, url)
        fact = receipt(provider, webhook(telnyx, telnyx.receipt_event(provider_id, WEBHOOK), WEBHOOK))
        assert (fact.message_id, fact.attempt, fact.provider_message_id) == (None, None, provider_id)


def test_a_receipt_with_its_numbers_redacted_is_keyed_by_what_it_has(
    telnyx: FakeTelnyx, provider: TelnyxProvider
) -> None:
    message_id, url = uuid4(), f"{WEBHOOK}/status"
    for webhook_url, key in ((f"{url}?attempt={message_id.hex}.1", message_id), (url, None)):
        provider_id = accepted(telnyx, webhook_url)
        event = telnyx.receipt_event(provider_id, url)
        event["data"]["payload"]["to"][0]["phone_number"] = "+1212555****"
        expected = key or IDS.inbound("telnyx", provider_id)
        assert receipt(provider, webhook(telnyx, event, url)).key == expected


@pytest.mark.parametrize("attempt", ["", "x", "0" * 32, f"{'0' * 32}.0", f"{'0' * 32}.1.2", f"{'0' * 31}g.1"])
def test_an_attempt_that_we_never_wrote_is_refused(
    attempt: str, telnyx: FakeTelnyx, provider: TelnyxProvider
) -> None:
    url = f"{WEBHOOK}/status?attempt={attempt}"
    provider_id = accepted(telnyx, url)
    assert refused_field(provider, webhook(telnyx, telnyx.receipt_event(provider_id, url), url)) == "attempt"


@pytest.mark.parametrize("status", [None, "", "webhook_delivered", "teleported"])
def test_a_status_that_is_none_is_refused(
    status: str | None, telnyx: FakeTelnyx, provider: TelnyxProvider
) -> None:
    provider_id = accepted(telnyx, WEBHOOK)
    telnyx.messages[provider_id]["to"][0]["status"] = status
    request = webhook(telnyx, telnyx.receipt_event(provider_id, WEBHOOK))
    assert refused_field(provider, request) == f"{PAYLOAD}.to[0].status"


def test_statuses_only_advance() -> None:
    order = list(ReceiptStatus)
    names = ("queued", "sending", "sent", "delivery_unconfirmed", "delivery_failed", "delivered")
    ranks = [order.index(STATUSES[name]) for name in names]
    assert ranks == sorted(ranks)


def test_a_sent_message_is_reported_back(telnyx: FakeTelnyx, provider: TelnyxProvider) -> None:
    mapping, sent = account(telnyx.url), message()
    facts: list[ReceiptReceived] = []

    def deliver(url: str, headers: Any, body: bytes) -> tuple[int, str]:
        lower = {name.lower(): value for name, value in headers.items()}
        [fact] = provider.read_webhook(mapping, WebhookRequest(url, lower, body, is_status=True), IDS).facts
        assert isinstance(fact, ReceiptReceived)
        facts.append(fact)
        return 200, ""

    telnyx._deliver = deliver
    carrier = provider.open(mapping)
    provider_id = carrier.send(sent).provider_message_id
    carrier.close()
    for status in ("delivered", "sent", "delivered"):
        assert telnyx.advance(provider_id, status, copies=2) == [200, 200]
    assert {(fact.message_id, fact.attempt) for fact in facts} == {(sent.message_id, 1)}
    assert [fact.status for fact in facts] == [
        STATUSES[name] for name in ("delivered", "sent", "delivered") for _ in "ab"
    ]
