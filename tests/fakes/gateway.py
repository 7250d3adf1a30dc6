"""What the REST gateways of our own have in common: memory, misbehaviour, receipts, and a ledger on disk.

A gateway forgets nothing: what it accepts is on disk, synced, before it answers, so that a platform that is
killed can be judged afterwards by what the gateway was really asked to send.
"""

import argparse
import json
import os
import queue
import threading
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, Self

Record = dict[str, Any]
Deliver = Callable[[str, Mapping[str, str], bytes], tuple[int, str]]


class Fault(StrEnum):
    """What can be made to go wrong with the next request."""

    THROTTLED = "429"
    FAILED = "500"
    UNAVAILABLE = "503"  # and the body is no JSON
    HANG = "hang"  # taken by nobody, answered never
    RESET_BEFORE = "reset-before"  # the connection breaks before the request is read
    RESET_AFTER = "reset-after"  # accepted, then the connection breaks
    GARBAGE = "garbage"  # accepted, then a 200 that nobody can read
    SLOW = "slow"  # accepted, and answered late


@dataclass
class Media:
    """A file at the gateway: where it redirects to, or what it is."""

    content: bytes = b""
    content_type: str = "image/png"
    location: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


class Ledger:
    """What was accepted, as JSON lines; each is on disk when `append` returns."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.entries: list[Record] = []
        if path.exists():
            self.entries = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        self._file = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()

    def append(self, kind: str, **entry: Any) -> None:
        with self._lock:
            self._file.write(json.dumps({"kind": kind, **entry}) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())
            self.entries.append({"kind": kind, **entry})

    def close(self) -> None:
        self._file.close()


class Listening(Protocol):
    """The server of a gateway's API: `gateway_http.Server`."""

    server_port: int

    def run(self) -> None: ...

    def shutdown(self) -> None: ...

    def close_all(self) -> None: ...


class Gateway:
    """One account. Threads share it. Use it as a context manager, once it has a server.

    `receipts` are the statuses that every accepted message goes through by itself; `deliver` carries the
    webhooks (to a test client, or to a server that stands behind a public URL).
    """

    def __init__(
        self, ledger: Path, clock: Callable[[], datetime], receipts: Sequence[str], deliver: Deliver
    ) -> None:
        self.clock = clock
        self.ledger = Ledger(ledger)
        self.messages: dict[str, Record] = {}  # by the gateway's id for them
        self.media: dict[str, Media] = {}  # by path; below /cdn/ without credentials
        self.requests: list[tuple[str, str, bool]] = []  # method, path with query, with credentials
        self.release = threading.Event()  # lets go of what hangs or is slow
        self._faults: deque[Fault] = deque()
        self._receipts, self._deliver = receipts, deliver
        self._due: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def listen(self, server: Listening) -> None:
        """Take a server, which begins to serve when the context is entered."""
        self._server = server
        self.url = f"http://127.0.0.1:{server.server_port}"

    def __enter__(self) -> Self:
        self._threads = [
            threading.Thread(target=target, daemon=True) for target in (self._server.run, self._send_receipts)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.close_all()
        self._due.put(None)
        for thread in self._threads:
            thread.join(10)
        self.ledger.close()

    # ── faults ──

    def fail_next(self, fault: Fault | str, times: int = 1) -> None:
        """Make the next requests go wrong."""
        self._faults.extend([Fault(fault)] * times)

    def next_fault(self) -> Fault | None:
        return self._faults[0] if self._faults else None

    def take_fault(self) -> Fault | None:
        try:
            return self._faults.popleft()
        except IndexError:
            return None

    # ── messages ──

    @property
    def accepted(self) -> list[Record]:
        """Every message ever accepted, in order."""
        return [entry["record"] for entry in self.ledger.entries if entry["kind"] == "message"]

    def accepted_one(self, message_id: str) -> None:
        """Called when a message has been accepted."""
        if self._receipts:
            self._due.put(message_id)

    def add_number(self, number: str) -> None:
        """Give the account one more number."""
        raise NotImplementedError

    def advance(self, message_id: str, status: str) -> list[int]:
        """Give a message a new status and call back; the HTTP status of each answer."""
        raise NotImplementedError

    def _send_receipts(self) -> None:
        while (message_id := self._due.get()) is not None:
            for status in self._receipts:
                try:
                    self.advance(message_id, status)
                except OSError:  # nobody there
                    self.ledger.append("undelivered-callback", sid=message_id, status=status)


def post(url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
    """Deliver a webhook; the status and body of the answer. No gateway waits longer than 15 seconds."""
    request = urllib.request.Request(url, body, dict(headers), method="POST")  # noqa: S310 - the test's own URL
    try:
        with urllib.request.urlopen(request, timeout=15) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def segments(body: str) -> int:
    one, many = (160, 153) if body.isascii() else (70, 67)
    return 1 if len(body) <= one else -(-len(body) // many)


def command_line(about: str, make: Callable[..., Gateway], says: Mapping[str, str]) -> None:
    """Run a gateway until the process is killed. Its answer: one line of JSON, the URL and what it `says`."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--ledger", type=Path, required=True, help="where to keep what is accepted")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--number", action="append", help="a number of the account; may be repeated")
    parser.add_argument("--receipts", default="", help="statuses that each message goes through, by commas")
    parser.add_argument("--public", default="", help="the public URL that callbacks begin with ...")
    parser.add_argument("--reach", default="", help="... and where that is really reached")
    given = parser.parse_args()

    def deliver(url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        return post(given.reach + url.removeprefix(given.public) if given.reach else url, headers, body)

    receipts = [status for status in given.receipts.split(",") if status]
    with make(given.ledger, port=given.port, receipts=receipts, deliver=deliver) as fake:
        for number in given.number or ():
            fake.add_number(number)
        print(json.dumps({"url": fake.url, **says}), flush=True)  # noqa: T201 - its answer
        threading.Event().wait()
