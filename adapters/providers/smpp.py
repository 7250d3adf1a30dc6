"""SMPP 3.4: texts by an SMSC, on connections that Parley keeps open.

Source: Short Message Peer to Peer Protocol Specification v3.4, issue 1.2. How texts travel is in
`adapters.smpp`.
"""

import re
import ssl
from collections.abc import Iterator
from random import Random, SystemRandom
from typing import ClassVar

from adapters.clock import SystemClock
from adapters.smpp import settings
from adapters.smpp.carrier import LIMITS, SmppCarrier
from adapters.smpp.inbound import scope
from domain.errors import FieldError
from domain.ids import Identities
from domain.ports import Clock
from domain.providers import (
    Account,
    BadRequest,
    Provider,
    SecretField,
    WebhookReply,
    WebhookRequest,
)

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9.])?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
_LONGEST = {"user": 15, "password": 8}  # characters (SMPP 3.4, 4.1.1)
_LONGEST_SYSTEM_TYPE = 12
_LONGEST_SERVICE_TYPE = 5  # (4.4.1)


class SmppProvider(Provider):
    """Carries a mapping's texts by an SMSC. `tls` makes what its certificate is verified with."""

    name = "smpp"
    title = "SMPP 3.4"
    credentials = (
        SecretField("user", "system_id of the bind", hidden=False, required=True),
        SecretField("password", "Its password, at most 8 characters", hidden=True, required=True),
    )
    options = settings.OPTIONS
    limits = LIMITS
    keeps_connections: ClassVar[bool] = True

    def __init__(
        self,
        clock: Clock | None = None,
        random: Random | None = None,
        tls: settings.TlsContext = ssl.create_default_context,
    ) -> None:
        self._clock = clock or SystemClock()
        self._random = random or SystemRandom()
        self._tls = tls

    def check(self, account: Account) -> list[FieldError]:
        return list(_problems(account))

    def scope(self, account: Account) -> str:
        return scope(account)

    def read_webhook(self, account: Account, request: WebhookRequest, ids: Identities) -> WebhookReply:
        raise BadRequest(
            "provider", "an SMSC calls no webhook: it speaks on the connections that Parley keeps"
        )

    def open(self, account: Account) -> SmppCarrier:
        return SmppCarrier(account, settings.read(account, self._tls), self._clock, self._random)


def _problems(account: Account) -> Iterator[FieldError]:
    if account.host and not _HOST.fullmatch(account.host):
        yield FieldError("host", "must be a host name or an IP address alone, without scheme or port")
    for name, longest in _LONGEST.items():
        yield from _misshapen(f"credentials.{name}", account.credentials.get(name, ""), longest)
    yield from _misshapen("options.system_type", account.options.get("system_type", ""), _LONGEST_SYSTEM_TYPE)
    yield from _misshapen(
        "options.service_type", account.options.get("service_type", ""), _LONGEST_SERVICE_TYPE
    )


def _misshapen(name: str, value: object, longest: int) -> Iterator[FieldError]:
    if not re.fullmatch(rf"[ -~]{{0,{longest}}}", str(value)):
        yield FieldError(name, f"must be at most {longest} ASCII characters: SMPP has room for no more")
