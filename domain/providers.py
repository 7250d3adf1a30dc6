"""The provider contract: what it takes to carry texts for a mapping.

A provider is one class that reads its webhooks and opens carriers; a carrier hands messages over
for one mapping's account. Everything a provider can say is one of the values below, so that the
rest of Parley never learns a provider's own vocabulary. The worker that sends decides about
retries and status; a provider only raises.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from domain.errors import FieldError
from domain.facts import Fact
from domain.ids import Identities

# ── what a mapping gives its provider ──────────────────────────────────────────────────────────


OptionValue = str | int | float | bool


@dataclass(frozen=True)
class Option:
    """A setting of the provider's own, under a mapping's `options`."""

    name: str
    kind: type[str] | type[int] | type[float] | type[bool]
    help: str
    default: str | int | float | bool | None = None
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True)
class SecretField:
    """A credential under a mapping's `credentials`. `hidden` ones are write-only."""

    name: str
    help: str
    hidden: bool
    required: bool


@dataclass(frozen=True)
class Account:
    """All that a provider may know of one mapping: its credentials in clear, and its options."""

    mapping_id: UUID
    code: str
    credentials: Mapping[str, str] = field(repr=False)
    options: Mapping[str, OptionValue]
    addresses: tuple[str, ...]
    default_country: str
    webhook_url: str  # the public URL providers call; receipts go to `{webhook_url}/status`
    host: str = ""  # where an SMSC is
    port: int = 0


@dataclass(frozen=True)
class Limits:
    """What a provider takes in one message."""

    characters: int
    media: int  # how many pictures or files; 0: none
    media_bytes: int  # octets, all together


# ── inbound ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class WebhookRequest:
    """A request as it came in. `url` is the public one: the configured base, raw path and query."""

    url: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    is_status: bool  # it came to the `/status` URL


@dataclass(frozen=True)
class WebhookReply:
    """What the provider wants to hear once the facts are durable."""

    facts: Sequence[Fact]
    body: str = ""
    content_type: str = "text/plain"


class BadSignature(Exception):
    """The request was not signed by the provider with this mapping's secret (HTTP 403)."""


class BadRequest(Exception):
    """The request is authentic or cannot be judged, but not readable (HTTP 400); names the field."""

    def __init__(self, field_name: str, message: str) -> None:
        super().__init__(f"{field_name}: {message}")
        self.field = field_name
        self.message = message


# ── outbound ───────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class OutboundMessage:
    """One attempt at one message."""

    message_id: UUID
    attempt: int
    our_address: str
    customer_address: str
    text: str
    media_urls: tuple[str, ...] = ()
    valid_for: int | None = None  # seconds the provider may go on trying


@dataclass(frozen=True)
class Handover:
    """The provider took the message."""

    provider_message_id: str
    segments: int | None = None


