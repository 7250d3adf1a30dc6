"""Fetching a customer's pictures and files from a provider, without being turned against ourselves.

What a customer sent is not trusted: neither how large it is, nor what it claims to be. Where the provider
redirects to is not trusted either: only the first request carries credentials, and only to the provider.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

import requests
from urllib3.exceptions import HTTPError

from adapters.outgoing import led_inside, session
from domain.providers import MediaContent, Misconfigured, NotTaken, Rejected

_REDIRECTS = 3
_CHUNK = 64 * 1024

# What each begins with. SVG is a program, not a picture, and is left out on purpose.
_PICTURES: tuple[tuple[str, int, bytes], ...] = (
    ("image/jpeg", 0, b"\xff\xd8\xff"),
    ("image/png", 0, b"\x89PNG\r\n\x1a\n"),
    ("image/gif", 0, b"GIF87a"),
    ("image/gif", 0, b"GIF89a"),
    ("image/webp", 8, b"WEBP"),
    ("image/bmp", 0, b"BM"),
    ("image/tiff", 0, b"II*\x00"),
    ("image/tiff", 0, b"MM\x00*"),
    ("image/heic", 4, b"ftyphei"),
    ("image/heic", 4, b"ftypmif1"),
)
_FILES = ("audio/", "video/", "text/vcard", "text/x-vcard", "application/pdf")


@dataclass(frozen=True)
class Download:
    """What to fetch: a URL at the provider whose origin is `base`, of at most `cap` octets."""

    url: str
    base: str  # scheme, host and port of the provider
    auth: tuple[str, str] | None = field(repr=False)  # None where the URL alone is enough
    cap: int
    timeout: tuple[float, float]  # seconds to connect, and between two octets


def fetch(wanted: Download) -> MediaContent:
    """Fetch it. Pictures get the type that they really have.

    Raises Rejected for what is too large or of a type not wanted, or leads astray; Misconfigured when the
    provider refuses the credentials; NotTaken when it may work another time.
    """
    url, auth = wanted.url, wanted.auth
    for _ in range(1 + _REDIRECTS):
        try:
            response = _get(wanted, url, auth if url == wanted.url else None)
            with response:
                if not response.is_redirect:
                    return _read(response, wanted.cap)
                url = urljoin(url, response.headers["location"])
        except ValueError:  # also what requests raises for a URL that it cannot use
            raise Rejected("the file is behind a URL that cannot be used or is not HTTPS") from None
        except (HTTPError, OSError) as error:  # OSError: every other exception of requests
            if led_inside(error):
                raise Rejected("the file is behind an address that is not on the public internet") from None
            raise NotTaken(f"the file cannot be fetched now ({type(error).__name__})") from None
    raise Rejected(f"the file is not within {_REDIRECTS} redirects")


def _get(wanted: Download, url: str, auth: tuple[str, str] | None) -> requests.Response:
    # A session of its own for each hop: no cookie and no connection is carried from one to the next.
    with session(public_only=_origin(url) != _origin(wanted.base)) as web:
        return web.get(
            url,
            auth=auth or _nobody,
            headers={"Accept-Encoding": "identity"},  # so that the cap counts what will be kept
            allow_redirects=False,
            stream=True,
            timeout=wanted.timeout,
        )


def _nobody(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Send no credentials, not even those that a .netrc file has for the host."""
    return request


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()


def _read(response: requests.Response, cap: int) -> MediaContent:
    status = response.status_code
    if status in {401, 403}:
        raise Misconfigured(f"the provider refuses the credentials for the file (HTTP {status})", str(status))
    if status == 429 or status >= 500:
        raise NotTaken(f"the provider does not deliver the file now (HTTP {status})", str(status))
    if status != 200:
        raise Rejected(f"the provider does not have the file (HTTP {status})", str(status))
    if response.headers.get("content-encoding", "identity") != "identity":
        raise Rejected("the file came compressed, though it was asked for as it is")
    claimed = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    content = _up_to(cap, response.iter_content(_CHUNK))
    return MediaContent(checked_type(claimed, content), content)


def _up_to(cap: int, chunks: Iterable[bytes]) -> bytes:
    content = bytearray()
    for chunk in chunks:
        content += chunk
        if len(content) > cap:
            raise Rejected(f"the file is larger than {cap} octets")
    return bytes(content)


def checked_type(claimed: str, content: bytes) -> str:
    """The type of a picture or file: of a picture the one that it really has. Raises Rejected for others."""
    if claimed.startswith("image/"):
        for name, at, mark in _PICTURES:
            if content.startswith(mark, at):
                return name
        raise Rejected("the file says it is a picture and is none that is known")
    if claimed == "application/pdf" and not content.startswith(b"%PDF-"):
        raise Rejected("the file says it is a PDF and is none")
    if not claimed.startswith(_FILES):
        raise Rejected("files of this type are not fetched")
    return claimed
