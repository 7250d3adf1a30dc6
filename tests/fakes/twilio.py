"""A Twilio of our own: its REST API on the loopback, and the webhooks it would send.

python -m tests.fakes.twilio --ledger var/twilio.jsonl --port 4999 --receipts sent,delivered
"""

import base64
import hmac
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from contracts.far_end import Answer, Request
from tests.fakes import twilio_http
from tests.fakes.gateway import Deliver, Media, command_line, post, segments
from tests.fakes.twilio_state import ACCOUNT_SID, AUTH_TOKEN, State


def sign(url: str, params: Mapping[str, str], secret: str, digest: str = "sha1") -> str:
    """The X-Twilio-Signature, as Twilio's "Webhook security" page defines it."""
    signed = url + "".join(name + params[name] for name in sorted(params))
    return base64.b64encode(hmac.new(secret.encode(), signed.encode(), digest).digest()).decode()


class FakeTwilio(State):
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

    def answer(self, request: Request) -> Answer:
        return twilio_http.answer(self, request)

    def refused(self, status: int) -> Answer:
        return twilio_http.refused(status)

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


if __name__ == "__main__":
    command_line("A Twilio of our own, on the loopback.", FakeTwilio, {"account_sid": ACCOUNT_SID})
