"""A small HTTP client on one kept connection, that says plainly when an answer was cut off."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class Cut(Exception):
    """No whole answer came: nobody knows what became of the request."""


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


class Client:
    """For one thread. `headers` go with every request."""

    def __init__(self, port: int, headers: Mapping[str, str] | None = None, timeout: float = 15.0) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        self.headers = dict(headers or {})

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Ask once. Raises Cut."""
        try:
            self._connection.request(method, path, body, self.headers | dict(headers or {}))
            answer = self._connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise Cut(f"{method} {path}: {type(error).__name__}") from error

    def close(self) -> None:
        """Give up the connection; the next request makes another."""
        self._connection.close()

    def send(self, method: str, path: str, document: Any, headers: Mapping[str, str] | None = None) -> Answer:
        """Ask once with a JSON document. Raises Cut."""
        body = json.dumps(document).encode()
        return self.request(method, path, body, {"Content-Type": "application/json", **(headers or {})})

    def need(self, method: str, path: str, document: Any = None) -> Any:
        """Ask for what must succeed; the JSON answered, or None. Raises RuntimeError, Cut."""
        answer = self.request(method, path) if document is None else self.send(method, path, document)
        if not 200 <= answer.status < 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {answer.body.decode()[:500]}")
        return answer.json if answer.body else None
