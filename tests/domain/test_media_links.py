"""Links for providers: ours are told from others, and expire."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest

from domain.media_links import LINK_TIME, MediaLinks

AT = datetime(2026, 3, 1, 10, tzinfo=UTC)
MEDIA, OTHER = UUID(int=1), UUID(int=2)
LINKS = MediaLinks(b"k" * 32, "https://parley.example/")


def _made() -> tuple[int, str]:
    query = parse_qs(urlsplit(LINKS.url(MEDIA, AT)).query)
    return int(query["expires"][0]), query["signature"][0]


def test_a_link_names_the_file_under_the_public_url() -> None:
    parts = urlsplit(LINKS.url(MEDIA, AT))
    assert (parts.scheme, parts.netloc, parts.path) == ("https", "parley.example", f"/media/{MEDIA}")


def test_a_link_holds_until_it_expires() -> None:
    expires, signature = _made()
    assert LINKS.is_valid(MEDIA, expires, signature, AT)
    assert LINKS.is_valid(MEDIA, expires, signature, AT + LINK_TIME - timedelta(seconds=1))
    assert not LINKS.is_valid(MEDIA, expires, signature, AT + LINK_TIME)


def test_a_link_is_good_for_nothing_else() -> None:
    expires, signature = _made()
    assert not LINKS.is_valid(OTHER, expires, signature, AT)
    assert not LINKS.is_valid(MEDIA, expires + 1, signature, AT)
    assert not LINKS.is_valid(MEDIA, expires, signature[:-1], AT)
    assert not LINKS.is_valid(MEDIA, expires, "żółw", AT)
    assert not MediaLinks(b"x" * 32, "https://parley.example").is_valid(MEDIA, expires, signature, AT)


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        MediaLinks(b"short", "https://parley.example")
