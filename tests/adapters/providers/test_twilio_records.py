"""Twilio: looking an attempt up in its records, and checking an account against them."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from adapters import twilio_rest
from adapters.providers.twilio import TwilioProvider
from domain.errors import FieldError
from domain.providers import (
    Account,
    NotTaken,
    SendError,
    Unknown,
)
from tests.adapters.providers.twilio_cases import CUSTOMER, SERVICE, account, message
from tests.fakes.twilio import FakeTwilio
from tests.fakes.twilio_state import KEY_SECRET, KEY_SID, NUMBER

API = "https://api.twilio.com"


@pytest.fixture
def carrier(fake: FakeTwilio, provider: TwilioProvider) -> Iterator[twilio_rest.TwilioCarrier]:
    opened = provider.open(account(fake.url))
    yield opened
    opened.close()


# ── looking an attempt up ──────────────────────────────────────────────────────────────────────

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.time = NOW

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timed(tmp_path: Path, clock: Clock) -> Iterator[FakeTwilio]:
    with FakeTwilio(tmp_path / "timed.jsonl", clock=clock) as running:
        running.services[SERVICE] = {NUMBER}
        yield running


@pytest.mark.parametrize("service", [None, SERVICE])
def test_equal_texts_are_found_oldest_first(
    service: str | None, timed: FakeTwilio, clock: Clock, provider: TwilioProvider
) -> None:
    carrier = provider.open(account(timed.url, options={"messaging_service": service} if service else {}))
    sids = []
    for seconds in (0, 60, 120):
        clock.time = NOW + timedelta(seconds=seconds)
        sids.append(carrier.send(message(text="ok ")).provider_message_id)
    found = carrier.find(message(text="ok "), NOW + timedelta(seconds=61))
    assert [each.provider_message_id for each in found] == sids[1:]
    assert carrier.find(message(text="ok"), NOW + timedelta(seconds=181)) == []
    assert carrier.find(message(text="ok", customer_address="+12125550199"), NOW) == []
    carrier.close()


def test_the_listing_asks_for_neither_date_nor_service_sender(
    timed: FakeTwilio, provider: TwilioProvider
) -> None:
    carrier = provider.open(account(timed.url, options={"messaging_service": SERVICE}))
    carrier.find(message(), NOW)
    carrier.close()
    assert set(parse_qs(urlsplit(timed.requests[-1][1]).query)) == {"To", "PageSize"}


def test_a_message_whose_sender_is_not_chosen_yet_is_found(
    timed: FakeTwilio, provider: TwilioProvider
) -> None:
    sid = timed.accept({"To": CUSTOMER, "MessagingServiceSid": SERVICE, "Body": "We open at nine."})["sid"]
    carrier = provider.open(account(timed.url, options={"messaging_service": SERVICE}))
    [found] = carrier.find(message(), NOW)
    carrier.close()
    assert (found.provider_message_id, found.segments) == (sid, None)


def test_the_listing_is_read_page_by_page(timed: FakeTwilio, provider: TwilioProvider) -> None:
    sid = timed.accept({"To": CUSTOMER, "From": NUMBER, "Body": "We open at nine."})["sid"]
    for index in range(60):
        timed.accept({"To": CUSTOMER, "From": NUMBER, "Body": f"Later {index}"})
    carrier = provider.open(account(timed.url))
    [found] = carrier.find(message(), NOW)
    assert found.provider_message_id == sid
    carrier.close()


def test_what_the_customer_wrote_is_not_taken_for_ours(timed: FakeTwilio, provider: TwilioProvider) -> None:
    sid = timed.accept({"To": CUSTOMER, "From": NUMBER, "Body": "We open at nine."})["sid"]
    timed.messages[sid]["direction"] = "outbound-reply"
    carrier = provider.open(account(timed.url))
    assert carrier.find(message(), NOW) == []
    carrier.close()


@pytest.mark.parametrize(("fault", "expected"), [("429", NotTaken), ("500", Unknown), ("hang", Unknown)])
def test_records_that_cannot_be_read_now(
    fault: str, expected: type[SendError], fake: FakeTwilio, carrier: twilio_rest.TwilioCarrier
) -> None:
    fake.fail_next(fault)
    with pytest.raises(expected):
        carrier.find(message(), NOW)


# ── checking ───────────────────────────────────────────────────────────────────────────────────


def problems(provider: TwilioProvider, of: Account) -> list[FieldError]:
    carrier = provider.open(of)
    try:
        return carrier.check()
    finally:
        carrier.close()


def test_a_foreign_number_is_found_out(fake: FakeTwilio, provider: TwilioProvider) -> None:
    fake.numbers |= {"12345"}
    of = replace(account(fake.url), addresses=(NUMBER, "+12125550100", "12345", "54321", "ACME"))
    assert problems(provider, of) == [
        FieldError("routes[1].address", "is not a number of this Twilio account"),
        FieldError("routes[3].address", "is not a number of this Twilio account"),
    ]


def test_a_number_outside_the_messaging_service_is_found_out(
    fake: FakeTwilio, provider: TwilioProvider
) -> None:
    fake.services[SERVICE] = {NUMBER, "12345", "ACME"}
    of = account(fake.url, options={"messaging_service": SERVICE})
    assert problems(provider, replace(of, addresses=(NUMBER, "12345", "ACME"))) == []
    assert [each.field for each in problems(provider, replace(of, addresses=(NUMBER, "54321")))] == [
        "routes[1].address"
    ]


def test_a_wrong_auth_token_is_found_out_behind_a_good_key(
    fake: FakeTwilio, provider: TwilioProvider
) -> None:
    of = account(fake.url, password="old", access_key=KEY_SID, access_secret=KEY_SECRET)
    assert [each.field for each in problems(provider, of)] == ["credentials.password"]


def test_a_suspended_account_is_found_out(fake: FakeTwilio, provider: TwilioProvider) -> None:
    fake.account_status = "suspended"
    assert [each.field for each in problems(provider, account(fake.url))] == ["credentials.user_name"]


@pytest.mark.parametrize(
    ("options", "credentials", "fields"),
    [
        ({}, {}, []),
        ({}, {"user_name": "SK" + "0" * 32}, ["credentials.user_name"]),
        ({}, {"access_key": KEY_SID}, ["credentials.access_secret"]),
        ({}, {"access_secret": "x"}, ["credentials.access_key"]),
        ({}, {"access_key": "AC" + "0" * 32, "access_secret": "x"}, ["credentials.access_key"]),
        ({}, {"password": ""}, ["credentials.password"]),
        ({}, {"password": "", "signing_secret": "x"}, ["credentials.password"]),
        ({}, {"password": "", "access_key": KEY_SID, "access_secret": "x"}, ["credentials.password"]),
        ({}, {"password": "", "access_key": KEY_SID, "access_secret": "x", "signing_secret": "y"}, []),
        ({}, {"password": "with space"}, ["credentials.password"]),
        ({"messaging_service": "SM" + "0" * 32}, {}, ["options.messaging_service"]),
        ({"api_base": "http://api.example.com"}, {}, ["options.api_base"]),
        ({"api_base": "https://api.example.com/v1"}, {}, ["options.api_base"]),
        ({"api_base": "https://user@api.example.com"}, {}, ["options.api_base"]),
        ({"api_base": "ftp://api.example.com"}, {}, ["options.api_base"]),
        ({"api_base": "https://gateway.example.com:8443"}, {}, []),
    ],
)
def test_settings_that_cannot_work(
    options: dict[str, str | int | float | bool],
    credentials: dict[str, str],
    fields: list[str],
    provider: TwilioProvider,
) -> None:
    assert [each.field for each in provider.check(account(API, options=options, **credentials))] == fields


def test_a_stop_holds_for_the_whole_messaging_service(provider: TwilioProvider) -> None:
    assert provider.sender_scope({}, NUMBER) == NUMBER
    assert provider.sender_scope({"messaging_service": SERVICE}, NUMBER) == SERVICE
