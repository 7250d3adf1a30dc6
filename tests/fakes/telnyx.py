"""A Telnyx of our own: its REST API on the loopback, and the webhooks it would send.

    python -m tests.fakes.telnyx --ledger var/telnyx.jsonl --port 4998 --receipts sent,delivered

Telnyx publishes no numbers to test with: which ones are refused here is made up, the refusals are not.
"""

import base64
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contracts.far_end import Answer, Request
from tests.fakes.gateway import Deliver, Gateway, Media, Record, command_line, file, post, segments

API_KEY = "KEY0123456789ABCDEF_fakeTelnyxApiKey"
SIGNING_KEY = Ed25519PrivateKey.from_private_bytes(b"a key that only the fake knows. ")
PUBLIC_KEY = base64.b64encode(SIGNING_KEY.public_key().public_bytes_raw()).decode()
NUMBER = "+13125550100"
PROFILE = "16fd2706-8baf-433b-82eb-8c7fada847da"
ORGANIZATION = "b448f9cc-a842-4784-98e9-03c1a5872950"

REFUSED_TO = {
    "+12125550001": (40310, "Invalid 'to' address", "The 'to' address should be a single valid number."),
    "+12125550002": (40309, "Invalid destination region", "The region is not whitelisted."),
    "+12125550004": (40300, "Blocked due to STOP message", "Messages cannot be sent to '+12125550004'."),
    "+12125550005": (40318, "Message queue full", "Message queue is full. Wait before resending."),
}
FIRST_STATUSES = {"queued", "sending", "sent"}  # what is told by message.sent; the rest by message.finalized

Problem = tuple[int, str, str]

SAID: dict[int, Problem] = {
    401: (10009, "Authentication failed", "Could not understand the provided credentials."),
    404: (10005, "Resource not found", "The requested resource or URL could not be found."),
    429: (10011, "Too many requests", "You have exceeded the maximum number of allowed requests."),
    500: (10007, "Unexpected error", "An unexpected error occured."),
}


def sign(body: bytes, timestamp: str, key: Ed25519PrivateKey = SIGNING_KEY) -> str:
    """The telnyx-signature-ed25519 header, as Telnyx's "Receiving webhooks" page defines it."""
    return base64.b64encode(key.sign(timestamp.encode() + b"|" + body)).decode()