class SendError(Exception):
    """Why a provider did not take a message: a closed set, of these subclasses only."""

    def __init__(self, detail: str, code: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code


class NotTaken(SendError):
    """Surely not taken, for now: refused connection, throttled, queue full. May be tried again."""

    def __init__(self, detail: str, code: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(detail, code)
        self.retry_after = retry_after  # seconds


class Rejected(SendError):
    """It will never be taken: a bad number, filtered content, an unsupported feature."""


class OptedOut(Rejected):
    """The customer is on the provider's own opt-out list."""


class Misconfigured(Rejected):
    """The mapping itself is wrong: credentials refused, number not ours. Every send will fail."""


class Unknown(SendError):
    """Nobody knows whether it was taken: a timeout, a reset or a 5xx after bytes had left."""


Handed = tuple[OutboundMessage, Handover | Exception]
"""A message, and what came of handing it over: `Carrier.send`'s result, or what that raised."""

Deliver = Callable[[Sequence[Fact]], None]
"""Makes facts durable; returns only then. Raises Unavailable."""


class Carrier(ABC):
    """An open way to send for one account. Used by several threads at once.

    Where a provider speaks to us on connections that we keep open, a carrier has so many `standing` ones,
    numbered from 0. Each is kept by one process at a time: whoever runs the carrier says which.
    """

    standing: int = 0

    at_once: int = 1
    """How many messages `send_all` is best given together."""

    @abstractmethod
    def send(self, message: OutboundMessage) -> Handover:
        """Hand it over, once: no retries inside. Raises SendError and nothing else."""

    def send_all(self, messages: Sequence[OutboundMessage]) -> Iterator[Sequence[Handed]]:
        """Hand over several, as `send` does each; what came of them, as soon as it is known. Raises nothing.

        To be overridden, with `at_once`, where they need not wait for one another.
        """
        for message in messages:
            try:
                yield [(message, self.send(message))]
            except Exception as error:  # noqa: BLE001 - it is told, like a SendError
                yield [(message, error)]

    def connect(self, number: int, ids: Identities, deliver: Deliver) -> None:
        """Keep a standing connection open from now on, and deliver what comes by it, as facts keyed by `ids`.

        Returns at once. Doing it again changes nothing.
        """
        raise NotImplementedError(f"{type(self).__name__} has no standing connections")

    def disconnect(self, number: int) -> None:
        """Give a standing connection up, cleanly. Does nothing when it is not kept."""
        return

    def ready(self) -> bool:
        """Whether it could hand a message over now. What one that is not has to send is left to others."""
        return True

    def connections(self) -> Sequence[str]:
        """How each connection that is kept stands, in words for people."""
        return ()

    def find(self, message: OutboundMessage, attempted_at: datetime) -> Sequence[Handover]:
        """Look an attempt in doubt up in the provider's records: all that it may be, oldest first.

        Equal texts look alike: the caller leaves out those that other attempts are known to be. Raises
        SendError when the records cannot be read now.
        """
        raise Unknown("this provider keeps no records that can be looked up")

    @abstractmethod
    def check(self) -> list[FieldError]:
        """Try the account against the provider, sending nothing; what is wrong with it."""

    def close(self) -> None:
        """Give up connections."""
        return


@dataclass(frozen=True)
class MediaContent:
    """A picture or file, fetched."""

    content_type: str
    content: bytes


class Provider(ABC):
    """A kind of provider: one instance serves every mapping that names it. Keeps no state."""

    name: ClassVar[str]  # as a mapping's `provider` names it
    title: ClassVar[str]  # for people
    credentials: ClassVar[tuple[SecretField, ...]]
    options: ClassVar[tuple[Option, ...]]
    limits: ClassVar[Limits]
    can_find: ClassVar[bool] = False  # its carriers can look up an attempt in doubt
    answers_keywords: ClassVar[bool] = False  # it answers STOP, START and HELP itself by default
    keeps_connections: ClassVar[bool] = False  # its carriers have standing connections

    def check(self, account: Account) -> list[FieldError]:
        """What is wrong with credentials and options that their declarations cannot say."""
        return []

    def missing_credentials(self, account: Account) -> list[str]:
        """The credentials that are needed and not there: a draft may be without."""
        return [
            each.name for each in self.credentials if each.required and not account.credentials.get(each.name)
        ]

    def scope(self, account: Account) -> str:
        """Within what the provider's message ids are unique: the provider and, usually, its account."""
        return self.name

    def sender_scope(self, options: Mapping[str, OptionValue], our_address: str) -> str:
        """Within what a customer's STOP holds: our address, or what the provider pools it with."""
        return our_address

    @abstractmethod
    def read_webhook(self, account: Account, request: WebhookRequest, ids: Identities) -> WebhookReply:
        """Verify a webhook, then turn it into facts keyed by `ids`. Raises BadSignature, BadRequest."""

    @abstractmethod
    def open(self, account: Account) -> Carrier:
        """A carrier for this account. Opens no connection yet."""

    def fetch_media(self, account: Account, url: str) -> MediaContent:
        """A picture or file of an inbound message. Raises SendError."""
        raise Rejected("this provider delivers no media")
