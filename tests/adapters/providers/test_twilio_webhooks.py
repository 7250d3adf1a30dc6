"""Twilio: what its webhooks say, and how they prove themselves."""

import hashlib
from dataclasses import replace
from urllib.parse import urlencode
from uuid import UUID, uuid4

import pytest
from twilio.request_validator import RequestValidator
from twilio.rest.api.v2010.account.message import MessageInstance

from adapters.providers.twilio import STATUSES, TwilioProvider
from contracts.providers import IDS
from domain.facts import MediaLink, ReceiptReceived, ReceiptStatus, TextReceived
from domain.providers import BadRequest, BadSignature, WebhookRequest
from tests.adapters.providers.twilio_cases import CUSTOMER, FORM, SERVICE, WEBHOOK, account, message, webhook
from tests.fakes.twilio import FakeTwilio, sign
from tests.fakes.twilio_state import ACCOUNT_SID, AUTH_TOKEN, NUMBER

ACCOUNT = account("https://api.twilio.com")
SHARED_KEY = {"x-twilio-webhooks-signature-settings": "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"}
SECRET = "shared-key-secret"


@pytest.fixture
def form(fake: FakeTwilio) -> dict[str, str]:
    return fake.text_form(CUSTOMER, NUMBER, "Hello")


def text(provider: TwilioProvider, request: WebhookRequest, **credentials: str) -> TextReceived:
    mapping = account("https://api.twilio.com", options=None, **credentials)
    [fact] = provider.read_webhook(mapping, request, IDS).facts
    assert isinstance(fact, TextReceived)
    return fact


def refused_field(provider: TwilioProvider, request: WebhookRequest) -> str:
    with pytest.raises(BadRequest) as caught:
        provider.read_webhook(ACCOUNT, request, IDS)
    return caught.value.field


# ── signatures ─────────────────────────────────────────────────────────────────────────────────


def test_the_documented_signature(provider: TwilioProvider) -> None:
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    form = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675310",
        "Digits": "1234",
        "From": "+14158675310",
        "To": "+18005551212",
    }
    headers = {"content-type": FORM, "x-twilio-signature": "GvWf1cFY/Q7PnoempGyD5oXAezc="}
    request = WebhookRequest(url, headers, urlencode(form).encode(), is_status=False)
    mapping = account("https://api.twilio.com", password="12345")
    with pytest.raises(BadRequest, match="AccountSid"):  # verified; only that this is no text
        provider.read_webhook(mapping, request, IDS)
    for forged in (
        replace(request, url=url + "1"),
        replace(request, body=request.body.replace(b"1234", b"1235")),
    ):
        with pytest.raises(BadSignature):
            provider.read_webhook(mapping, forged, IDS)


def test_the_fake_signs_as_twilios_own_validator_expects(form: dict[str, str]) -> None:
    validator = RequestValidator(AUTH_TOKEN)
    assert validator.validate(WEBHOOK, form, sign(WEBHOOK, form, AUTH_TOKEN))
    assert validator.validate(WEBHOOK, form, sign(WEBHOOK, form, AUTH_TOKEN, "sha256"), "HMAC_SHA256")


def test_blank_unknown_and_spaced_fields_are_signed(provider: TwilioProvider, form: dict[str, str]) -> None:
    odd = form | {"Body": "  two  spaces \r\n", "ToCity": "", "BrandNew": "", "Ünï": "cödé & = + %"}
    assert text(provider, webhook(odd)).text == "  two  spaces \r\n"
    missing = urlencode({name: value for name, value in odd.items() if value}).encode()
    with pytest.raises(BadSignature):
        provider.read_webhook(ACCOUNT, replace(webhook(odd), body=missing), IDS)


def test_repeated_unknown_fields_are_signed(provider: TwilioProvider, form: dict[str, str]) -> None:
    signed = RequestValidator(AUTH_TOKEN).compute_signature(WEBHOOK, _Repeated({**form, "New": ["b", "a"]}))
    request = webhook(form, **{"x-twilio-signature": signed})
    assert text(provider, replace(request, body=request.body + b"&New=b&New=a")).text == "Hello"


