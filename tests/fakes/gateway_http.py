"""The HTTP of a gateway of our own: a server on the loopback, and how it misbehaves when told to."""

import json
import socket
import struct
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

from tests.fakes.gateway import Fault, Gateway, Media

BEFORE_ALL = {Fault.THROTTLED, Fault.FAILED, Fault.UNAVAILABLE, Fault.HANG, Fault.RESET_BEFORE}


class Server(ThreadingHTTPServer):
    """Serves on the loopback, a thread a connection."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, handler: "type[Handler]", fake: Gateway) -> None:
        self.fake = fake
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), handler)

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


class Handler(BaseHTTPRequestHandler):
    """A gateway's API derives from it: `serve` and `refuse` are its own."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet an answer: else each waits for an acknowledgement
    server: Server

    def serve(self, body: bytes) -> None:
        """Answer a request that no fault has met so far."""
        raise NotImplementedError

    def refuse(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        """Refuse in the gateway's own words for this HTTP status."""
        raise NotImplementedError

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self.serve(b"")

    def do_POST(self) -> None:
        if self.path == "/_fake/fail":
            form = dict(parse_qsl(self._body().decode()))
            self.server.fake.fail_next(form["fault"], int(form.get("times", 1)))
            return self.answer(204, b"")
        if self.server.fake.next_fault() is Fault.RESET_BEFORE:
            self.server.fake.take_fault()
            return self.reset()
        return self.serve(self._body())

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def met(self) -> tuple[bool, Fault | None]:
        """Note the request; whether a fault has answered it already, and which fault is due."""
        fake = self.server.fake
        fake.requests.append((self.command, self.path, "Authorization" in self.headers))
        fault = fake.take_fault()
        if fault is None or fault not in BEFORE_ALL:
            return False, fault
        if fault is Fault.THROTTLED:
            self.refuse(429, {"Retry-After": "2"})
        elif fault is Fault.FAILED:
            self.refuse(500)
        elif fault is Fault.UNAVAILABLE:
            self.answer(503, b"<html>upstream connect error</html>", "text/html")
        else:
            if fault is Fault.HANG:
                fake.release.wait(30)
            self.reset()
        return True, fault

    def taken(self, status: int, record: object, fault: Fault | None) -> None:
        """Answer for a message that was accepted."""
        if fault is Fault.RESET_AFTER:
            return self.reset()
        if fault is Fault.GARBAGE:
            return self.answer(200, b"<html>It works!</html>", "text/html")
        if fault is Fault.SLOW:
            self.server.fake.release.wait(30)
        return self.json(status, record)

    def file(self, media: Media | None) -> None:
        """Answer with a file."""
        if media is None:
            return self.refuse(404)
        headers = media.headers | ({"Location": media.location} if media.location else {})
        return self.answer(307 if media.location else 200, media.content, media.content_type, headers)

    def reset(self) -> None:
        # A close with data unsent and no time to linger is a reset, not an end.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def json(self, status: int, body: object, headers: Mapping[str, str] | None = None) -> None:
        self.answer(status, json.dumps(body).encode(), headers=headers)

    def answer(
        self,
        status: int,
        body: bytes,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.send_response(status)
        all_headers = {"Content-Type": content_type, "Content-Length": str(len(body))}
        for name, value in {**all_headers, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
