"""What a Twilio of our own knows and refuses: numbers, messages, files; and its ledger on disk."""

import json
import os
import threading
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

ACCOUNT_SID = "AC0123456789abcdef0123456789abcdef"
AUTH_TOKEN = "fake-auth-token-5f0c2d7e9a1b4836"
KEY_SID = "SK0123456789abcdef0123456789abcdef"
KEY_SECRET = "fake-key-secret-8e6a4c20f1d37b95"
NUMBER = "+15005550006"

Record = dict[str, Any]

# Twilio's own magic numbers for tests, and what it says to them.
REFUSED_TO = {
    "+15005550001": (21211, "The 'To' number +15005550001 is not a valid phone number."),
    "+15005550002": (21612, "Message cannot be sent with the current combination of 'To' and 'From'."),
    "+15005550003": (21408, "Permission to send an SMS has not been enabled for the region."),
    "+15005550004": (21610, "Attempt to send to unsubscribed recipient"),
    "+15005550009": (21614, "'To' number +15005550009 is not a valid mobile number"),
}
REFUSED_FROM = {
    "+15005550001": (21212, "The 'From' number +15005550001 is not a valid phone number."),
    "+15005550008": (21611, "This 'From' number has exceeded the maximum number of queued messages"),
}


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
    """A file at Twilio: where it redirects to, or what it is."""

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


class State:
    """One account. Threads share it."""

    def __init__(self, ledger: Path, clock: Callable[[], datetime]) -> None:
        self.numbers = {NUMBER}
        self.services: dict[str, set[str]] = {}
        self.account_status = "active"
        self.opted_out: set[tuple[str, str]] = set()  # (our number, customer)
        self.media: dict[str, Media] = {}  # by path; below /cdn/ without credentials
        self.requests: list[tuple[str, str, bool]] = []  # method, path with query, with credentials
        self.release = threading.Event()  # lets go of what hangs or is slow
        self.clock = clock
        self._faults: deque[Fault] = deque()
        self.ledger = Ledger(ledger)
        self.messages: dict[str, Record] = {}
        self._replay()

    def accepted_one(self, sid: str) -> None:
        """Called when a message has been accepted."""

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

    def accept(self, form: Mapping[str, Any]) -> Record:
        """Take a message: on disk, then in the queue."""
        record = self._record(form)
        self.ledger.append("message", record=record, callback=form.get("StatusCallback"))
        self.messages[record["sid"]] = record | {"callback": form.get("StatusCallback")}
        self.accepted_one(record["sid"])
        return record

    def refusal(self, form: Mapping[str, Any]) -> tuple[int, str] | None:
        """Why Twilio would not take it: a code and a message."""
        to, sender, service = form.get("To", ""), form.get("From"), form.get("MessagingServiceSid")
        body, media = form.get("Body", ""), form.get("MediaUrl", [])
        ours = self.numbers | self.services.get(service or "", set())
        checks = (
            (not to, (21604, "A 'To' phone number is required.")),
            (not sender and not service, (21603, "A 'From' phone number is required.")),
            (not body and not media, (21602, "Message body is required.")),
            (len(body) > 1600, (21617, "The concatenated message body exceeds the 1600 character limit")),
            (
                service and service not in self.services,
                (21701, f"The Messaging Service {service} does not exist"),
            ),
            ((sender, to) in self.opted_out, REFUSED_TO["+15005550004"]),
            (sender in REFUSED_FROM, REFUSED_FROM.get(sender or "")),
            (
                sender and sender not in ours,
                (21606, f"The 'From' phone number {sender} is not a valid number"),
            ),
        )
        return next((problem for wrong, problem in checks if wrong), REFUSED_TO.get(to))

    def _record(self, form: Mapping[str, Any]) -> Record:
        now = format_datetime(self.clock().astimezone(UTC).replace(microsecond=0))
        media = form.get("MediaUrl", [])
        sid = ("MM" if media else "SM") + uuid.uuid4().hex
        uri = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages/{sid}"
        service = form.get("MessagingServiceSid")
        return {
            "account_sid": ACCOUNT_SID,
            "api_version": "2010-04-01",
            "body": form.get("Body", ""),
            "date_created": now,
            "date_sent": None,
            "date_updated": now,
            "direction": "outbound-api",
            "error_code": None,
            "error_message": None,
            "from": form.get("From"),
            "messaging_service_sid": service,
            "num_media": str(len(media)),
            "num_segments": "0" if service else str(segments(form.get("Body", ""))),
            "price": None,
            "price_unit": "USD",
            "sid": sid,
            "status": "accepted" if service else "queued",
            "subresource_uris": {"media": f"{uri}/Media.json"},
            "to": form.get("To"),
            "uri": f"{uri}.json",
        }

    def _replay(self) -> None:
        for entry in self.ledger.entries:
            if entry["kind"] == "message":
                self.messages[entry["record"]["sid"]] = entry["record"] | {"callback": entry["callback"]}
            elif entry["kind"] == "status":
                self.messages[entry["sid"]]["status"] = entry["status"]

    # ── the rest of the account ──

    def account(self) -> Record:
        return {
            "sid": ACCOUNT_SID,
            "owner_account_sid": ACCOUNT_SID,
            "friendly_name": "Fake",
            "status": self.account_status,
            "type": "Full",
            "date_created": "Mon, 01 Jan 2024 00:00:00 +0000",
            "date_updated": "Mon, 01 Jan 2024 00:00:00 +0000",
            "subresource_uris": {},
            "uri": f"/2010-04-01/Accounts/{ACCOUNT_SID}.json",
        }

    def listed(self, query: Mapping[str, str]) -> list[Record]:
        """Messages as a listing shows them, newest first. `DateSent` hides what has not been sent."""
        found = [{k: v for k, v in each.items() if k != "callback"} for each in self.messages.values()]
        for name, key in (("To", "to"), ("From", "from")):
            found = [each for each in found if name not in query or each[key] == query[name]]
        if "DateSent" in query:
            found = [
                each for each in found if each["date_sent"] and _day(each["date_sent"]) == query["DateSent"]
            ]
        return found[::-1]


def segments(body: str) -> int:
    one, many = (160, 153) if body.isascii() else (70, 67)
    return 1 if len(body) <= one else -(-len(body) // many)


def _day(date: str) -> str:
    return parsedate_to_datetime(date).date().isoformat()