class _Repeated(dict[str, str | list[str]]):
    def getlist(self, name: str) -> list[str]:
        value = self[name]
        return value if isinstance(value, list) else [value]


def test_the_ports_presence_does_not_matter(provider: TwilioProvider, form: dict[str, str]) -> None:
    with_port = sign(WEBHOOK.replace("parley.example", "parley.example:443"), form, AUTH_TOKEN)
    assert text(provider, webhook(form, **{"x-twilio-signature": with_port})).text == "Hello"


def test_the_scheme_matters(provider: TwilioProvider, form: dict[str, str]) -> None:
    request = webhook(form)
    with pytest.raises(BadSignature):
        provider.read_webhook(ACCOUNT, replace(request, url=WEBHOOK.replace("https", "http")), IDS)


def test_the_previous_auth_token_counts_while_it_is_kept(
    provider: TwilioProvider, form: dict[str, str]
) -> None:
    old, new = webhook(form, secret="old-token"), webhook(form)
    assert text(provider, old, previous_password="old-token") == text(
        provider, new, previous_password="old-token"
    )
    with pytest.raises(BadSignature):
        text(provider, old)


def test_a_shared_key_signs_with_sha256(provider: TwilioProvider, form: dict[str, str]) -> None:
    signature = {"x-twilio-signature": sign(WEBHOOK, form, SECRET, "sha256")}
    request = webhook(form, **signature, **SHARED_KEY)
    assert text(provider, request, signing_secret=SECRET, password="").text == "Hello"
    with pytest.raises(BadSignature):
        text(provider, request)  # no such secret
    with pytest.raises(BadSignature):
        text(provider, request, signing_secret="another")
    with pytest.raises(BadSignature):  # the algorithm is not for the caller to choose
        text(provider, webhook(form, **signature), signing_secret=SECRET)
    by_token = {"x-twilio-signature": sign(WEBHOOK, form, AUTH_TOKEN, "sha256")}
    with pytest.raises(BadSignature):  # nor the secret
        text(provider, webhook(form, **by_token, **SHARED_KEY), signing_secret=SECRET)


def test_an_algorithm_that_nobody_knows_is_refused(provider: TwilioProvider, form: dict[str, str]) -> None:
    settings = {"x-twilio-webhooks-signature-settings": "key=x,algorithm=HMAC_MD5"}
    signature = {"x-twilio-signature": sign(WEBHOOK, form, AUTH_TOKEN, "md5")}
    with pytest.raises(BadSignature):
        text(provider, webhook(form, **signature, **settings), signing_secret=SECRET)


def test_json_is_never_read(provider: TwilioProvider) -> None:
    body = b'{"AccountSid": "AC"}'
    url = f"{WEBHOOK}?bodySHA256={hashlib.sha256(body).hexdigest()}"
    headers = {"content-type": "application/json", "x-twilio-signature": sign(url, {}, AUTH_TOKEN)}
    assert refused_field(provider, WebhookRequest(url, headers, body, is_status=False)) == "Content-Type"


# ── texts ──────────────────────────────────────────────────────────────────────────────────────


def test_a_text_and_its_answer(provider: TwilioProvider, form: dict[str, str]) -> None:
    request = webhook(form)
    reply = provider.read_webhook(ACCOUNT, request, IDS)
    assert reply.content_type == "text/xml"
    assert reply.body == '<?xml version="1.0" encoding="UTF-8"?><Response />'
    assert list(reply.facts) == [
        TextReceived(
            key=IDS.thread(NUMBER, CUSTOMER),
            mapping_id=UUID(int=7),
            scope=f"twilio:{ACCOUNT_SID}",
            provider_message_id=form["MessageSid"],
            our_address=NUMBER,
            customer_address=CUSTOMER,
            text="Hello",
            media=(),
            keyword=None,
            raw=request.body.decode(),
        )
    ]


