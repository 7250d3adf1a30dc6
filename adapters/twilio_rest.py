"""Twilio's REST API: sending, looking up and checking, through Twilio's own client.

Sources: Twilio's "Messages resource" and "Error and warning dictionary" pages, its OpenAPI description, and
the source of its Python client.
"""

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import takewhile
from typing import Any, TypeVar
from urllib.parse import urlsplit

from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException
from twilio.http.response import Response
from twilio.rest import Client

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

API = "https://api.twilio.com"
LIMITS = Limits(characters=1600, media=10, media_bytes=5_000_000)
LONGEST_VALIDITY = 36_000  # seconds: Twilio's own limit
LOOKED_THROUGH = 500  # messages to one customer, newest first, when looking an attempt up
CLOCK_SKEW = timedelta(seconds=60)  # how far behind ours Twilio's clock may be

CODES = Codes(
    opted_out={21610},
    not_now={14107, 20429, 21611},  # too fast, too many at once, the number's queue is full
    mapping_wrong={
        *(20003, 20005, 20006, 20008),  # credentials, account not active, no permission, test credentials
        *(21212, 21603, 21606, 21659, 21660, 21661),  # the sender: malformed, missing, unfit, not of ours
        21609,  # the callback URL: PARLEY_PUBLIC_URL is not one that Twilio can call
        *(21701, 21703, 21704, 21705),  # the Messaging Service: missing, without senders, malformed
        30002,  # account suspended
    },
    about_messages=21000,
)

MESSAGE_SID = re.compile(r"(?:SM|MM)[0-9a-f]{32}")

T = TypeVar("T")


def base_url(account: Account) -> str:
    """Where this mapping reaches Twilio's API: scheme, host and port."""
    return str(account.options.get("api_base") or API).rstrip("/")


def basic_auth(account: Account) -> tuple[str, str]:
    """What authorises requests: the API key where there is one, else the Auth Token."""
    given = account.credentials
    if given.get("access_key"):
        return given["access_key"], given.get("access_secret", "")
    return given["user_name"], given.get("password", "")


class TwilioCarrier(Carrier):
    """Sends for one account. Connections are kept open and shared by threads."""

    def __init__(self, account: Account, timeout: tuple[float, float]) -> None:
        self._account = account
        self._service = str(account.options.get("messaging_service") or "") or None
        self._web = _Web(base_url(account), timeout)
        self._client = self._client_for(*basic_auth(account))

    def send(self, message: OutboundMessage) -> Handover:
        refuse_unsupported(message, LIMITS, "Twilio")
        form = self._form(message)
        return _ask(lambda: _handover(self._client.messages.create(**form)))

    def find(self, message: OutboundMessage, attempted_at: datetime) -> list[Handover]:
        # `date_sent` would hide what is still queued, and with a Messaging Service the sender may not be set.
        listed = {"to": message.customer_address} | ({} if self._service else {"from_": message.our_address})
        earliest = attempted_at - CLOCK_SKEW

        def alike() -> list[Handover]:
            records = self._client.messages.stream(**listed, page_size=50, limit=LOOKED_THROUGH)
            recent = takewhile(lambda record: record.date_created >= earliest, records)
            return [_handover(record) for record in recent if _is_of(message, record)][::-1]

        return _ask(alike)

    def check(self) -> list[FieldError]:
        try:
            return list(self._check_account()) or list(self._check_addresses())
        except Misconfigured as error:
            return [FieldError("credentials", error.detail)]
        except SendError as error:
            return [FieldError("provider", f"Twilio could not be asked: {error.detail}")]

    def close(self) -> None:
        self._web.close()

    def _client_for(self, user: str, secret: str) -> Any:
        # Without an environment of its own (an empty one does not count) the client reads the process's.
        return Client(
            user,
            secret,
            self._account.credentials["user_name"],
            http_client=self._web,
            environment={"PARLEY": "reads its own settings"},
        )

    def _form(self, message: OutboundMessage) -> dict[str, Any]:
        longest = int(self._account.options.get("validity_seconds") or LONGEST_VALIDITY)
        form = {
            "to": message.customer_address,
            "from_": message.our_address,
            "messaging_service_sid": self._service,
            "body": message.text or None,
            "media_url": list(message.media_urls) or None,
            "status_callback": callback_url(self._account, message),
            "validity_period": longest
            if message.valid_for is None
            else max(1, min(message.valid_for, longest)),
        }
        return {name: value for name, value in form.items() if value is not None}

    def _check_account(self) -> Iterator[FieldError]:
        # An API key may not read the account; the Auth Token may, and proves itself by it.
        if token := self._account.credentials.get("password"):
            client = self._client_for(self._account.credentials["user_name"], token)
            try:
                account = _ask(client.api.v2010.account.fetch)
            except Misconfigured as error:
                yield FieldError("credentials.password", f"with user_name, is refused: {error.detail}")
                return
            if account.status != "active":
                yield FieldError("credentials.user_name", f"the account is {account.status} at Twilio")

    def _check_addresses(self) -> Iterator[FieldError]:
        pool = _ask(self._pool) if self._service else None
        for index, address in enumerate(self._account.addresses):
            if pool is not None and address not in pool:
                yield FieldError(f"routes[{index}].address", "is not in the Messaging Service's sender pool")
            elif pool is None and not _ask(partial(self._is_ours, address)):
                yield FieldError(f"routes[{index}].address", "is not a number of this Twilio account")

    def _pool(self) -> set[str]:
        service = self._client.messaging.v1.services(self._service)
        return (
            {each.phone_number for each in service.phone_numbers.list()}
            | {each.short_code for each in service.short_codes.list()}
            | {each.alpha_sender for each in service.alpha_senders.list()}
        )

    def _is_ours(self, address: str) -> bool:
        if is_phone(address):
            return bool(self._client.incoming_phone_numbers.list(phone_number=address, limit=1))
        if is_short_code(address):
            return bool(self._client.short_codes.list(short_code=address, limit=1))
        return True  # Twilio keeps no list of alphanumeric senders


