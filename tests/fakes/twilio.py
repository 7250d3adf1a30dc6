"""A Twilio of our own: its REST API on the loopback, and the webhooks it would send.

It forgets nothing: what it accepts is on disk, synced, before it answers, so that a platform that is killed
can be judged afterwards by what Twilio was really asked to send.

    python -m tests.fakes.twilio --ledger var/twilio.jsonl --port 4999 --receipts sent,delivered
"""

import argparse
import base64
import hmac
import json
import queue
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

from tests.fakes.twilio_http import Server
from tests.fakes.twilio_state import ACCOUNT_SID, AUTH_TOKEN, Media, State, segments

Deliver = Callable[[str, Mapping[str, str], bytes], tuple[int, str]]


def sign(url: str, params: Mapping[str, str], secret: str, digest: str = "sha1") -> str:
    """The X-Twilio-Signature, as Twilio's "Webhook security" page defines it."""
    signed = url + "".join(name + params[name] for name in sorted(params))
    return base64.b64encode(hmac.new(secret.encode(), signed.encode(), digest).digest()).decode()


def post(url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
    """Deliver a webhook; the status and body of the answer. Twilio waits for 15 seconds."""
    request = urllib.request.Request(url, body, dict(headers), method="POST")  # noqa: S310 - the test's own URL
    try:
        with urllib.request.urlopen(request, timeout=15) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


class FakeTwilio(State):
    """The server and its webhooks. Use it as a context manager.

    `receipts` are the statuses that every accepted message goes through by itself; `deliver` carries the
    webhooks (to a test client, or to a server that stands behind a public URL).
    """

    def __init__(
        self,
        ledger: Path,
        *,
        port: int = 0,
        receipts: Sequence[str] = (),
        deliver: Deliver = post,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(ledger, clock)
        self._receipts, self._deliver = receipts, deliver
        self._due: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._server = Server(("127.0.0.1", port), self)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

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

    def accepted_one(self, sid: str) -> None:
        if self._receipts:
            self._due.put(sid)

    def advance(self, sid: str, status: str, *, error_code: int | None = None, copies: int = 1) -> list[int]:
        """Give a message a new status and call back; the HTTP status of each answer."""
        self.ledger.append("status", sid=sid, status=status)
        message = self.messages[sid]
        message |= {"status": status, "error_code": error_code}
        if status == "sent":
            message["date_sent"] = format_datetime(self.clock())
        if not message["callback"]:
            return []
        form = self.receipt_form(sid, status, error_code)
        return [self.send(message["callback"], form)[0] for _ in range(copies)]

    def _send_receipts(self) -> None:
        while (sid := self._due.get()) is not None:
            for status in self._receipts:
                try:
                    self.advance(sid, status)
                except OSError:  # nobody there: Twilio does not try again either
                    self.ledger.append("undelivered-callback", sid=sid, status=status)

    # ── webhooks ──

    def text_form(
        self, customer: str, ours: str, body: str, media: Sequence[str] = (), **more: str
    ) -> dict[str, str]:
        """What Twilio posts for a customer's text; `more` adds fields or replaces them."""
        sid = more.get("MessageSid") or ("MM" if media else "SM") + uuid.uuid4().hex
        form = {
            "ToCountry": "US",
            "ToState": "CA",
            "SmsMessageSid": sid,
            "NumMedia": str(len(media)),
            "ToCity": "",
            "FromZip": "",
            "SmsSid": sid,
            "FromState": "NY",
            "SmsStatus": "received",
            "FromCity": "",
            "Body": body,
            "FromCountry": "US",
            "To": ours,
            "ToZip": "",
            "NumSegments": str(segments(body)),
            "MessageSid": sid,
            "AccountSid": ACCOUNT_SID,
            "From": customer,
            "ApiVersion": "2010-04-01",
        }
        for index, url in enumerate(media):
            form |= {f"MediaUrl{index}": url, f"MediaContentType{index}": "image/png"}
        return form | more

    def receipt_form(self, sid: str, status: str, error_code: int | None = None) -> dict[str, str]:
        """What Twilio posts when a message's status changes."""
        message = self.messages[sid]
        form = {
            "SmsSid": sid,
            "SmsStatus": status,
            "MessageStatus": status,
            "To": message["to"],
            "MessageSid": sid,
            "AccountSid": ACCOUNT_SID,
            "From": message["from"] or "",
            "ApiVersion": "2010-04-01",
        }
        return form | ({"ErrorCode": str(error_code)} if error_code else {})

    def text(self, url: str, customer: str, ours: str, body: str, **more: Any) -> tuple[int, str]:
        """A customer's text, to the webhook: on the ledger, then sent."""
        form = self.text_form(customer, ours, body, **more)
        self.ledger.append("text", url=url, form=form)
        return self.send(url, form)

    def send(self, url: str, form: Mapping[str, str], secret: str = AUTH_TOKEN) -> tuple[int, str]:
        """A signed webhook."""
        headers = {
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
            "X-Twilio-Signature": sign(url, form, secret),
            "I-Twilio-Idempotency-Token": str(uuid.uuid4()),
            "User-Agent": "TwilioProxy/1.1",
        }
        return self._deliver(url, headers, urlencode(form).encode())

    def add_media(self, content: bytes, content_type: str = "image/png", location: str | None = None) -> str:
        """Keep a file of an inbound message; its MediaUrl."""
        message, medium = "MM" + uuid.uuid4().hex, "ME" + uuid.uuid4().hex
        path = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages/{message}/Media/{medium}"
        self.media[path] = Media(content, content_type, location)
        return self.url + path


def main() -> None:
    parser = argparse.ArgumentParser(description="A Twilio of our own, on the loopback.")
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
    with FakeTwilio(given.ledger, port=given.port, receipts=receipts, deliver=deliver) as fake:
        fake.numbers |= set(given.number or ())
        print(json.dumps({"url": fake.url, "account_sid": ACCOUNT_SID}), flush=True)  # noqa: T201 - its answer
        threading.Event().wait()


if __name__ == "__main__":
    main()