def test_behind_a_messaging_service_the_number_is_still_ours(
    provider: TwilioProvider, form: dict[str, str]
) -> None:
    assert text(provider, webhook(form | {"MessagingServiceSid": SERVICE})).our_address == NUMBER


def test_a_short_code_is_kept_as_it_is(provider: TwilioProvider, form: dict[str, str]) -> None:
    fact = text(provider, webhook(form | {"To": "12345"}))
    assert (fact.our_address, fact.key) == ("12345", IDS.thread("12345", CUSTOMER))


@pytest.mark.parametrize(
    ("given", "keyword"), [("STOP", "STOP"), ("start", "START"), ("HELP", "HELP"), ("", None), ("X", None)]
)
def test_keywords_that_twilio_acted_on(
    given: str, keyword: str | None, provider: TwilioProvider, form: dict[str, str]
) -> None:
    assert text(provider, webhook(form | {"OptOutType": given})).keyword == keyword


def test_pictures_come_with_a_blank_text(fake: FakeTwilio, provider: TwilioProvider) -> None:
    urls = [fake.add_media(b"1"), fake.add_media(b"2")]
    fact = text(provider, webhook(fake.text_form(CUSTOMER, NUMBER, "", media=urls)))
    assert fact.text == ""
    assert fact.media == tuple(MediaLink(url, "image/png") for url in urls)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"AccountSid": "AC" + "f" * 32}, "AccountSid"),
        ({"AccountSid": None}, "AccountSid"),
        ({"MessageSid": "SM1"}, "MessageSid"),
        ({"MessageSid": None}, "MessageSid"),
        ({"Body": None}, "Body"),
        ({"From": None}, "From"),
        ({"From": ""}, "From"),
        ({"From": "9" * 65}, "From"),
        ({"From": f"whatsapp:{CUSTOMER}"}, "From"),
        ({"To": "messenger:1"}, "To"),
        ({"NumMedia": "many"}, "NumMedia"),
        ({"NumMedia": "-1"}, "NumMedia"),
        ({"NumMedia": "1"}, "MediaUrl0"),
        ({"MessageStatus": "sent"}, "MessageStatus"),
    ],
)
def test_a_wrong_field_is_named(
    change: dict[str, str | None], field: str, provider: TwilioProvider, form: dict[str, str]
) -> None:
    changed = {name: value for name, value in {**form, **change}.items() if value is not None}
    assert refused_field(provider, webhook(changed)) == field


def test_a_field_given_twice_is_named(provider: TwilioProvider, form: dict[str, str]) -> None:
    signed = RequestValidator(AUTH_TOKEN).compute_signature(WEBHOOK, _Repeated({**form, "Body": ["a", "b"]}))
    request = webhook({k: v for k, v in form.items() if k != "Body"}, **{"x-twilio-signature": signed})
    assert refused_field(provider, replace(request, body=request.body + b"&Body=a&Body=b")) == "Body"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"From=1&Body=%ff", "Body"),
        (b"Body=%ED%A0%BD", "Body"),
        (b"%ff=1", "?"),
        ("Body=é".encode(), "form"),
        (b"Body", "form"),
        (b"a=1&" * 201 + b"b=1", "form"),
    ],
)
def test_an_unreadable_form_is_refused(
    body: bytes, field: str, provider: TwilioProvider, form: dict[str, str]
) -> None:
    assert refused_field(provider, replace(webhook(form), body=body)) == field


# ── receipts ───────────────────────────────────────────────────────────────────────────────────


def receipt(provider: TwilioProvider, form: dict[str, str], url: str) -> ReceiptReceived:
    reply = provider.read_webhook(ACCOUNT, webhook(form, url), IDS)
    assert reply.body == ""
    [fact] = reply.facts
    assert isinstance(fact, ReceiptReceived)
    return fact


