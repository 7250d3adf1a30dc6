"""Twilio: fetching a customer's pictures and files."""

from collections.abc import Iterator

import pytest

from adapters import downloads
from adapters.providers import twilio
from adapters.providers.twilio import TwilioProvider
from domain.providers import MediaContent, Misconfigured, NotTaken, Rejected, SendError
from tests.adapters.providers.twilio_cases import PNG, account
from tests.fakes.gateway import Media
from tests.fakes.twilio import FakeTwilio
from tests.fakes.twilio_state import ACCOUNT_SID, KEY_SECRET, KEY_SID

PATH = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages/MM{'0' * 32}/Media/ME{'0' * 32}"


@pytest.mark.parametrize(
    ("claimed", "content", "expected"),
    [
        ("image/png", PNG, "image/png"),
        ("image/jpeg", PNG, "image/png"),
        ("image/jpg", b"\xff\xd8\xff\xe0", "image/jpeg"),
        ("image/gif", b"GIF89a", "image/gif"),
        ("image/webp", b"RIFF0000WEBP", "image/webp"),
        ("image/heic", b"0000ftypheic", "image/heic"),
        ("audio/amr", b"#!AMR", "audio/amr"),
        ("video/3gpp; codecs=h263", b"0", "video/3gpp"),
        ("text/vcard", b"BEGIN:VCARD", "text/vcard"),
        ("application/pdf", b"%PDF-1.7", "application/pdf"),
    ],
)
def test_what_is_fetched(
    claimed: str, content: bytes, expected: str, fake: FakeTwilio, provider: TwilioProvider
) -> None:
    url = fake.add_media(content, claimed)
    assert provider.fetch_media(account(fake.url), url) == MediaContent(expected, content)


@pytest.mark.parametrize(
    ("claimed", "content"),
    [
        ("image/png", b"<html><script>"),
        ("image/svg+xml", b"<svg>"),
        ("application/pdf", b"<html>"),
        ("text/html", b"<html>"),
        ("application/octet-stream", b"MZ"),
        ("", PNG),
    ],
)
def test_what_is_not_fetched(
    claimed: str, content: bytes, fake: FakeTwilio, provider: TwilioProvider
) -> None:
    url = fake.add_media(content, claimed)
    with pytest.raises(Rejected):
        provider.fetch_media(account(fake.url), url)


def test_an_api_key_fetches_too(fake: FakeTwilio, provider: TwilioProvider) -> None:
    by_key = account(fake.url, password="", access_key=KEY_SID, access_secret=KEY_SECRET)
    assert provider.fetch_media(by_key, fake.add_media(PNG)).content == PNG


def test_a_url_at_twilio_itself_is_fetched_through_the_gateway(
    fake: FakeTwilio, provider: TwilioProvider
) -> None:
    url = fake.add_media(PNG).replace(fake.url, "https://api.twilio.com")
    assert provider.fetch_media(account(fake.url), url).content == PNG


@pytest.mark.parametrize(
    "url",
    [
        f"https://evil.example{PATH}",
        f"https://api.twilio.com.evil.example{PATH}",
        f"https://api.twilio.com@evil.example{PATH}",
        f"http://api.twilio.com{PATH}",
        f"https://api.twilio.com:8443{PATH}",
        "https://api.twilio.com" + PATH.replace(ACCOUNT_SID, "AC" + "f" * 32),
        f"https://api.twilio.com{PATH}/../../../Messages.json",
        f"https://api.twilio.com{PATH}?x=1",
        f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT_SID}.json",
        PATH,
        "file:///etc/passwd",
        "",
    ],
)
def test_nothing_but_this_accounts_files(url: str, fake: FakeTwilio, provider: TwilioProvider) -> None:
    with pytest.raises(Rejected):
        provider.fetch_media(account(fake.url), url)
    assert fake.requests == []


def test_a_redirect_is_followed_without_credentials(fake: FakeTwilio, provider: TwilioProvider) -> None:
    fake.media["/cdn/1"] = Media(location="/cdn/2")
    fake.media["/cdn/2"] = Media(location=f"{fake.url}/cdn/3")
    fake.media["/cdn/3"] = Media(PNG)
    url = fake.add_media(b"", location="/cdn/1")
    assert provider.fetch_media(account(fake.url), url).content == PNG
    assert [with_credentials for _, _, with_credentials in fake.requests] == [True, False, False, False]


@pytest.mark.parametrize(
    "location",
    [
        "http://203.0.113.1/x",
        "http://169.254.169.254/latest/meta-data/",
        "ftp://203.0.113.1/x",
        "file:///etc/passwd",
        "https://[oops/x",
        "https:///x",
        "//[::1",
    ],
)
def test_a_redirect_astray_is_not_followed(location: str, fake: FakeTwilio, provider: TwilioProvider) -> None:
    url = fake.add_media(b"", location=location)
    with pytest.raises(Rejected):
        provider.fetch_media(account(fake.url), url)


def test_redirects_end_somewhere(fake: FakeTwilio, provider: TwilioProvider) -> None:
    fake.media["/cdn/1"] = Media(location="/cdn/1")
    url = fake.add_media(b"", location="/cdn/1")
    with pytest.raises(Rejected, match="3 redirects"):
        provider.fetch_media(account(fake.url), url)
    assert len(fake.requests) == 4


def test_a_file_too_large_is_given_up(
    fake: FakeTwilio, provider: TwilioProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(twilio, "MEDIA_CAP", len(PNG))
    assert provider.fetch_media(account(fake.url), fake.add_media(PNG)).content == PNG
    with pytest.raises(Rejected, match="larger"):
        provider.fetch_media(account(fake.url), fake.add_media(PNG + b"!"))


def test_no_more_than_the_cap_is_read() -> None:
    taken = []

    def endless() -> Iterator[bytes]:
        while True:
            taken.append(1)
            yield b"x" * 10

    with pytest.raises(Rejected):
        downloads._up_to(25, endless())
    assert len(taken) == 3


def test_what_comes_compressed_is_not_unpacked(fake: FakeTwilio, provider: TwilioProvider) -> None:
    url = fake.add_media(PNG)
    fake.media[url.removeprefix(fake.url)].headers["Content-Encoding"] = "gzip"
    with pytest.raises(Rejected, match="compressed"):
        provider.fetch_media(account(fake.url), url)


@pytest.mark.parametrize(
    ("fault", "expected"), [("429", NotTaken), ("500", NotTaken), ("503", NotTaken), ("hang", NotTaken)]
)
def test_it_may_work_another_time(
    fault: str, expected: type[SendError], fake: FakeTwilio, provider: TwilioProvider
) -> None:
    url = fake.add_media(PNG)
    fake.fail_next(fault)
    with pytest.raises(expected):
        provider.fetch_media(account(fake.url), url)
    assert provider.fetch_media(account(fake.url), url).content == PNG


def test_refused_credentials_and_missing_files(fake: FakeTwilio, provider: TwilioProvider) -> None:
    with pytest.raises(Misconfigured):
        provider.fetch_media(account(fake.url, password="wrong"), fake.add_media(PNG))
    with pytest.raises(Rejected):
        provider.fetch_media(account(fake.url), fake.url + PATH)
