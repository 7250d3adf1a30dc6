"""The REST API of a Twilio of our own, over `twilio_state.State`."""

import base64
import hashlib
import json
import socket
import struct
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from tests.fakes.twilio_state import ACCOUNT_SID, AUTH_TOKEN, KEY_SECRET, KEY_SID, Fault, Media, Record, State


class Server(ThreadingHTTPServer):
    """Serves on the loopback, a thread a connection."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], fake: State) -> None:
        self.fake = fake
        self._open: set[socket.socket] = set()
        super().__init__(address, _Handler)

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
    server: Server

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._serve({})

    def do_POST(self) -> None:
        if self.path.startswith("/2010") and self._starts_badly():
            return
        pairs = parse_qs(
            self.rfile.read(int(self.headers.get("Content-Length", 0))).decode(), keep_blank_values=True
        )
        self._serve({name: values if name == "MediaUrl" else values[-1] for name, values in pairs.items()})

    def _starts_badly(self) -> bool:
        if starts_badly := self.server.fake.next_fault() is Fault.RESET_BEFORE:
            self.server.fake.take_fault()
            self._reset()
        return starts_badly

    def _serve(self, form: Mapping[str, Any]) -> None:
        fake, parts = self.server.fake, urlsplit(self.path)
        query, authorised = dict(parse_qsl(parts.query)), self._is_authorised()
        if parts.path == "/_fake/fail":
            fake.fail_next(form["fault"], int(form.get("times", 1)))
            self._answer(204, b"")
            return
        fake.requests.append((self.command, self.path, "Authorization" in self.headers))
        fault = fake.take_fault()
        if fault in {Fault.THROTTLED, Fault.FAILED, Fault.UNAVAILABLE, Fault.HANG, Fault.RESET_BEFORE}:
            self._fail(fault)
        elif parts.path.startswith("/cdn/"):
            self._file(fake.media.get(parts.path) if "Authorization" not in self.headers else None)
        elif not authorised:
            self._error(401, 20003, "Authenticate")
        elif parts.path in fake.media:
            self._file(fake.media[parts.path])
        elif self.command == "POST" and parts.path == f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json":
            self._create(form, fault)
        elif found := _resource(fake, parts.path, query):
            self._json(200, found)
        else:
            self._error(404, 20404, f"The requested resource {parts.path} was not found")

    def _create(self, form: Mapping[str, Any], fault: Fault | None) -> None:
        fake = self.server.fake
        if problem := fake.refusal(form):
            return self._error(400, *problem)
        record = fake.accept(form)
        if fault is Fault.RESET_AFTER:
            return self._reset()
        if fault is Fault.GARBAGE:
            return self._answer(200, b"<html>It works!</html>", "text/html")
        if fault is Fault.SLOW:
            fake.release.wait(30)
        return self._json(201, record)

    def _fail(self, fault: Fault | None) -> None:
        if fault is Fault.THROTTLED:
            return self._error(429, 20429, "Too Many Requests", {"Retry-After": "2"})
        if fault is Fault.FAILED:
            return self._error(500, 20500, "Internal Server Error")
        if fault is Fault.UNAVAILABLE:
            return self._answer(503, b"<html>upstream connect error</html>", "text/html")
        if fault is Fault.HANG:
            self.server.fake.release.wait(30)
        return self._reset()

    def _file(self, media: Media | None) -> None:
        if media is None:
            return self._error(404, 20404, "The requested media was not found")
        headers = media.headers | ({"Location": media.location} if media.location else {})
        return self._answer(307 if media.location else 200, media.content, media.content_type, headers)

    def _is_authorised(self) -> bool:
        scheme, _, given = self.headers.get("Authorization", "").partition(" ")
        try:
            user, _, secret = base64.b64decode(given).decode().partition(":")
        except ValueError:
            return False
        return scheme == "Basic" and {ACCOUNT_SID: AUTH_TOKEN, KEY_SID: KEY_SECRET}.get(user) == secret

    def _reset(self) -> None:
        # A close with data unsent and no time to linger is a reset, not an end.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def _error(self, status: int, code: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        more = f"https://www.twilio.com/docs/errors/{code}"
        body = {"code": code, "message": message, "more_info": more, "status": status}
        self._answer(status, json.dumps(body).encode(), "application/json", headers)

    def _json(self, status: int, body: object) -> None:
        self._answer(status, json.dumps(body).encode())

    def _answer(
        self,
        status: int,
        body: bytes,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.send_response(status)
        all_headers = {"Content-Type": content_type, "Content-Length": str(len(body)), "X-Api-Domain": "fake"}
        for name, value in {**all_headers, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _resource(fake: State, path: str, query: Mapping[str, str]) -> Record | None:
    top = f"/2010-04-01/Accounts/{ACCOUNT_SID}"
    if path == f"{top}.json":
        return fake.account()
    if path == f"{top}/Messages.json":
        return _page("messages", fake.listed(query), path, query)
    if path == f"{top}/IncomingPhoneNumbers.json":
        numbers = [_number(each) for each in fake.numbers if query.get("PhoneNumber", each) == each]
        return _page(
            "incoming_phone_numbers",
            [each for each in numbers if each["phone_number"][0] == "+"],
            path,
            query,
        )
    if path == f"{top}/SMS/ShortCodes.json":
        codes = [each for each in fake.numbers if each.isdigit() and query.get("ShortCode", each) == each]
        return _page(
            "short_codes", [{"account_sid": ACCOUNT_SID, "short_code": each} for each in codes], path, query
        )
    if path.startswith(f"{top}/Messages/"):
        message = fake.messages.get(path.removeprefix(f"{top}/Messages/").removesuffix(".json"))
        return {k: v for k, v in message.items() if k != "callback"} if message else None
    return _senders(fake, path)


def _number(number: str) -> Record:
    sid = "PN" + hashlib.md5(number.encode(), usedforsecurity=False).hexdigest()
    return {
        "account_sid": ACCOUNT_SID,
        "sid": sid,
        "phone_number": number,
        "friendly_name": number,
        "capabilities": {"sms": True, "mms": True, "voice": False},
        "uri": f"/2010-04-01/Accounts/{ACCOUNT_SID}/IncomingPhoneNumbers/{sid}.json",
    }


def _page(key: str, items: list[Record], path: str, query: Mapping[str, str]) -> Record:
    size, page = int(query.get("PageSize", 50)), int(query.get("Page", 0))

    def uri(number: int) -> str:
        return f"{path}?{urlencode({**query, 'PageSize': size, 'Page': number})}"

    more = len(items) > (page + 1) * size
    return {
        key: items[page * size : (page + 1) * size],
        "page": page,
        "page_size": size,
        "start": page * size,
        "end": min(len(items), (page + 1) * size) - 1,
        "uri": uri(page),
        "first_page_uri": uri(0),
        "next_page_uri": uri(page + 1) if more else None,
        "previous_page_uri": uri(page - 1) if page else None,
    }


def _senders(fake: State, path: str) -> Record | None:
    """The sender pool of a Messaging Service, which is served by another of Twilio's hosts."""
    words = path.strip("/").split("/")
    if len(words) != 4 or words[:2] != ["v1", "Services"] or words[2] not in fake.services:
        return None
    kinds: dict[str, tuple[str, str, Callable[[str], bool]]] = {
        "PhoneNumbers": ("phone_numbers", "phone_number", lambda each: each.startswith("+")),
        "ShortCodes": ("short_codes", "short_code", str.isdigit),
        "AlphaSenders": ("alpha_senders", "alpha_sender", lambda each: not each.lstrip("+").isdigit()),
    }
    key, name, belongs = kinds[words[3]]
    items = [{"sid": "XX" + "0" * 32, name: each} for each in fake.services[words[2]] if belongs(each)]
    url = f"{path}"
    meta = {"key": key, "page": 0, "page_size": 50, "url": url, "first_page_url": url}
    return {key: items, "meta": {**meta, "next_page_url": None, "previous_page_url": None}}
