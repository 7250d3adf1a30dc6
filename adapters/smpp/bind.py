"""Where an SMSC is, and how to bind to it."""

import asyncio
import os
import ssl
from dataclasses import dataclass, field
from enum import StrEnum

from adapters.smpp.exchanges import Refused, SessionError
from adapters.smpp.pdu import Command, Pdu

INTERFACE_VERSION = 0x34


class Mode(StrEnum):
    """What a bind is for: both ways, sending only, receiving only."""

    TRANSCEIVER = "transceiver"
    TRANSMITTER = "transmitter"
    RECEIVER = "receiver"


@dataclass(frozen=True)
class Bind:
    """How to bind. Times are in seconds."""

    host: str
    port: int
    system_id: str
    password: str = field(repr=False)
    system_type: str = ""
    mode: Mode = Mode.TRANSCEIVER
    tls: ssl.SSLContext | None = None
    window: int = 10  # requests that may be unanswered at once
    connect_timeout: float = 5
    response_timeout: float = 10
    enquire_every: float = 30


class NotConnected(SessionError):
    """There is no session: no connection came about, or the bind was not answered."""


class BindRefused(SessionError):
    """The SMSC answered the bind with an error status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the bind was refused: {Refused(status)}")
        self.status = status


async def connect(bind: Bind) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect, by TLS if wanted. Raises NotConnected."""
    try:
        async with asyncio.timeout(bind.connect_timeout):
            return await asyncio.open_connection(bind.host, bind.port, ssl=bind.tls)
    except TimeoutError as error:
        problem = f"no connection to {bind.host}:{bind.port} in {bind.connect_timeout:g} s"
        raise NotConnected(problem) from error
    except (OSError, ValueError, OverflowError) as error:  # the last two: a host or port that cannot be
        raise NotConnected(f"cannot connect to {bind.host}:{bind.port}: {_words(error)}") from error


def _words(error: Exception) -> str:
    """Why, without asyncio's numbers: "Connection refused"."""
    if not isinstance(error, OSError) or isinstance(error, ssl.SSLError):
        return str(error)
    if error.errno and error.errno > 0:  # a name that cannot be found has a negative one
        return os.strerror(error.errno)
    return error.strerror or str(error)


def bind_request(bind: Bind) -> Pdu:
    """The request that binds."""
    command = {
        Mode.TRANSCEIVER: Command.BIND_TRANSCEIVER,
        Mode.TRANSMITTER: Command.BIND_TRANSMITTER,
        Mode.RECEIVER: Command.BIND_RECEIVER,
    }[bind.mode]
    fields: dict[str, str | int | bytes] = {
        "system_id": bind.system_id,
        "password": bind.password,
        "system_type": bind.system_type,
        "interface_version": INTERFACE_VERSION,
        "addr_ton": 0,
        "addr_npi": 0,
        "address_range": "",
    }
    return Pdu(command, 0, fields=fields)
