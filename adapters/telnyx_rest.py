"""Telnyx's REST API, version 2: sending, looking up and checking.

Sources: the pages "Send a message", "Search detail records", "List phone numbers with messaging settings",
"Messaging error codes", "API error codes" and "Message encoding" on developers.telnyx.com, Telnyx's OpenAPI
description (github.com/team-telnyx/openapi), and the source of its Python client. That client is not used:
for a handful of requests it would bring 3 MB of generated code and a second HTTP stack (httpx, pydantic).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import requests

from adapters.gateways import Codes, ask_once, callback_url, refuse_unsupported
from adapters.outgoing import session
from domain.addresses import is_phone, is_short_code
from domain.errors import FieldError
from domain.providers import (
    Account,
    Carrier,
    Handover,
    Limits,
    Misconfigured,
    OutboundMessage,
    SendError,
    Unknown,
)

API = "https://api.telnyx.com"
LIMITS = Limits(characters=1530, media=10, media_bytes=1_000_000)  # ten parts of 153, in the basic alphabet
LOOKED_THROUGH = 50  # records of one customer, newest first, when looking an attempt up
MOST_SHORT_CODES = 250  # of an account: Telnyx's largest page
CLOCK_SKEW = timedelta(seconds=60)  # how far behind ours Telnyx's clock may be

CODES = Codes(
    opted_out={40300},
    not_now={10011, 40318, 40320},  # too fast, the queue is full, the number is in a passing state
    mapping_wrong={
        *range(20000, 20018),  # the API key; the account inactive, blocked or not verified
        *(10009, 10010, 10038, 10039, 20100),  # no authentication or permission, not at this level, no funds
        *(40100, 40305, 40315, 40329, 40330),  # our number: unfit, not ours, unhealthy, not verified
        *(40306, 40307, 40325),  # our name as a sender: not on the profile, malformed
        *(40311, 40312, 40313, 40314, 40321, 40331, 40333),  # the messaging profile: off, empty, spent
    },
    about_messages=40000,
)
NOT_FOUND = "10005"
FIELDS_OF_THE_MAPPING = {"from", "messaging_profile_id", "webhook_url"}

MESSAGE_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

T = TypeVar("T")


def base_url(account: Account) -> str:
    """Where this mapping reaches Telnyx's API: scheme, host and port."""
    return str(account.options.get("api_base") or API).rstrip("/")


