"""What a Twilio of our own knows and refuses: its account, numbers and messages."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import Any

from tests.fakes.gateway import Deliver, Gateway, Record, segments

ACCOUNT_SID = "AC0123456789abcdef0123456789abcdef"
AUTH_TOKEN = "fake-auth-token-5f0c2d7e9a1b4836"
KEY_SID = "SK0123456789abcdef0123456789abcdef"
KEY_SECRET = "fake-key-secret-8e6a4c20f1d37b95"
NUMBER = "+15005550006"

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


class State(Gateway):
    """One account. Threads share it."""

    def __init__(
        self,
        ledger: Path,
        port: int,
        clock: Callable[[], datetime],
        receipts: Sequence[str],
        deliver: Deliver,
    ) -> None:
        super().__init__(ledger, port, clock, receipts, deliver)
        self.numbers = {NUMBER}
        self.services: dict[str, set[str]] = {}
        self.account_status = "active"
        self.opted_out: set[tuple[str, str]] = set()  # (our number, customer)
        self._replay()

    def add_number(self, number: str) -> None:
        self.numbers.add(number)

    # ── messages ──

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


def _day(date: str) -> str:
    return parsedate_to_datetime(date).date().isoformat()
