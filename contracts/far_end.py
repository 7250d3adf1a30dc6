"""A far end for tests: an HTTP API on the loopback, which misbehaves when told to.

class Courier(FarEnd):
    def answer(self, request: Request) -> Answer:
        return Answer.json(201, {"id": "1"})

with Courier() as courier:                    # courier.url says where it is
    courier.fail_next(Fault.RESET_AFTER)      # the next request is accepted; its answer gets lost
"""

import json
import socket
import struct
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

HOST = "127.0.0.1"
FAIL_PATH = "/_fake/fail"
"""A form with `fault` and `times` posted here is `fail_next`, for a far end in a process of its own."""

LONGEST = 30.0
"""Seconds for which a request that hangs, or a slow answer, is held back."""


class Fault(StrEnum):
    """What can be made to go wrong with the next request. Values are as `FAIL_PATH` takes them."""

    THROTTLED = "429"
    FAILED = "500"
    UNAVAILABLE = "503"  # failed, said by something in front of the far end: not in its own words
    HANG = "hang"  # taken by nobody, answered never
    RESET_BEFORE = "reset-before"  # the connection breaks before the request is read
    RESET_AFTER = "reset-after"  # accepted, then the connection breaks
    GARBAGE = "garbage"  # accepted, then an answer that nobody can read
    SLOW = "slow"  # accepted, and answered late


STATUSES = {Fault.THROTTLED: 429, Fault.FAILED: 500}  # refused in the far end's own words


@dataclass(frozen=True)
class Request:
    """A request as it came in."""

    method: str
    target: str  # path and query
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    @property
    def path(self) -> str:
        """Without the query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The query's fields; of several with one name the last."""
        return dict(parse_qsl(urlsplit(self.target).query))


@dataclass(frozen=True)
class Answer:
    """What is answered."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, status: int, document: object) -> "Answer":
        """A document as JSON."""
        return cls(status, json.dumps(document).encode())


GARBAGE = Answer(200, b"<html>It works!</html>", "text/html")
UNAVAILABLE = Answer(503, b"<html>upstream connect error</html>", "text/html")


class FarEnd(ABC):
    """The API of a far end. Threads share it. Use it as a context manager.

    `port` 0 is any free one. It is reached at `url`; `requests` are those that came: method, path with query,
    and whether they had an Authorization. `release` lets go of what hangs or is slow.
    """

    def __init__(self, port: int = 0) -> None:
        self.requests: list[tuple[str, str, bool]] = []
        self.release = threading.Event()
        self._faults: deque[Fault] = deque()
        self._server = _Server(port, self)
        self._serving = threading.Thread(target=self._server.run, daemon=True)
        self.url = f"http://{HOST}:{self._server.server_port}"

    @abstractmethod
    def answer(self, request: Request) -> Answer:
        """Do what is asked. An answer 2xx to a POST says that something was accepted."""

    def refused(self, status: int) -> Answer:
        """A refusal with this status, in the far end's own words."""
        return Answer.json(status, {"error": HTTPStatus(status).phrase})

    def __enter__(self) -> Self:
        self._serving.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.close_all()
        self._serving.join(10)

    # ── faults ──

    def fail_next(self, fault: Fault | str, times: int = 1) -> None:
        """Make the next requests go wrong."""
        self._faults.extend([Fault(fault)] * times)

    def next_fault(self) -> Fault | None:
        """What is going to go wrong with the next request, if anything."""
        return self._faults[0] if self._faults else None

    def take_fault(self) -> Fault | None:
        """The same, which then is over."""
        try:
            return self._faults.popleft()
        except IndexError:
            return None

    def met(self, request: Request) -> Answer | None:
        """What a request is answered after all faults; None: its connection breaks."""
        self.requests.append((request.method, request.target, "authorization" in request.headers))
        fault = self.take_fault()
        if fault is Fault.THROTTLED or fault is Fault.FAILED:
            refusal = self.refused(STATUSES[fault])
            wait = {"Retry-After": "2"} if fault is Fault.THROTTLED else {}
            return replace(refusal, headers={**refusal.headers, **wait})
        if fault is Fault.UNAVAILABLE:
            return UNAVAILABLE
        if fault is Fault.HANG:
            self.release.wait(LONGEST)
        if fault in {Fault.HANG, Fault.RESET_BEFORE}:
            return None
        answer = self.answer(request)
        accepted = request.method == "POST" and 200 <= answer.status < 300
        return self._spoilt(answer, fault) if accepted else answer

    def _spoilt(self, answer: Answer, fault: Fault | None) -> Answer | None:
        if fault is Fault.SLOW:
            self.release.wait(LONGEST)
        if fault is Fault.GARBAGE:
            return GARBAGE
        return None if fault is Fault.RESET_AFTER else answer


class _Server(ThreadingHTTPServer):
    """Serves on the loopback, a thread a connection."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, far_end: FarEnd) -> None:
        self.far_end = far_end
        self._open: set[socket.socket] = set()
        super().__init__((HOST, port), _Handler)

    def run(self) -> None:
        self.serve_forever(poll_interval=0.01)  # how long a stop may take

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is not our affair."""

    def close_all(self) -> None:
        for each in list(self._open):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet an answer: else each waits for an acknowledgement
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer(self.server.far_end.met(self._request(b"")))

    def do_POST(self) -> None:
        far_end = self.server.far_end
        if self.path == FAIL_PATH:
            form = dict(parse_qsl(self._body().decode()))
            far_end.fail_next(form["fault"], int(form.get("times", 1)))
            return self._answer(Answer(204))
        if far_end.next_fault() is Fault.RESET_BEFORE:  # the body is left unread
            far_end.take_fault()
            return self._answer(None)
        return self._answer(far_end.met(self._request(self._body())))

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _request(self, body: bytes) -> Request:
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Request(self.command, self.path, headers, body)

    def _answer(self, answer: Answer | None) -> None:
        if answer is None:
            # A close with data unsent and no time to linger is a reset, not an end.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            return
        self.send_response(answer.status)
        fixed = {"Content-Type": answer.content_type, "Content-Length": str(len(answer.body))}
        for name, value in {**fixed, **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)


def closed_port() -> int:
    """A port on the loopback where nobody listens."""
    with socket.socket() as closed:  # bound but not listening, then gone
        closed.bind((HOST, 0))
        port: int = closed.getsockname()[1]
        return port