class FakeTelnyx(Gateway):
    """The server and its webhooks."""

    def __init__(
        self,
        ledger: Path,
        *,
        port: int = 0,
        receipts: Sequence[str] = (),
        deliver: Deliver = post,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(ledger, port, clock, receipts, deliver)
        self.profiles = {PROFILE: True}  # whether each is enabled
        self.numbers: dict[str, str | None] = {NUMBER: PROFILE}  # short codes too, each with its profile
        self.opted_out: set[tuple[str, str]] = set()  # (profile, customer)
        self.asked: list[Record] = []  # the bodies of the requests to send
        self._replay()

    def _replay(self) -> None:
        for entry in self.ledger.entries:
            if entry["kind"] == "message":
                self.messages[entry["record"]["id"]] = entry["record"]
            elif entry["kind"] == "status":
                self.messages[entry["sid"]]["to"][0]["status"] = entry["status"]

    def add_number(self, number: str) -> None:
        self.numbers[number] = PROFILE

    # ── messages ──

    def refusal(self, body: Mapping[str, Any]) -> Problem | None:
        """Why Telnyx would not take it: a code, a title and what it says in detail."""
        to, sender, text = body.get("to"), body.get("from"), body.get("text", "")
        profile = self.numbers.get(str(sender))
        wanted = body.get("messaging_profile_id") or profile
        checks: tuple[tuple[object, Problem], ...] = (
            (not to, (10004, "Missing required parameter", "The 'to' parameter is required.")),
            (not text and not body.get("media_urls"), (40316, "No content provided", "It has no content.")),
            (segments(text) > 10, (40302, "Message too large", "It would be divided into too many parts.")),
            (
                profile is None or profile != wanted,
                (40305, "Invalid 'from' address", f"Not yours: {sender}."),
            ),
            (not self.profiles.get(str(wanted)), (40312, "Messaging profile is disabled", "It is disabled.")),
            ((profile, to) in self.opted_out, REFUSED_TO["+12125550004"]),
        )
        return next((problem for wrong, problem in checks if wrong), REFUSED_TO.get(str(to)))

    def accept(self, body: Mapping[str, Any]) -> Record:
        """Take a message: on disk, then in the queue."""
        media = body.get("media_urls", [])
        profile = self.numbers.get(body["from"])
        record = _message("outbound", "MMS" if media else "SMS", body.get("text"), profile) | {
            "from": _party(body["from"]),
            "to": [_party(body["to"]) | {"status": "queued"}],
            "media": [{"url": url, "content_type": None, "sha256": None, "size": None} for url in media],
            "webhook_url": body.get("webhook_url"),
            "received_at": self._now(),
            "valid_until": self._now(),
        }
        self.ledger.append("message", record=record)
        self.messages[record["id"]] = record
        self.accepted_one(record["id"])
        return record

    def detail_records(self, query: Mapping[str, str]) -> list[Record]:
        """What a search for detail records shows, newest first."""
        found = [_detail_record(each) for each in self.messages.values()]
        wanted = {
            name: query[f"filter[{name}]"] for name in ("cld", "direction") if f"filter[{name}]" in query
        }
        since = query.get("filter[created_at][gte]", "")
        found = [each for each in found if wanted.items() <= each.items() and each["created_at"] >= since]
        return found[::-1][: int(query.get("page[size]", 20))]

    def advance(
        self, message_id: str, status: str, *, error_code: int | None = None, copies: int = 1
    ) -> list[int]:
        """Give a message a new status and call back; the HTTP status of each answer."""
        self.ledger.append("status", sid=message_id, status=status)
        message = self.messages[message_id]
        message["to"][0]["status"] = status
        message["errors"] = [{"code": str(error_code), "title": "Not delivered"}] if error_code else []
        if status == "sent":
            message["sent_at"] = self._now()
        elif status not in FIRST_STATUSES:
            message["completed_at"] = self._now()
        url = message["webhook_url"]
        return [self.send(url, self.receipt_event(message_id, url))[0] for _ in range(copies)] if url else []

    # ── webhooks ──

    def text_event(
        self, url: str, customer: str, ours: str, text: str | None, media: Sequence[Record] = (), **more: Any
    ) -> Record:
        """What Telnyx posts for a customer's text; `more` adds fields of the payload or replaces them."""
        payload = _message("inbound", "MMS" if media else "SMS", text, self.numbers.get(ours)) | {
            "from": _party(customer),
            "to": [_party(ours) | {"status": "webhook_delivered"}],
            "media": list(media),
            "webhook_url": url,
            "received_at": self._now(),
        }
        return self._event("message.received", payload | more, url)

    def receipt_event(self, message_id: str, url: str) -> Record:
        """What Telnyx posts when a message's status changes."""
        message = self.messages[message_id]
        early = message["to"][0]["status"] in FIRST_STATUSES
        return self._event("message.sent" if early else "message.finalized", message, url)

    def text(self, url: str, customer: str, ours: str, text: str, **more: Any) -> tuple[int, str]:
        """A customer's text, to the webhook: on the ledger, then sent."""
        event = self.text_event(url, customer, ours, text, **more)
        self.ledger.append("text", url=url, event=event)
        return self.send(url, event)

    def send(self, url: str, event: Record) -> tuple[int, str]:
        """A signed webhook."""
        body = json.dumps(event).encode()
        return self._deliver(url, self.headers(body), body)

    def headers(self, body: bytes, key: Ed25519PrivateKey = SIGNING_KEY, *, age: int = 0) -> dict[str, str]:
        """The headers of a webhook with this body."""
        timestamp = str(int(self.clock().timestamp()) - age)
        return {
            "Content-Type": "application/json",
            "telnyx-signature-ed25519": sign(body, timestamp, key),
            "telnyx-timestamp": timestamp,
            "User-Agent": "telnyx-webhooks",
        }

    def add_media(self, content: bytes, content_type: str = "image/png", location: str | None = None) -> str:
        """Keep a file of an inbound message; its URL, which is enough to fetch it."""
        path = f"/cdn/{uuid.uuid4().hex}"
        self.media[path] = Media(content, content_type, location)
        return self.url + path

    def _now(self) -> str:
        return self.clock().astimezone(UTC).isoformat(timespec="milliseconds")

    def _event(self, kind: str, payload: Record, url: str) -> Record:
        data = {
            "event_type": kind,
            "id": str(uuid.uuid4()),
            "occurred_at": self._now(),
            "payload": payload,
            "record_type": "event",
        }
        return {"data": data, "meta": {"attempt": 1, "delivered_to": url}}

    # ── its API ──

    def answer(self, request: Request) -> Answer:
        if request.path.startswith("/cdn/"):
            media = self.media.get(request.path)
            return file(media) if media else self.refused(404)
        if request.headers.get("authorization") != f"Bearer {API_KEY}":
            return self.refused(401)
        if (request.method, request.path) == ("POST", "/v2/messages"):
            return self._created(json.loads(request.body))
        found = _found(self, request.path, request.query)
        return self.refused(404) if found is None else Answer.json(200, found)

    def refused(self, status: int) -> Answer:
        return _error(status, SAID[status])

    def _created(self, body: Mapping[str, Any]) -> Answer:
        self.asked.append(dict(body))
        problem = self.refusal(body)
        return _error(400, problem) if problem else Answer.json(200, {"data": self.accept(body)})


def _error(status: int, problem: Problem) -> Answer:
    code, title, detail = problem
    meta = {"url": f"https://developers.telnyx.com/docs/overview/errors/{code}"}
    error = {"code": str(code), "title": title, "detail": detail, "meta": meta}
    return Answer.json(status, {"errors": [error]})


def _found(fake: FakeTelnyx, path: str, query: Mapping[str, str]) -> Record | None:
    """The resource at a path. Raises nothing: what is not there is None."""
    last = path.rpartition("/")[2]
    if path == "/v2/detail_records":
        return _page(fake.detail_records(query)) if query["filter[record_type]"] == "messaging" else None
    if path == "/v2/phone_numbers/messaging":
        asked = query.get("filter[phone_number]", "").split(",")
        phones = [each for each in fake.numbers if each[0] == "+" and (asked == [""] or each in asked)]
        return _page([_number(each, fake.numbers[each]) for each in phones])
    if path == "/v2/short_codes":
        return _page([_short_code(each, of) for each, of in fake.numbers.items() if each.isdigit()])
    if path == f"/v2/messaging_profiles/{last}" and last in fake.profiles:
        profile = {"record_type": "messaging_profile", "id": last, "name": "Fake"}
        return {"data": profile | {"enabled": fake.profiles[last]}}
    if path == f"/v2/messages/{last}" and last in fake.messages:
        return {"data": fake.messages[last]}
    return None


def _message(direction: str, kind: str, text: str | None, profile: str | None) -> Record:
    """The fields that both directions have."""
    return {
        "record_type": "message",
        "direction": direction,
        "id": str(uuid.uuid4()),
        "type": kind,
        "organization_id": ORGANIZATION,
        "messaging_profile_id": profile or PROFILE,
        "cc": [],
        "text": text or "",
        "webhook_failover_url": None,
        "encoding": "GSM-7" if (text or "").isascii() else "UCS-2",
        "parts": segments(text or ""),
        "tags": [],
        "cost": {"amount": "0.0051", "currency": "USD"},
        "sent_at": None,
        "completed_at": None,
        "valid_until": None,
        "errors": [],
    }


def _party(address: str) -> Record:
    return {"phone_number": address, "carrier": "Fake", "line_type": "Wireless"}


def _detail_record(message: Record) -> Record:
    return {
        "record_type": "message_detail_record",
        "uuid": message["id"],
        "created_at": message["received_at"],
        "cli": message["from"]["phone_number"],
        "cld": message["to"][0]["phone_number"],
        "direction": message["direction"],
        "delivery_status_webhook_url": message["webhook_url"],
        "message_type": message["type"],
        "parts": message["parts"],
        "profile_id": message["messaging_profile_id"],
    }


def _number(number: str, profile: str | None) -> Record:
    kinds = {"record_type": "messaging_settings", "type": "long-code", "country_code": "US"}
    return {"id": "1293384261075731499", "phone_number": number, "messaging_profile_id": profile} | kinds


def _short_code(code: str, profile: str | None) -> Record:
    kinds = {"record_type": "short_code", "country_code": "US"}
    return {"id": str(uuid.uuid4()), "short_code": code, "messaging_profile_id": profile} | kinds


def _page(records: list[Record]) -> Record:
    meta = {"page_number": 1, "page_size": 250, "total_pages": 1, "total_results": len(records)}
    return {"data": records, "meta": meta}


if __name__ == "__main__":
    command_line("A Telnyx of our own, on the loopback.", FakeTelnyx, {"public_key": PUBLIC_KEY})
