"""What the REST gateways of our own have in common: memory, receipts, and a ledger on disk.

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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from contracts.far_end import Answer, FarEnd

Record = dict[str, Any]
Deliver = Callable[[str, Mapping[str, str], bytes], tuple[int, str]]


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


class Gateway(FarEnd):
    """One account. Threads share it. Use it as a context manager.

    `receipts` are the statuses that every accepted message goes through by itself; `deliver` carries the
    webhooks (to a test client, or to a server that stands behind a public URL).
    """

    def __init__(
        self,
        ledger: Path,
        port: int,
        clock: Callable[[], datetime],
        receipts: Sequence[str],
        deliver: Deliver,
    ) -> None:
        super().__init__(port)
        self.clock = clock
        self.ledger = Ledger(ledger)
        self.messages: dict[str, Record] = {}  # by the gateway's id for them
        self.media: dict[str, Media] = {}  # by path; below /cdn/ without credentials
        self._receipts, self._deliver = receipts, deliver
        self._due: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reporting = threading.Thread(target=self._send_receipts, daemon=True)

    def __enter__(self) -> Self:
        self._reporting.start()
        return super().__enter__()

    def __exit__(self, *exc: object) -> None:
        super().__exit__(*exc)
        self._due.put(None)
        self._reporting.join(10)
        self.ledger.close()

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


def file(media: Media) -> Answer:
    """The answer that is a file, or leads to it."""
    headers = media.headers | ({"Location": media.location} if media.location else {})
    return Answer(307 if media.location else 200, media.content, media.content_type, headers)


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
