"""Twilio: the contract that every provider passes, and sending."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import twilio
import urllib3.exceptions
from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException

from adapters import twilio_rest
from adapters.providers.twilio import TwilioProvider
from contracts.providers import SendingContract, WebhookContract, WebhookCounterpart
from domain.providers import (
    Account,
    Misconfigured,
    NotTaken,
    OptedOut,
    OutboundMessage,
    Rejected,
    SendError,
    Unknown,
)
from tests.adapters.providers.twilio_cases import CUSTOMER, SERVICE, WEBHOOK, Far, account, message
from tests.fakes.twilio import FakeTwilio
from tests.fakes.twilio_state import ACCOUNT_SID, KEY_SECRET, KEY_SID, NUMBER

API = "https://api.twilio.com"


class TestTwilioProvider(SendingContract, WebhookContract):
    @pytest.fixture
    def counterpart(self, fake: FakeTwilio, provider: TwilioProvider) -> WebhookCounterpart:
        return Far(fake, provider)


@pytest.fixture
def carrier(fake: FakeTwilio, provider: TwilioProvider) -> Iterator[twilio_rest.TwilioCarrier]:
    opened = provider.open(account(fake.url))
    yield opened
    opened.close()


def send(provider: TwilioProvider, to: Account, text: OutboundMessage) -> None:
    carrier = provider.open(to)
    try:
        carrier.send(text)
    finally:
        carrier.close()


# ── what is asked of Twilio ────────────────────────────────────────────────────────────────────


def test_the_callback_names_the_attempt(fake: FakeTwilio, carrier: twilio_rest.TwilioCarrier) -> None:
    sent = message(attempt=3)
    sid = carrier.send(sent).provider_message_id
    assert fake.messages[sid]["callback"] == f"{WEBHOOK}/status?attempt={sent.message_id.hex}.3"
    assert (fake.messages[sid]["from"], fake.messages[sid]["to"]) == (NUMBER, CUSTOMER)


def test_a_messaging_service_still_sends_from_the_threads_number(
    fake: FakeTwilio, provider: TwilioProvider
) -> None:
    fake.services[SERVICE] = {NUMBER}
    send(provider, account(fake.url, options={"messaging_service": SERVICE}), message())
    [record] = fake.accepted
    assert (record["from"], record["messaging_service_sid"]) == (NUMBER, SERVICE)


def test_pictures_go_out(fake: FakeTwilio, carrier: twilio_rest.TwilioCarrier) -> None:
    handover = carrier.send(
        message(text="", media_urls=("https://example.com/1.png", "https://example.com/2.png"))
    )
    assert fake.accepted[0]["num_media"] == "2"
    assert handover.provider_message_id.startswith("MM")


def test_segments_are_told(carrier: twilio_rest.TwilioCarrier) -> None:
    assert carrier.send(message(text="x" * 161)).segments == 2


@pytest.mark.parametrize(
    ("option", "valid_for", "expected"),
    [(None, None, 36000), (None, 90, 90), (600, None, 600), (600, 90, 90), (60, 90, 60), (None, 0, 1)],
)
def test_validity(
    option: int | None,
    valid_for: int | None,
    expected: int,
    provider: TwilioProvider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: dict[str, object] = {}

    def request(self: requests.Session, method: str, url: str, **given: object) -> None:
        asked.update(given)
        raise requests.ReadTimeout

    monkeypatch.setattr(requests.Session, "request", request)
    with pytest.raises(Unknown):
        send(
            provider,
            account(API, options={"validity_seconds": option} if option else {}),
            message(valid_for=valid_for),
        )
    data = asked["data"]
    assert isinstance(data, dict)
    assert data["ValidityPeriod"] == expected
    assert asked["timeout"] == (1.0, 0.2)
    assert asked["allow_redirects"] is False


def test_an_api_key_sends_in_place_of_the_auth_token(fake: FakeTwilio, provider: TwilioProvider) -> None:
    send(provider, account(fake.url, password="", access_key=KEY_SID, access_secret=KEY_SECRET), message())
    assert len(fake.accepted) == 1


def test_the_processes_environment_is_not_read(
    fake: FakeTwilio, provider: TwilioProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", "AC" + "f" * 32)
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "somebody else's")
    monkeypatch.setenv("TWILIO_REGION", "ie1")
    monkeypatch.setenv("TWILIO_EDGE", "dublin")
    urls: list[str] = []

    def request(self: requests.Session, method: str, url: str, **given: object) -> None:
        urls.append(url)
        raise requests.ReadTimeout

    monkeypatch.setattr(requests.Session, "request", request)
    with pytest.raises(Unknown):
        send(provider, account(API), message())
    assert urls == [f"{API}/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"]


@pytest.mark.parametrize("fault", ["429", "500", "503", "reset-before", "reset-after", "garbage", "hang"])
def test_a_failure_is_not_retried(fault: str, fake: FakeTwilio, carrier: twilio_rest.TwilioCarrier) -> None:
    fake.fail_next(fault)
    with pytest.raises(SendError):
        carrier.send(message())
    assert len(fake.requests) <= 1
    assert len(fake.accepted) <= 1


# ── what Twilio answers ────────────────────────────────────────────────────────────────────────


def test_throttling_says_when_to_come_back(fake: FakeTwilio, carrier: twilio_rest.TwilioCarrier) -> None:
    fake.fail_next("429")
    with pytest.raises(NotTaken) as caught:
        carrier.send(message())
    assert caught.value.retry_after == 2.0


@pytest.mark.parametrize(
    ("to", "sender", "expected"),
    [
        ("+15005550001", NUMBER, Rejected),
        ("+15005550002", NUMBER, Rejected),
        ("+15005550003", NUMBER, Rejected),
        ("+15005550004", NUMBER, OptedOut),
        ("+15005550009", NUMBER, Rejected),
        (CUSTOMER, "+15005550001", Misconfigured),
        (CUSTOMER, "+15005550007", Misconfigured),
        (CUSTOMER, "+15005550008", NotTaken),
    ],
)
def test_twilios_magic_numbers(
    to: str, sender: str, expected: type[SendError], carrier: twilio_rest.TwilioCarrier
) -> None:
    with pytest.raises(SendError) as caught:
        carrier.send(message(customer_address=to, our_address=sender))
    assert type(caught.value) is expected
    assert to not in caught.value.detail


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, 21211, Rejected),
        (400, 21610, OptedOut),
        (403, 21610, OptedOut),
        (400, 21614, Rejected),
        (400, 21635, Rejected),
        (400, 30006, Rejected),
        (400, 99999, Rejected),
        (403, 21408, Rejected),
        (400, 21606, Misconfigured),
        (400, 21609, Misconfigured),
        (401, 20003, Misconfigured),
        (403, 20003, Misconfigured),
        (403, 403, Misconfigured),
        (404, 20404, Misconfigured),
        (400, 21611, NotTaken),
        (429, 20429, NotTaken),
        (408, 408, Unknown),
        (302, 302, Unknown),
        (500, 20500, Unknown),
        (0, 0, Unknown),
    ],
)
def test_what_an_error_means(status: int, code: int, expected: type[SendError]) -> None:
    for error in (
        TwilioRestException(status, "/Messages.json", "no", code),
        TwilioServiceException("about:blank", "no", status, code),
    ):
        refusal = twilio_rest.refusal(error)
        assert type(refusal) is expected
        assert refusal.code == str(code)


def test_an_unreadable_problem_document_leaves_it_open() -> None:
    error = TwilioServiceException("about:blank", "no", "four hundred", None)  # type: ignore[arg-type,unused-ignore]
    assert type(twilio_rest.refusal(error)) is Unknown


def test_every_exception_of_twilios_package_has_a_meaning() -> None:
    declaration = re.compile(r"^class (\w+)\(\w*(?:Exception|Error)\)", re.MULTILINE)
    sources = Path(twilio.__file__).parent.rglob("*.py")
    kinds = {name for source in sources for name in declaration.findall(source.read_text("utf-8"))}
    meant = {"TwilioException", "TwilioRestException", "TwilioServiceException"}
    elsewhere = {
        "JwtDecodeError",
        "TwiMLException",
        "ObsoleteException",
    }  # raised by parts that nobody uses here
    assert kinds == meant | elsewhere  # a new one needs a line in `refusal`
    assert type(twilio_rest.refusal(TwilioException("?"))) is Unknown


NEVER_LEFT = {
    "ConnectTimeout",
    "InvalidHeader",
    "InvalidProxyURL",
    "InvalidSchema",
    "InvalidURL",
    "MissingSchema",
    "ProxyError",
    "URLRequired",
}
REQUESTS_ERRORS: list[type[Exception]] = [
    each
    for each in vars(requests.exceptions).values()
    if isinstance(each, type) and issubclass(each, requests.RequestException)
]


@pytest.mark.parametrize("error", REQUESTS_ERRORS, ids=lambda each: each.__name__)
def test_every_exception_of_requests_has_a_meaning(
    error: type[Exception], provider: TwilioProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def request(*args: object, **given: object) -> None:
        raise error("", "", 0) if issubclass(error, requests.JSONDecodeError) else error(f"to {CUSTOMER}")

    monkeypatch.setattr(requests.Session, "request", request)
    with pytest.raises(SendError) as caught:
        send(provider, account(API), message())
    assert type(caught.value) is (NotTaken if error.__name__ in NEVER_LEFT else Unknown)
    assert CUSTOMER not in str(caught.value)


def test_what_urllib3_lets_through_leaves_it_open(
    provider: TwilioProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def request(*args: object, **given: object) -> None:
        raise urllib3.exceptions.DecodeError

    monkeypatch.setattr(requests.Session, "request", request)
    with pytest.raises(Unknown):
        send(provider, account(API), message())


def test_the_status_of_the_answer_counts_not_the_one_in_its_body(
    provider: TwilioProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def request(*args: object, **given: object) -> requests.Response:
        response = requests.Response()
        response.status_code = 502
        response._content = b'{"type": "about:blank", "title": "Bad", "status": 400, "code": 21211}'
        return response

    monkeypatch.setattr(requests.Session, "request", request)
    with pytest.raises(Unknown):
        send(provider, account(API), message())


@pytest.mark.parametrize("answer", ["[]", "{}", '"ok"', "null", '{"sid": 5}', '{"sid": "SM1"}', ""])
def test_a_success_without_an_id_leaves_it_open(
    answer: str, provider: TwilioProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def request(*args: object, **given: object) -> requests.Response:
        response = requests.Response()
        response.status_code = 201
        response._content = answer.encode()
        return response

    monkeypatch.setattr(requests.Session, "request", request)
    with pytest.raises(Unknown):
        send(provider, account(API), message())
