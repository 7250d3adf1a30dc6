"""Telnyx: the contract that every provider passes, sending, looking up, checking, and a customer's files."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from adapters import telnyx_rest
from adapters.providers.telnyx import TelnyxProvider
from contracts.providers import SendingContract, WebhookContract, WebhookCounterpart
from domain.errors import FieldError
from domain.providers import (
    Account,
    MediaContent,
    Misconfigured,
    NotTaken,
    OptedOut,
    OutboundMessage,
    Rejected,
    SendError,
    Unknown,
)
from tests.adapters.providers.telnyx_cases import CUSTOMER, PNG, WEBHOOK, Far, account, message
from tests.fakes.gateway import Media
from tests.fakes.telnyx import NUMBER, PROFILE, PUBLIC_KEY, FakeTelnyx

API = "https://api.telnyx.com"
OTHER_PROFILE = "74057262-099c-44a1-89b9-6c92163bc68d"


@pytest.fixture
def provider() -> TelnyxProvider:
    return TelnyxProvider(timeout=(1.0, 0.2))


@pytest.fixture
def carrier(telnyx: FakeTelnyx, provider: TelnyxProvider) -> Iterator[telnyx_rest.TelnyxCarrier]:
    opened = provider.open(account(telnyx.url))
    yield opened
    opened.close()


class TestTelnyxProvider(SendingContract, WebhookContract):
    @pytest.fixture
    def counterpart(self, telnyx: FakeTelnyx, provider: TelnyxProvider) -> WebhookCounterpart:
        return Far(telnyx, provider)


def send(provider: TelnyxProvider, to: Account, text: OutboundMessage) -> None:
    carrier = provider.open(to)
    try:
        carrier.send(text)
    finally:
        carrier.close()


# ── what is asked of Telnyx ────────────────────────────────────────────────────────────────────


def test_a_text_and_where_its_receipts_go(telnyx: FakeTelnyx, carrier: telnyx_rest.TelnyxCarrier) -> None:
    sent = message(attempt=3)
    handover = carrier.send(sent)
    record = telnyx.messages[handover.provider_message_id]
    assert record["webhook_url"] == f"{WEBHOOK}/status?attempt={sent.message_id.hex}.3"
    assert (record["from"]["phone_number"], record["to"][0]["phone_number"]) == (NUMBER, CUSTOMER)
    assert (record["text"], record["type"], handover.segments) == ("We open at nine.", "SMS", 1)


def test_pictures_go_out(telnyx: FakeTelnyx, carrier: telnyx_rest.TelnyxCarrier) -> None:
    urls = ("https://example.com/1.png", "https://example.com/2.png")
    carrier.send(message(text="", media_urls=urls))
    assert [each["url"] for each in telnyx.accepted[0]["media"]] == list(urls)


def test_segments_are_told(carrier: telnyx_rest.TelnyxCarrier) -> None:
    assert carrier.send(message(text="x" * 161)).segments == 2


def test_what_is_asked(provider: TelnyxProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def request(self: requests.Session, method: str, url: str, **given: object) -> None:
        asked.update(given, method=method, url=url)
        raise requests.ReadTimeout

    monkeypatch.setattr(requests.Session, "request", request)
    sent = message(valid_for=90)
    with pytest.raises(Unknown):
        send(provider, account(API, options={"messaging_profile": PROFILE}), sent)
    assert (asked["method"], asked["url"]) == ("POST", f"{API}/v2/messages")
    assert (asked["timeout"], asked["allow_redirects"]) == ((1.0, 0.2), False)
    assert asked["json"] == {
        "from": NUMBER,
        "to": CUSTOMER,
        "text": "We open at nine.",
        "messaging_profile_id": PROFILE,
        "webhook_url": f"{WEBHOOK}/status?attempt={sent.message_id.hex}.1",
    }


def test_a_netrc_file_does_not_take_the_keys_place(
    telnyx: FakeTelnyx,
    carrier: telnyx_rest.TelnyxCarrier,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n", "utf-8")
    monkeypatch.setenv("NETRC", str(netrc))
    carrier.send(message())
    assert len(telnyx.accepted) == 1


@pytest.mark.parametrize("fault", ["429", "500", "503", "reset-before", "reset-after", "garbage", "hang"])
def test_a_failure_is_not_retried(fault: str, telnyx: FakeTelnyx, carrier: telnyx_rest.TelnyxCarrier) -> None:
    telnyx.fail_next(fault)
    with pytest.raises(SendError):
        carrier.send(message())
    assert len(telnyx.requests) <= 1
    assert len(telnyx.accepted) <= 1


# ── what Telnyx answers ────────────────────────────────────────────────────────────────────────


def test_throttling_says_when_to_come_back(telnyx: FakeTelnyx, carrier: telnyx_rest.TelnyxCarrier) -> None:
    telnyx.fail_next("429")
    with pytest.raises(NotTaken) as caught:
        carrier.send(message())
    assert caught.value.retry_after == 2.0


def test_what_the_fake_refuses(telnyx: FakeTelnyx, carrier: telnyx_rest.TelnyxCarrier) -> None:
    telnyx.opted_out.add((PROFILE, "+12125550199"))
    for changes, expected in (
        ({"customer_address": "+12125550001"}, Rejected),
        ({"customer_address": "+12125550002"}, Rejected),
        ({"customer_address": "+12125550004"}, OptedOut),
        ({"customer_address": "+12125550005"}, NotTaken),
        ({"customer_address": "+12125550199"}, OptedOut),
        ({"our_address": "+13125550199"}, Misconfigured),
        ({"text": "ü" * 700}, Rejected),
    ):
        with pytest.raises(SendError) as caught:
            carrier.send(message(**changes))
        assert type(caught.value) is expected
        assert "+1" not in caught.value.detail
    telnyx.profiles[PROFILE] = False
    with pytest.raises(Misconfigured):
        carrier.send(message())
    assert telnyx.accepted == []


def errors(code: object, pointer: str | None = None) -> dict[str, Any]:
    return {"errors": [{"code": code, "title": "No", "source": {"pointer": pointer} if pointer else None}]}


@pytest.mark.parametrize(
    ("status", "document", "expected"),
    [
        (400, errors("40300"), OptedOut),
        (403, errors("40300"), OptedOut),
        (400, errors("40310"), Rejected),
        (400, errors("40302"), Rejected),
        (403, errors("40309"), Rejected),
        (400, errors("99999"), Rejected),
        (422, errors("10016", "/to"), Rejected),
        (422, errors("10016", "/from"), Misconfigured),
        (400, errors("10003", "/media_urls/0"), Rejected),
        (400, errors("10003", "/webhook_url"), Misconfigured),
        (400, errors("40308", "/from"), Rejected),  # about pictures only
        (400, errors("40305"), Misconfigured),
        (403, errors("40312"), Misconfigured),
        (403, errors("20100"), Misconfigured),
        (401, errors("10009"), Misconfigured),
        (401, errors("20006"), Misconfigured),
        (404, errors("10005"), Misconfigured),
        (403, {}, Misconfigured),
        (400, errors("40318"), NotTaken),
        (400, errors("10011"), NotTaken),
        (408, errors("10008"), Unknown),
        (302, {}, Unknown),
        (400, {}, Rejected),
        (400, {"errors": []}, Rejected),
        (400, {"errors": "no"}, Rejected),
        (400, {"errors": [5]}, Rejected),
        (400, errors(["40300"]), Rejected),
    ],
)
def test_what_a_refusal_means(status: int, document: dict[str, Any], expected: type[SendError]) -> None:
    refusal = telnyx_rest.refusal(status, document)
    assert type(refusal) is expected
    assert refusal.code


@pytest.mark.parametrize(
    "answer", ["[]", "{}", '"ok"', "null", '{"data": {}}', '{"data": {"id": 5}}', '{"data": {"id": "1"}}', ""]
)
def test_a_success_without_an_id_leaves_it_open(
    answer: str, provider: TelnyxProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def request(*args: object, **given: object) -> requests.Response:
        response = requests.Response()
        response.status_code = 200
        response._content = answer.encode()
        return response

    monkeypatch.setattr(requests.Session, "request", request)
    with pytest.raises(Unknown):
        send(provider, account(API), message())


# ── looking an attempt up ──────────────────────────────────────────────────────────────────────


def test_an_attempt_is_found_by_its_own_name(telnyx: FakeTelnyx, carrier: telnyx_rest.TelnyxCarrier) -> None:
    first, alike = message(), message()  # the same text to the same customer
    ids = [carrier.send(each).provider_message_id for each in (first, alike, replace(first, attempt=2))]
    telnyx.accept({"from": NUMBER, "to": CUSTOMER, "text": first.text, "webhook_url": f"{WEBHOOK}?attempt=x"})
    telnyx.accept({"from": NUMBER, "to": CUSTOMER, "text": first.text})
    began = datetime.now(UTC)
    for sought, expected in zip((first, alike, replace(first, attempt=2)), ids, strict=True):
        assert [each.provider_message_id for each in carrier.find(sought, began)] == [expected]
    assert carrier.find(message(), began) == []


def test_what_is_asked_when_looking(telnyx: FakeTelnyx, carrier: telnyx_rest.TelnyxCarrier) -> None:
    carrier.find(message(), datetime(2026, 3, 1, 0, 0, 30, tzinfo=UTC))
    query = parse_qs(urlsplit(telnyx.requests[-1][1]).query)
    assert query["filter[created_at][gte]"] == ["2026-02-28"]  # clocks may differ by a minute
    carrier.find(message(), datetime(2026, 3, 1, 1, tzinfo=timezone(timedelta(hours=2))))
    assert "2026-02-28" in telnyx.requests[-1][1]
    assert query["filter[cld]"] == [CUSTOMER]
    assert carrier.find(message(), datetime.now(UTC) + timedelta(minutes=5)) == []


@pytest.mark.parametrize(("fault", "expected"), [("429", NotTaken), ("500", Unknown), ("hang", Unknown)])
def test_records_that_cannot_be_read_now(
    fault: str, expected: type[SendError], telnyx: FakeTelnyx, carrier: telnyx_rest.TelnyxCarrier
) -> None:
    telnyx.fail_next(fault)
    with pytest.raises(expected):
        carrier.find(message(), datetime.now(UTC))


# ── checking ───────────────────────────────────────────────────────────────────────────────────


def problems(provider: TelnyxProvider, of: Account) -> list[FieldError]:
    carrier = provider.open(of)
    try:
        return carrier.check()
    finally:
        carrier.close()


def test_numbers_that_will_not_do_are_found_out(telnyx: FakeTelnyx, provider: TelnyxProvider) -> None:
    telnyx.numbers |= {"+13125550101": None, "+13125550102": OTHER_PROFILE, "12345": PROFILE}
    numbers = (NUMBER, "+13125550199", "+13125550101", "+13125550102", "12345", "54321", "ACME")
    of = replace(account(telnyx.url, options={"messaging_profile": PROFILE}), addresses=numbers)
    assert problems(provider, of) == [
        FieldError("routes[1].address", "is not a number of this Telnyx account"),
        FieldError("routes[2].address", "has no messaging profile: give it one at Telnyx"),
        FieldError("routes[3].address", "is in another messaging profile at Telnyx"),
        FieldError("routes[5].address", "is not a number of this Telnyx account"),
    ]


def test_a_messaging_profile_that_will_not_do_is_found_out(
    telnyx: FakeTelnyx, provider: TelnyxProvider
) -> None:
    of = account(telnyx.url, options={"messaging_profile": OTHER_PROFILE})
    assert [each.field for each in problems(provider, of)] == ["options.messaging_profile"]
    telnyx.profiles[OTHER_PROFILE] = False
    [disabled] = problems(provider, of)
    assert (disabled.field, "disabled" in disabled.message) == ("options.messaging_profile", True)
    wrong = replace(of, credentials={**of.credentials, "api_key": "KEY_of_nobody"})
    assert [each.field for each in problems(provider, wrong)] == ["credentials.api_key"]


def test_a_key_is_tried_without_numbers_too(telnyx: FakeTelnyx, provider: TelnyxProvider) -> None:
    of = replace(account(telnyx.url, api_key="KEY_of_nobody"), addresses=())
    assert [each.field for each in problems(provider, of)] == ["credentials.api_key"]


@pytest.mark.parametrize(
    ("options", "credentials", "fields"),
    [
        ({}, {}, []),
        ({}, {"api_key": "with space"}, ["credentials.api_key"]),
        ({}, {"public_key": "no base64!"}, ["credentials.public_key"]),
        ({}, {"public_key": PUBLIC_KEY[4:]}, ["credentials.public_key"]),
        ({}, {"public_key": f"{PUBLIC_KEY[:9]}!{PUBLIC_KEY[9:]}"}, ["credentials.public_key"]),
        ({}, {"public_key": ""}, []),  # a draft
        ({"messaging_profile": "MG1"}, {}, ["options.messaging_profile"]),
        ({"messaging_profile": PROFILE}, {}, []),
        ({"api_base": "http://api.example.com"}, {}, ["options.api_base"]),
        ({"api_base": "https://api.example.com/v2"}, {}, ["options.api_base"]),
        ({"api_base": "https://gateway.example.com:8443"}, {}, []),
    ],
)
def test_settings_that_cannot_work(
    options: dict[str, str], credentials: dict[str, str], fields: list[str], provider: TelnyxProvider
) -> None:
    assert [each.field for each in provider.check(account(API, options=options, **credentials))] == fields


def test_a_name_needs_a_messaging_profile(provider: TelnyxProvider) -> None:
    of = replace(account(API), addresses=(NUMBER, "ACME"))
    assert [each.field for each in provider.check(of)] == ["options.messaging_profile"]
    assert provider.check(replace(of, options={"messaging_profile": PROFILE})) == []


def test_a_draft_lacks_both_keys(provider: TelnyxProvider) -> None:
    assert provider.missing_credentials(account(API, api_key="", public_key="")) == ["api_key", "public_key"]


def test_a_stop_holds_for_the_whole_messaging_profile(provider: TelnyxProvider) -> None:
    assert provider.sender_scope({}, NUMBER) == NUMBER
    assert provider.sender_scope({"messaging_profile": PROFILE}, NUMBER) == PROFILE


# ── a customer's pictures and files ────────────────────────────────────────────────────────────


def test_a_file_is_fetched_without_credentials(telnyx: FakeTelnyx, provider: TelnyxProvider) -> None:
    url = telnyx.add_media(PNG, "image/jpeg")
    assert provider.fetch_media(account(telnyx.url), url) == MediaContent("image/png", PNG)
    assert [with_credentials for _, _, with_credentials in telnyx.requests] == [False]


@pytest.mark.parametrize(
    "url", ["http://media.telnyx.example/1", "https://127.0.0.1:1/x", "file:///etc/passwd", "1.png", ""]
)
def test_nothing_is_fetched_from_inside_or_in_the_clear(url: str, provider: TelnyxProvider) -> None:
    with pytest.raises((Rejected, NotTaken)):
        provider.fetch_media(account(API), url)


def test_a_file_that_is_gone_or_leads_astray(telnyx: FakeTelnyx, provider: TelnyxProvider) -> None:
    with pytest.raises(Rejected):
        provider.fetch_media(account(telnyx.url), f"{telnyx.url}/cdn/gone")
    telnyx.media["/cdn/1"] = Media(location="http://169.254.169.254/latest/meta-data/")
    with pytest.raises(Rejected):
        provider.fetch_media(account(telnyx.url), f"{telnyx.url}/cdn/1")