class _Web:
    """What Twilio's client sends its requests through.

    Its own way has no time limit, may retry, logs customers' numbers, and hands each answer on through an
    attribute that all threads share.
    """

    is_async = False

    def __init__(self, base: str, timeout: tuple[float, float]) -> None:
        self._base, self._timeout = base, timeout
        self._session = session()

    def request(self, method: str, uri: str, **given: Any) -> Response:
        """Send it once. Raises SendError where there is no answer, or one that the client would misread."""
        url = uri if self._base == API else self._base + uri.removeprefix(f"https://{urlsplit(uri).netloc}")
        sent = {name: given.get(name) for name in ("params", "data", "headers", "auth")}
        answer = ask_once(self._session, "Twilio", method, url, self._timeout, **sent)
        return Response(answer.status_code, answer.text, answer.headers)

    def close(self) -> None:
        """Give up connections."""
        self._session.close()


def _ask(question: Callable[[], T]) -> T:
    """Its answer. Raises SendError and nothing else."""
    try:
        return question()
    except TwilioException as error:
        raise refusal(error) from None
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise Unknown(f"Twilio's answer cannot be read ({type(error).__name__})") from None


def refusal(error: TwilioException) -> SendError:
    """What an error of Twilio's client means for the message that was to be sent."""
    if not isinstance(error, TwilioRestException | TwilioServiceException):
        return Unknown(f"Twilio's client failed ({type(error).__name__})")
    status, code = _integer(error.status), _integer(error.code)
    words = error.msg if isinstance(error, TwilioRestException) else error.detail or error.title
    return CODES.refusal(status, code, str(words))


def _integer(value: object) -> int:
    return value if isinstance(value, int) else 0


def _handover(record: Any) -> Handover:
    if not MESSAGE_SID.fullmatch(str(record.sid)):
        raise Unknown("Twilio's answer names no message")
    segments = str(record.num_segments)  # "0" with a Messaging Service, until it has chosen the sender
    return Handover(record.sid, int(segments) if re.fullmatch(r"[1-9][0-9]?", segments) else None)


def _is_of(message: OutboundMessage, record: Any) -> bool:
    return (
        record.direction == "outbound-api"
        and record.to == message.customer_address
        and record.from_ in {None, message.our_address}
        and (record.body or "").strip() == message.text.strip()  # Twilio trims it
    )
