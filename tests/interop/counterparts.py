"""The far ends: for each provider those that it is tried against, some our own, most not."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar, Self
from urllib.parse import urlencode
from uuid import uuid4

from bench.programs import Parley
from tests.fakes import telnyx, twilio_state
from tests.fakes.smsc import ReceiptForm, Smsc
from tests.fakes.telnyx import FakeTelnyx
from tests.fakes.twilio import FakeTwilio
from tests.flows.smpp_line import texts
from tests.interop.desk import SECONDS, Desk, Json
from tests.servers import node, smscs
from tests.servers.process import wait_until
from workers.demo_cast import HANDSETS


class Counterpart:
    """A far end: an account or a mapping's worth of one, with one number of ours and a customer.

    Use it as a context manager: it runs inside.
    """

    provider: str
    name: str
    number = "+15005550030"  # ours
    customer = "+447700900123"
    can_text = True  # the customer can write whatever we like
    greeting: ClassVar[tuple[str, str]] = ("", "")  # who writes what unasked
    shows_what_it_took = True  # `took` works
    names_addresses = True  # what it delivers says from whom it is
    echoes = False  # what is sent to the customer comes back from there
    says_little = ""  # why it cannot let a customer write what we like

    def __init__(self, folder: Path, parley: Parley, desk: Desk) -> None:
        """`folder`: where it may keep files; `parley`, `desk`: whom it is to talk to."""
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    @staticmethod
    def missing() -> str:
        """What would have to be installed for it; empty where nothing is missing."""
        return ""

    def start(self) -> None:
        """Let it run."""
        return

    @property
    def code(self) -> str:
        """Of its mapping."""
        return f"INTEROP-{type(self).__name__.upper()}"

    def mapping(self) -> Json:
        """What an admin adds."""
        document: Json = {
            "code": self.code,
            "status": "active",
            "default_country": "US",
            "chat_control": {"suppress_system_messages": True},
            "routes": [{"address": self.number, "display_name": self.code, "skill_queue": "SUPPORT"}],
        }
        return document | self.own_fields()

    def own_fields(self) -> Json:
        """Those fields of the mapping that are the provider's."""
        raise NotImplementedError

    def text(self, text: str) -> None:
        """The customer writes."""
        raise NotImplementedError

    def took(self, customer: str, text: str) -> None:
        """Wait until it has this, whole, for the customer."""
        wait_until(
            lambda: text in self.ledger(customer), seconds=SECONDS, what=f"{self.name}, asked for the text,"
        )

    def ledger(self, customer: str) -> list[str]:
        """The texts that it has for a customer."""
        raise NotImplementedError


# ── REST gateways ──────────────────────────────────────────────────────────────────────────────────


class Twilio(Counterpart):
    """The tests' Twilio, which keeps to Twilio's published API description."""

    provider = "Twilio"
    name = "our own Twilio"
    number = "+15005550033"
    customer = "+12025550123"

    def __init__(self, folder: Path, parley: Parley, desk: Desk) -> None:
        super().__init__(folder, parley, desk)
        self._webhook = f"{parley.url}/ingress/rest/{self.code}"
        self._fake = FakeTwilio(folder / "twilio.jsonl", receipts=("sent", "delivered"))

    def start(self) -> None:
        self._fake.add_number(self.number)
        self._stack.enter_context(self._fake)

    def own_fields(self) -> Json:
        return {
            "kind": "rest",
            "provider": "twilio",
            "credentials": {"user_name": twilio_state.ACCOUNT_SID, "password": twilio_state.AUTH_TOKEN},
            "options": {"api_base": self._fake.url, "segments_per_second": 100},
        }

    def text(self, text: str) -> None:
        _taken(self._fake.text(self._webhook, self.customer, self.number, text))

    def ledger(self, customer: str) -> list[str]:
        return [each["body"] for each in self._fake.accepted if each["to"] == customer]


class Telnyx(Counterpart):
    """The tests' Telnyx, which keeps to Telnyx's published API description."""

    provider = "Telnyx"
    name = "our own Telnyx"
    number = telnyx.NUMBER
    customer = "+12025550124"

    def __init__(self, folder: Path, parley: Parley, desk: Desk) -> None:
        super().__init__(folder, parley, desk)
        self._webhook = f"{parley.url}/ingress/rest/{self.code}"
        self._fake = FakeTelnyx(folder / "telnyx.jsonl", receipts=("sent", "delivered"))

    def start(self) -> None:
        self._stack.enter_context(self._fake)

    def own_fields(self) -> Json:
        return {
            "kind": "rest",
            "provider": "telnyx",
            "credentials": {"api_key": telnyx.API_KEY, "public_key": telnyx.PUBLIC_KEY},
            "options": {"api_base": self._fake.url, "segments_per_second": 100},
        }

    def text(self, text: str) -> None:
        _taken(self._fake.text(self._webhook, self.customer, self.number, text))

    def ledger(self, customer: str) -> list[str]:
        accepted = self._fake.accepted
        return [each["text"] for each in accepted if each["to"][0]["phone_number"] == customer]


