"""Customers' texts as Twilio's webhooks, signed."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from tests.fakes.gateway import segments
from tests.fakes.twilio import sign
from tests.fakes.twilio_state import ACCOUNT_SID, AUTH_TOKEN


@dataclass(frozen=True)
class Text:
    """What a customer sends. `sid` is Twilio's id of it."""

    sid: str
    customer: str
    ours: str
    body: str

    def form(self) -> dict[str, str]:
        """What Twilio posts for it."""
        return {
            "ToCountry": "US",
            "ToState": "CA",
            "SmsMessageSid": self.sid,
            "NumMedia": "0",
            "ToCity": "",
            "FromZip": "",
            "SmsSid": self.sid,
            "FromState": "NY",
            "SmsStatus": "received",
            "FromCity": "",
            "Body": self.body,
            "FromCountry": "US",
            "To": self.ours,
            "ToZip": "",
            "NumSegments": str(segments(self.body)),
            "MessageSid": self.sid,
            "AccountSid": ACCOUNT_SID,
            "From": self.customer,
            "ApiVersion": "2010-04-01",
        }


def signed(url: str, form: Mapping[str, str]) -> tuple[dict[str, str], bytes]:
    """The headers and the body of a webhook."""
    headers = {
        "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
        "X-Twilio-Signature": sign(url, form, AUTH_TOKEN),
        "User-Agent": "TwilioProxy/1.1",
    }
    return headers, urlencode(form).encode()


def customers(number: int) -> list[str]:
    """Numbers of so many customers."""
    return [f"+1202{5550000 + index:07d}" for index in range(number)]


def raw_request(url: str, form: Mapping[str, str]) -> bytes:
    """A webhook as octets on a kept connection."""
    host, slash, path = url.removeprefix("http://").partition("/")
    headers, body = signed(url, form)
    lines = [f"POST {slash}{path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body