class TelnyxCarrier(Carrier):
    """Sends for one account. Connections are kept open and shared by threads.

    Telnyx takes no validity with a message: what it has not sent within an hour it gives up by itself.
    """

    def __init__(self, account: Account, timeout: tuple[float, float]) -> None:
        self._account, self._timeout = account, timeout
        self._profile = str(account.options.get("messaging_profile") or "") or None
        self._web = session()

    def send(self, message: OutboundMessage) -> Handover:
        refuse_unsupported(message, LIMITS, "Telnyx")
        return _read(lambda: _handover(self._ask("POST", "/messages", json=self._body(message)), "id"))

    def find(self, message: OutboundMessage, attempted_at: datetime) -> list[Handover]:
        # A detail record has no text, but the URL for receipts, which names the attempt. What is
        # still queued at Telnyx may not have a record yet: its receipts will name the attempt just so.
        earliest, callback = attempted_at - CLOCK_SKEW, callback_url(self._account, message)
        query = {
            "filter[record_type]": "messaging",
            "filter[direction]": "outbound",
            "filter[cld]": message.customer_address,
            "filter[created_at][gte]": earliest.astimezone(UTC).date().isoformat(),
            "sort": "-created_at",
            "page[size]": str(LOOKED_THROUGH),
        }

        def of_this_attempt() -> list[Handover]:
            records = [
                each
                for each in self._get("/detail_records", query)
                if each.get("delivery_status_webhook_url") == callback
                and datetime.fromisoformat(each["created_at"]) >= earliest
            ]
            return [_handover(each, "uuid") for each in reversed(records)]

        return _read(of_this_attempt)

    def check(self) -> list[FieldError]:
        try:
            return _read(lambda: list(self._check_profile()) or list(self._check_addresses()))
        except Misconfigured as error:
            return [FieldError("credentials.api_key", f"is refused: {error.detail}")]
        except SendError as error:
            return [FieldError("provider", f"Telnyx could not be asked: {error.detail}")]

    def close(self) -> None:
        self._web.close()

    def _get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        return self._ask("GET", path, params=query)

    def _ask(self, method: str, path: str, **given: Any) -> Any:
        """The data of Telnyx's answer; None where it cannot be read. Raises SendError."""
        url, key = f"{base_url(self._account)}/v2{path}", self._account.credentials.get("api_key", "")
        answer = ask_once(self._web, "Telnyx", method, url, self._timeout, auth=_Bearer(key), **given)
        document = _document(answer)
        if not 200 <= answer.status_code < 300:
            raise refusal(answer.status_code, document)
        return document.get("data")

    def _body(self, message: OutboundMessage) -> dict[str, Any]:
        body = {
            "from": message.our_address,
            "to": message.customer_address,
            "text": message.text or None,
            "media_urls": list(message.media_urls) or None,
            "messaging_profile_id": self._profile,
            "webhook_url": callback_url(self._account, message),
        }
        return {name: value for name, value in body.items() if value is not None}

    def _check_profile(self) -> Iterator[FieldError]:
        if not self._profile:
            return
        try:
            profile = self._get(f"/messaging_profiles/{self._profile}")
        except Misconfigured as error:
            if error.code != NOT_FOUND:
                raise
            yield FieldError("options.messaging_profile", "is not a messaging profile of this Telnyx account")
            return
        if not profile["enabled"]:
            yield FieldError("options.messaging_profile", "is disabled at Telnyx: enable it there")

    def _check_addresses(self) -> Iterator[FieldError]:
        profiles = self._profiles()
        for index, address in enumerate(self._account.addresses):
            if not (is_phone(address) or is_short_code(address)):
                continue  # a name, which belongs to the profile
            problem = None
            if address not in profiles:
                problem = "is not a number of this Telnyx account"
            elif not profiles[address]:
                problem = "has no messaging profile: give it one at Telnyx"
            elif self._profile and profiles[address] != self._profile:
                problem = "is in another messaging profile at Telnyx"
            if problem:
                yield FieldError(f"routes[{index}].address", problem)

    def _profiles(self) -> dict[str, str | None]:
        """The messaging profile of each of our numbers that the account has."""
        phones = ",".join(filter(is_phone, self._account.addresses))  # without one, it still tries the key
        numbers = self._get("/phone_numbers/messaging", {"filter[phone_number]": phones} if phones else None)
        found = {each["phone_number"]: each.get("messaging_profile_id") for each in numbers}
        if any(map(is_short_code, self._account.addresses)):
            codes = self._get("/short_codes", {"page[size]": str(MOST_SHORT_CODES)})
            found |= {each["short_code"]: each.get("messaging_profile_id") for each in codes}
        return found


class _Bearer(requests.auth.AuthBase):
    """Authorises a request by the API key. A header alone would lose to a .netrc file that has the host."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request


def _document(answer: requests.Response) -> dict[str, Any]:
    """An answer's JSON object; empty where it is none."""
    try:
        document = answer.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _read(question: Callable[[], T]) -> T:
    """Its answer. Raises SendError and nothing else."""
    try:
        return question()
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise Unknown(f"Telnyx's answer cannot be read ({type(error).__name__})") from None


def _handover(record: Any, name: str) -> Handover:
    """The message whose id a record has under `name`. Raises Unknown."""
    message_id, parts = record[name], record.get("parts")
    if not MESSAGE_ID.fullmatch(str(message_id)):
        raise Unknown("Telnyx's answer names no message")
    return Handover(message_id, parts if isinstance(parts, int) and parts > 0 else None)


def refusal(status: int, document: Mapping[str, Any]) -> SendError:
    """What an answer other than 2xx means for the message that was to be sent: its first error counts."""
    errors = document.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    error = first if isinstance(first, dict) else {}
    given = str(error.get("code"))
    code = int(given) if re.fullmatch(r"[0-9]{1,9}", given) else status
    words = str(error.get("detail") or error.get("title") or f"HTTP {status}")
    of_mapping = code < CODES.about_messages and _field(error) in FIELDS_OF_THE_MAPPING
    return CODES.refusal(status, code, words, of_mapping=of_mapping)


def _field(error: Mapping[str, Any]) -> str:
    """The field of the request that an error points at (RFC 6901), where it points at one."""
    source = error.get("source")
    pointer = str(source.get("pointer")) if isinstance(source, dict) else ""
    return pointer.lstrip("/").partition("/")[0]