def _taken(answer: tuple[int, str]) -> None:
    status, body = answer
    if status != 200:
        raise RuntimeError(f"the webhook was answered {status}: {body[:100]}")


class Simulator(Counterpart):
    """The demo's carrier: part of Parley itself, with the handset of its page."""

    provider = "simulator"
    name = "the demo's handset"
    number = "+12025550177"
    customer = HANDSETS[2]

    def __init__(self, folder: Path, parley: Parley, desk: Desk) -> None:
        super().__init__(folder, parley, desk)
        self._client = desk.client  # somebody has to be signed in

    def own_fields(self) -> Json:
        return {"kind": "rest", "provider": "simulator", "credentials": {"password": "of the handset"}}

    def text(self, text: str) -> None:
        written = {"id": uuid4().hex, "customer": self.customer, "number": self.number, "text": text}
        self._client.need("POST", "/demo/handset/texts", written)

    def ledger(self, customer: str) -> list[str]:
        asked = urlencode({"customer": customer, "number": self.number})
        shown = self._client.need("GET", f"/demo/handset?{asked}")["texts"]
        return [each["text"] for each in shown if each["sender"] != "customer"]


# ── SMPP ───────────────────────────────────────────────────────────────────────────────────────────


class _Smpp(Counterpart):
    provider = "SMPP"

    def bind(self) -> Json:
        """Where the SMSC is, and who binds."""
        raise NotImplementedError

    def options(self) -> Mapping[str, Any]:
        """What the mapping says of the SMSC's ways."""
        return {}

    def own_fields(self) -> Json:
        return {"kind": "smpp", "options": {"segments_per_second": 100, **self.options()}, **self.bind()}


class OwnSmsc(_Smpp):
    """The tests' SMSC."""

    name = "our own SMSC"

    def __init__(self, folder: Path, parley: Parley, desk: Desk) -> None:
        super().__init__(folder, parley, desk)
        self._smsc = Smsc(receipts=ReceiptForm.BOTH)
        self._references = 0

    def start(self) -> None:
        self._stack.enter_context(self._smsc)

    def bind(self) -> Json:
        smsc = self._smsc
        return {"host": smsc.host, "port": smsc.port, "user": smsc.system_id, "password": smsc.password}

    def text(self, text: str) -> None:
        self._references += 1
        source, destination = self.customer.removeprefix("+"), self.number.removeprefix("+")
        parts = self._smsc.send_long_text(source, destination, text, reference=self._references)
        self._smsc.wait_until(lambda: all(each.acknowledged for each in parts))

    def ledger(self, customer: str) -> list[str]:
        wire = customer.removeprefix("+")
        return texts([each for each in self._smsc.taken if each.destination == wire])


class _Others(_Smpp):
    """An SMSC that others wrote, as a program."""

    kind: type[smscs._Smsc]
    shows_what_it_took = False

    def __init__(self, folder: Path, parley: Parley, desk: Desk) -> None:
        super().__init__(folder, parley, desk)
        self._smsc = self.kind(folder / type(self).__name__.lower())
        self.echoes = self._smsc.abilities.echoes
        if self.echoes:
            self.customer = f"+{smscs.ECHO}"

    def start(self) -> None:
        self._smsc.start()
        self._stack.callback(self._smsc.stop)

    def bind(self) -> Json:
        smsc = self._smsc
        return {"host": smsc.host, "port": smsc.port, "user": smsc.system_id, "password": smsc.password}

    def options(self) -> Mapping[str, Any]:
        return {"message_ids": self._smsc.abilities.message_ids}

    def text(self, text: str) -> None:
        source, destination = self.customer.removeprefix("+"), self.number.removeprefix("+")
        self._smsc.deliver(text, source=source, destination=destination)


class _Java(_Others):
    @staticmethod
    def missing() -> str:
        return "" if smscs._java_smscs() else "install Java 17 or later, and Maven"


class Jsmpp(_Java):
    """jsmpp's simulator greets whoever binds, and delivers nothing else."""

    name = "jsmpp's simulator"
    kind = smscs.JsmppSmsc
    number = "12345"
    can_text = False
    greeting = ("555", "Hello World")
    says_little = "it delivers nothing but “Hello World” to whoever binds; ours it takes and receipts"


class OpenSmpp(_Java):
    """OpenSMPP's simulator leaves the addresses out of what it delivers."""

    name = "OpenSMPP's simulator"
    kind = smscs.OpenSmppSmsc
    can_text = False
    names_addresses = False
    says_little = "what it delivers names no addresses, and is kept as unrouted; ours it takes and receipts"

    def text(self, text: str) -> None:
        self._smsc.deliver(text)


class Twisted(_Others):
    """smpp.twisted3's server, with a script of the tests: what is sent to a number comes back from it."""

    name = "smpp.twisted3's server"
    kind = smscs.TwistedSmsc
    number = "+15005550031"


class Node(_Others):
    """node-smpp's server, likewise."""

    name = "node-smpp's server"
    kind = smscs.NodeSmsc
    number = "+15005550032"

    @staticmethod
    def missing() -> str:
        return "" if node.node_modules() else "install Node.js, with npm"
