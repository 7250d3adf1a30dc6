"""What a mapping says about its SMSC: the options, and how they are read."""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from adapters.smpp.concatenation import Method
from adapters.smpp.receipts import IdFormat
from adapters.smpp.session import Bind, Mode
from domain.alphabets import Alphabet
from domain.providers import Account, Option, OptionValue

TlsContext = Callable[[], ssl.SSLContext]
"""Makes what TLS connections are verified with."""

BY_ADDRESS = -1
"""Type of number and numbering plan: as the address itself asks."""

DEFAULT_ALPHABETS = (Alphabet.GSM, Alphabet.LATIN_1, Alphabet.ASCII)


class BindMode(StrEnum):
    """How a standing connection is bound."""

    TRANSCEIVER = "transceiver"
    TRANSMITTER_AND_RECEIVER = "transmitter_and_receiver"  # two sessions, for SMSCs older than SMPP 3.4


def _number(name: str, what: str) -> Option:
    words = f"{what}; -1: as the address asks (SMPP 3.4, 5.2.5 and 5.2.6)"
    return Option(name, int, words, default=BY_ADDRESS, minimum=BY_ADDRESS, maximum=255)


OPTIONS = (
    Option("system_type", str, "system_type of the bind, where the SMSC asks for one", default=""),
    Option(
        "bind_mode",
        str,
        "One session for both directions, or one for each",
        default=BindMode.TRANSCEIVER,
        choices=tuple(BindMode),
    ),
    Option("binds", int, "How many connections to keep", default=1, minimum=1, maximum=10),
    Option("tls", bool, "Encrypt the connections, and verify the SMSC's certificate", default=False),
    Option(
        "window", int, "Requests without an answer, on each connection", default=10, minimum=1, maximum=1000
    ),
    Option("segments_per_second", float, "Rate of each number", default=10.0, minimum=0.01, maximum=2000),
    Option(
        "default_alphabet",
        str,
        "What the SMSC means by data coding 0",
        default=Alphabet.GSM,
        choices=DEFAULT_ALPHABETS,
    ),
    Option(
        "long_messages",
        str,
        "How long texts go: in parts with a header, in parts with sar_ fields, in one message_payload",
        default=Method.UDH_8,
        choices=tuple(Method),
    ),
    Option(
        "message_ids",
        str,
        "How the SMSC writes a message's id: in its answers, then in its receipts",
        default=IdFormat.SAME,
        choices=tuple(IdFormat),
    ),
    _number("source_ton", "Type of our numbers"),
    _number("source_npi", "Numbering plan of our numbers"),
    _number("destination_ton", "Type of customers' numbers"),
    _number("destination_npi", "Numbering plan of customers' numbers"),
    Option("service_type", str, "service_type of messages, where the SMSC asks for one", default=""),
    Option("receipts", bool, "Ask for a receipt of each message", default=True),
    Option("validity", bool, "Tell the SMSC how long it may go on trying", default=True),
    Option(
        "enquire_link_seconds",
        float,
        "How often to ask whether the SMSC is there",
        default=30.0,
        minimum=1,
        maximum=600,
    ),
    Option("response_seconds", float, "How long to wait for an answer", default=10.0, minimum=1, maximum=20),
)

_DEFAULTS: Mapping[str, OptionValue] = {
    option.name: option.default for option in OPTIONS if option.default is not None
}


@dataclass(frozen=True)
class Numbering:
    """Type of number and numbering plan of addresses; `BY_ADDRESS` leaves one to each address."""

    ton: int
    npi: int


@dataclass(frozen=True)
class Settings:
    """A mapping's options, typed."""

    binds: tuple[Bind, ...]  # the sessions of one standing connection; the first is the one that sends
    standing: int
    default_alphabet: Alphabet
    long_messages: Method
    message_ids: IdFormat
    source: Numbering
    destination: Numbering
    service_type: str
    receipts: bool
    validity: bool


def read(account: Account, tls: TlsContext) -> Settings:
    """The settings of an account; what it leaves out is as declared."""
    given = {**_DEFAULTS, **account.options}
    pair = given["bind_mode"] == BindMode.TRANSMITTER_AND_RECEIVER
    modes = (Mode.TRANSMITTER, Mode.RECEIVER) if pair else (Mode.TRANSCEIVER,)
    context = tls() if given["tls"] else None
    return Settings(
        binds=tuple(_bind(account, given, mode, context) for mode in modes),
        standing=int(given["binds"]),
        default_alphabet=Alphabet(str(given["default_alphabet"])),
        long_messages=Method(str(given["long_messages"])),
        message_ids=IdFormat(str(given["message_ids"])),
        source=Numbering(int(given["source_ton"]), int(given["source_npi"])),
        destination=Numbering(int(given["destination_ton"]), int(given["destination_npi"])),
        service_type=str(given["service_type"]),
        receipts=bool(given["receipts"]),
        validity=bool(given["validity"]),
    )


def _bind(
    account: Account, given: Mapping[str, OptionValue], mode: Mode, context: ssl.SSLContext | None
) -> Bind:
    return Bind(
        host=account.host,
        port=account.port,
        system_id=account.credentials.get("user", ""),
        password=account.credentials.get("password", ""),
        system_type=str(given["system_type"]),
        mode=mode,
        tls=context,
        window=int(given["window"]),
        response_timeout=float(given["response_seconds"]),
        enquire_every=float(given["enquire_link_seconds"]),
    )
