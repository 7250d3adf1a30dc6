"""What REST gateways have in common, whosever they are.

How an attempt is named in the URL that its receipts come to, how a request is made once, and what a refusal
means for a message: the gateway's own file has its words and numbers, this one what follows from them.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import requests
from urllib3.exceptions import HTTPError

from adapters.outgoing import never_left
from domain.addresses import AddressError, normalise
from domain.errors import FieldError
from domain.providers import (
    Account,
    BadRequest,
    Limits,
    Misconfigured,
    NotTaken,
    OptedOut,
    OutboundMessage,
    Rejected,
    SendError,
    Unknown,
)

_ATTEMPT = re.compile(r"([0-9a-f]{32})\.([1-9][0-9]{0,8})")
_NUMBER = re.compile(r"\+?[0-9]{7,}")
_UNDECIDED_STATUSES = {408, 409, 425}
_MAPPING_WRONG_STATUSES = {401, 402, 403, 404}  # unless the code is about the message


# ── settings ───────────────────────────────────────────────────────────────────────────────────


def base_problems(base: str) -> Iterator[FieldError]:
    """What is wrong with the `api_base` option: it must be an origin, reached by HTTPS."""
    url = urlsplit(base)
    plain = url.scheme == "http" and url.hostname in {"127.0.0.1", "localhost", "::1"}
    if not (url.hostname and (url.scheme == "https" or plain)) or url.path or url.query or url.username:
        yield FieldError("options.api_base", "must be https://host, or http:// on this machine itself")


# ── attempts and addresses ─────────────────────────────────────────────────────────────────────


def callback_url(account: Account, message: OutboundMessage) -> str:
    """Where the gateway reports on this attempt. It names it, even if the gateway's answer is lost."""
    return f"{account.webhook_url}/status?attempt={message.message_id.hex}.{message.attempt}"


def attempt_in(url: str) -> tuple[UUID | None, int | None]:
    """What `callback_url` put into a URL; nothing where the URL was set at the gateway by hand.

    Raises BadRequest for an attempt that it never wrote.
    """
    values = parse_qs(urlsplit(url).query, keep_blank_values=True).get("attempt")
    if values is None:
        return None, None
    match = _ATTEMPT.fullmatch(values[0])
    if not match:
        raise BadRequest("attempt", "is not what was put into the callback's URL")
    return UUID(hex=match[1]), int(match[2])


def address(account: Account, name: str, value: str) -> str:
    """The address in the field `name` of a webhook, as Parley writes it. Raises BadRequest."""
    channel, colon, _ = value.partition(":")
    if colon:
        raise BadRequest(name, f"is of the channel {channel[:20]!r}: only SMS and MMS are carried")
    try:
        return normalise(value, account.default_country)
    except AddressError as error:
        raise BadRequest(name, str(error)) from error


# ── sending ────────────────────────────────────────────────────────────────────────────────────


def is_utf8(text: str) -> bool:
    """Whether a text can be encoded at all: no half of a surrogate pair stands alone."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def refuse_unsupported(message: OutboundMessage, limits: Limits, gateway: str) -> None:
    """Raise Rejected for what the gateway called `gateway` cannot carry."""
    if not message.text and not message.media_urls:
        raise Rejected("there is nothing to send: no text and no media")
    if len(message.text) > limits.characters:
        raise Rejected(f"the text is longer than {gateway}'s {limits.characters} characters")
    if not is_utf8(message.text):
        raise Rejected("the text has characters that no text message can carry")
    if len(message.media_urls) > limits.media:
        raise Rejected(f"{gateway} takes at most {limits.media} pictures or files with a message")
    if ":" in message.customer_address or ":" in message.our_address:
        raise Rejected(f"only SMS and MMS are carried, no other channel of {gateway}'s")


def ask_once(
    web: requests.Session, gateway: str, method: str, url: str, timeout: tuple[float, float], **given: Any
) -> requests.Response:
    """The answer of the gateway called `gateway` to one request, sent once; `timeout` as requests takes it.

    Raises NotTaken where the request never left or is to wait (HTTP 429), Unknown where there is no answer or
    the gateway failed (HTTP 5xx). What other statuses mean is left to the caller.
    """
    try:
        answer = web.request(method, url, timeout=timeout, allow_redirects=False, **given)
    except (HTTPError, OSError) as error:  # OSError: every exception of requests is one
        # Not the error's own words: they hold the URL, and that the customer's number.
        if never_left(error):
            raise NotTaken(f"no connection to {gateway} ({type(error).__name__})") from None
        raise Unknown(f"no answer from {gateway} ({type(error).__name__})") from None
    if answer.status_code == 429:
        raise NotTaken(f"{gateway} asks to slow down (HTTP 429)", "429", _seconds(answer.headers))
    if answer.status_code >= 500:
        raise Unknown(f"{gateway} failed (HTTP {answer.status_code})", str(answer.status_code))
    return answer


def _seconds(headers: Mapping[str, str]) -> float | None:
    after = headers.get("retry-after", "")
    return float(after) if re.fullmatch(r"[0-9]{1,6}", after) else None


@dataclass(frozen=True)
class Codes:
    """What a gateway's error codes mean for a send. Any other 4xx is about this one message: Rejected."""

    opted_out: Collection[int]
    not_now: Collection[int]
    mapping_wrong: Collection[int]
    about_messages: int  # from here up a code is about the message, whatever the HTTP status

    def refusal(self, status: int, code: int, words: str, *, of_mapping: bool = False) -> SendError:
        """What an answer means for the message that was to be sent. `words` lose the numbers in them.

        `of_mapping`: what the gateway finds wrong is a field that the mapping fills, in every message alike.
        """
        said = (_NUMBER.sub("(number)", words), str(code))
        if code in self.opted_out:
            return OptedOut(*said)
        if code in self.not_now or status == 429:
            return NotTaken(*said)
        refused_all = status in _MAPPING_WRONG_STATUSES and code < self.about_messages
        if code in self.mapping_wrong or refused_all or of_mapping:
            return Misconfigured(*said)
        if 400 <= status < 500 and status not in _UNDECIDED_STATUSES:
            return Rejected(*said)
        return Unknown(*said)
