"""Outgoing HTTP that a sender can reason about.

Nothing in here is sent twice, and a failure tells whether the request can have reached anybody: only when
it cannot may a message be tried again.
"""

import ipaddress
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import (
    ClosedPoolError,
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NewConnectionError,
)

_CONNECTIONS = 32  # kept open at once, each used by one thread at a time


def session(*, public_only: bool = False) -> requests.Session:
    """A session without retries. Threads may share it.

    With `public_only` it speaks HTTPS alone and hangs up on any address that is not on the public internet,
    whatever name led there.
    """
    web = requests.Session()
    web.mount("https://", _Adapter(_PublicPool if public_only else _Pool))
    if public_only:
        del web.adapters["http://"]
    else:
        web.mount("http://", HTTPAdapter(pool_maxsize=_CONNECTIONS, max_retries=0))
    return web


def never_left(error: Exception) -> bool:
    """Whether a failed request surely never left: no byte of it was written to a connection.

    `error` is what a request through a `session` raised: an OSError (every exception of requests is one) or
    one of urllib3's. What is not known to come before the first byte counts as having left.
    """
    if not isinstance(error, requests.RequestException):
        # Once there is a connection, requests wraps what goes wrong; a missing CA bundle comes before.
        return isinstance(error, OSError)
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.ProxyError):
        return True
    return isinstance(error, _UNBUILT) or isinstance(_reason(error), _UNCONNECTED)


def led_inside(error: Exception) -> bool:
    """Whether a request through a `public_only` session failed because it would have left the internet."""
    return isinstance(_reason(error), _Inside)


def _reason(error: Exception) -> Exception | None:
    cause = error.args[0] if isinstance(error, requests.ConnectionError) and error.args else None
    return cause.reason if isinstance(cause, MaxRetryError) else cause


# The request could not even be put together.
_UNBUILT = (
    requests.URLRequired,
    requests.exceptions.InvalidHeader,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
)
# There was no connection; the last: the session was closed just before.
_UNCONNECTED = (NewConnectionError, ConnectTimeoutError, ClosedPoolError)


class _Inside(NewConnectionError):
    """The address is not on the public internet."""


class _Connection(HTTPSConnection):
    """Reports everything up to the end of the TLS handshake as a failure to connect.

    Left alone, urllib3 reports a handshake cut short exactly as it reports an answer cut short.
    """

    def connect(self) -> None:
        try:
            super().connect()
        except HTTPError:
            raise
        except OSError as error:
            raise NewConnectionError(self, f"no TLS connection: {type(error).__name__}") from error


class _PublicConnection(_Connection):
    """Looks at the address that was really reached, so that no name server can point it inside."""

    def connect(self) -> None:
        super().connect()
        if self.proxy is None and not _is_public(self.sock.getpeername()[0]):
            raise _Inside(self, "refused: not an address of the public internet")


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return (mapped or ip).is_global


class _Pool(HTTPSConnectionPool):
    ConnectionCls = _Connection


class _PublicPool(HTTPSConnectionPool):
    ConnectionCls = _PublicConnection


class _Adapter(HTTPAdapter):
    """Never retries, and connects by the given kind of pool, through a proxy too."""

    def __init__(self, pool: type[HTTPSConnectionPool]) -> None:
        self._classes: dict[str, type] = {"http": HTTPConnectionPool, "https": pool}
        super().__init__(pool_maxsize=_CONNECTIONS, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._classes

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> PoolManager:
        manager: PoolManager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = self._classes
        return manager