def receipt_form(**changes: str) -> dict[str, str]:
    form = {
        "MessageSid": "SM" + "0" * 32,
        "MessageStatus": "undelivered",
        "AccountSid": ACCOUNT_SID,
        "From": NUMBER,
        "To": CUSTOMER,
        "ErrorCode": "30003",
        "RawDlrDoneDate": "2603011200",
    }
    return {name: value for name, value in (form | changes).items() if value}


def test_a_receipt_names_its_attempt(provider: TwilioProvider) -> None:
    message_id = uuid4()
    url = f"{WEBHOOK}/status?attempt={message_id.hex}.2"
    form = receipt_form()
    assert receipt(provider, form, url) == ReceiptReceived(
        key=IDS.thread(NUMBER, CUSTOMER),
        mapping_id=UUID(int=7),
        scope=f"twilio:{ACCOUNT_SID}",
        provider_message_id="SM" + "0" * 32,
        message_id=message_id,
        attempt=2,
        status=ReceiptStatus.UNDELIVERED,
        provider_status="undelivered",
        error_code="30003",
        raw=urlencode(form),
    )


def test_a_receipt_without_addresses_is_keyed_by_what_it_has(provider: TwilioProvider) -> None:
    message_id = uuid4()
    form = receipt_form(From="", ErrorCode="")
    assert receipt(provider, form, f"{WEBHOOK}/status?attempt={message_id.hex}.1").key == message_id
    alone = receipt(provider, form, f"{WEBHOOK}/status")
    assert alone.key == IDS.inbound(f"twilio:{ACCOUNT_SID}", "SM" + "0" * 32)
    assert (alone.message_id, alone.attempt, alone.error_code) == (None, None, None)


@pytest.mark.parametrize("attempt", ["", "x", "0" * 32, f"{'0' * 32}.0", f"{'0' * 32}.1.2", f"{'0' * 31}g.1"])
def test_an_attempt_that_we_never_wrote_is_refused(attempt: str, provider: TwilioProvider) -> None:
    assert (
        refused_field(provider, webhook(receipt_form(), f"{WEBHOOK}/status?attempt={attempt}")) == "attempt"
    )


@pytest.mark.parametrize("status", ["", "received", "teleported"])
def test_a_status_that_is_none_is_refused(status: str, provider: TwilioProvider) -> None:
    request = webhook(receipt_form(MessageStatus=status), f"{WEBHOOK}/status")
    assert refused_field(provider, request) == "MessageStatus"


def test_every_outbound_status_of_twilios_is_known() -> None:
    known = {name.lower() for name in vars(MessageInstance.Status) if name.isupper()}
    assert set(STATUSES) == known - {"receiving", "received"}


def test_statuses_only_advance() -> None:
    order = list(ReceiptStatus)
    ranks = [
        order.index(STATUSES[name]) for name in ("accepted", "queued", "sending", "sent", "delivered", "read")
    ]
    assert ranks == sorted(ranks)


def test_a_sent_message_is_reported_back(fake: FakeTwilio, provider: TwilioProvider) -> None:
    mapping, sent = account(fake.url), message()
    facts: list[ReceiptReceived] = []

    def deliver(url: str, headers: object, body: bytes) -> tuple[int, str]:
        assert isinstance(headers, dict)
        lower = {name.lower(): value for name, value in headers.items()}
        [fact] = provider.read_webhook(mapping, WebhookRequest(url, lower, body, is_status=True), IDS).facts
        assert isinstance(fact, ReceiptReceived)
        facts.append(fact)
        return 200, ""

    fake._deliver = deliver
    carrier = provider.open(mapping)
    sid = carrier.send(sent).provider_message_id
    carrier.close()
    for status in ("delivered", "sent", "delivered"):
        assert fake.advance(sid, status, copies=2) == [200, 200]
    assert {fact.message_id for fact in facts} == {sent.message_id}
    assert [fact.status for fact in facts] == [
        STATUSES[name] for name in ("delivered", "sent", "delivered") for _ in "ab"
    ]
    assert len(set(facts)) == 2
