"""The stage of the flow tests: a whole Parley in one thread, and a Twilio of our own behind it.

Everything goes in by HTTP, as customers (signed webhooks), agents (sessions) and admins (an API key) do it,
and what came of it is read from Twilio's ledger or asked of the API. Time stands still unless it is passed.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from argon2 import PasswordHasher
from flask.testing import FlaskClient
from pydantic import SecretStr
from werkzeug.test import TestResponse

from adapters.accounts import AccountStore
from adapters.providers.smpp import SmppProvider
from adapters.providers.twilio import TwilioProvider
from api.stream import hub_of
from domain.values import DeliveryProvider
from tests.adapters.smpp.smpp_cases import Hasty
from tests.fakes.gateway import Record
from tests.fakes.twilio import FakeTwilio
from tests.fakes.twilio_state import ACCOUNT_SID, AUTH_TOKEN, NUMBER
from workers.inline import InlineExecutor, InlineRun, SteppedClock
from workers.settings import Settings
from workers.wiring import Platform

PUBLIC_URL = "https://sms.example.com"
ADMIN_KEY = "an admin key for the flow tests, long enough"
PASSWORD = "a password of the flow tests"
MORNING = datetime(2026, 3, 2, 9, tzinfo=UTC)
TICK = timedelta(milliseconds=1)  # passes before each text and command, so that none are at the same moment

SUPPORT = NUMBER
SALES = "+15005550010"
CUSTOMER = "+12025550123"
OTHER_CUSTOMER = "+12025550124"

Json = dict[str, Any]


class Twilio(FakeTwilio):
    """The fake, which also keeps what it was sent, and can call back while a request is still under way."""

    def __init__(self, ledger: Path, clock: SteppedClock) -> None:
        super().__init__(ledger, deliver=lambda *_: (503, "nobody is there"), clock=clock.now)
        self.numbers |= {SALES}
        self.forms: list[Mapping[str, Any]] = []
        self.at_once: tuple[str, ...] = ()  # statuses reported before the send is even answered

    def accept(self, form: Mapping[str, Any]) -> Record:
        self.forms.append(dict(form))
        return super().accept(form)

    def accepted_one(self, sid: str) -> None:
        for status in self.at_once:
            self.advance(sid, status)

    def heal(self) -> None:
        """Nothing goes wrong any more."""
        self._faults.clear()


class Stage:
    """A platform on a folder of its own, with a mapping, two numbers and two queues."""

    def __init__(
        self, folder: Path, twilio: Twilio, clock: SteppedClock, shape: Mapping[str, Any] | None = None
    ) -> None:
        """`shape` holds the settings that make it a cluster."""
        self.folder = folder
        self.shape = shape or {}
        self.twilio = twilio
        self.clock = clock
        self._asked: Counter[str] = Counter()
        twilio._deliver = self._webhook
        self.open(InlineExecutor())
        for code in ("SUPPORT", "SALES"):
            self.admin.post("/queues", {"code": code, "name": code.capitalize()})
        self.add_mapping()

    # ── the process ────────────────────────────────────────────────────────────────────────────

    def open(self, pool: Executor) -> None:
        """Start the platform, with whatever sends in its threads' place."""
        settings = Settings(data_dir=self.folder, admin_key=SecretStr(ADMIN_KEY), **self.shape)
        # Of delivery by Amazon only what a mapping and a conversation keep is shown: it has no adapter yet.
        self.platform = Platform(
            settings,
            public_url=PUBLIC_URL,
            clock=self.clock,
            pool=pool,
            deliveries=frozenset(DeliveryProvider),
        )
        self.platform.providers["twilio"] = TwilioProvider(timeout=(2.0, 2.0))
        self.platform.providers["smpp"] = SmppProvider(self.clock, Hasty(1))
        # The least that Argon2 can do: its real cost has a test of its own.
        people = AccountStore(self.platform.storage.store, self.clock, PasswordHasher(1, 8, 1))
        people.ensure_admin_key(ADMIN_KEY)
        self.platform.people = people
        self.app = self.platform.app(list)
        self.run = InlineRun(self.platform, self.clock)
        self.provider = self.app.test_client()
        self.admin = Caller(self, self.app.test_client(), {"Authorization": f"Bearer {ADMIN_KEY}"})

    def close(self) -> None:
        """Stop the platform."""
        hub_of(self.app).close()
        self.platform.close()

    def restart(self, pool: Executor | None = None) -> None:
        """Stop it, and start another on the same folder. Agents have to sign in again."""
        self.close()
        self.open(pool or InlineExecutor())

    def settle(self) -> None:
        """Let everything happen that follows from what has happened."""
        self.run.settle()

    def pass_seconds(self, seconds: float, every: float = 30) -> None:
        """Let time pass, with all that falls due on the way."""
        self.run.pass_time(timedelta(seconds=seconds), timedelta(seconds=every))

    def pass_minutes(self, minutes: float) -> None:
        """The same, in minutes."""
        self.pass_seconds(minutes * 60)

    # ── Twilio ─────────────────────────────────────────────────────────────────────────────────

    def text(
        self,
        customer: str,
        text: str,
        to: str = SUPPORT,
        *,
        mapping: str = "TW",
        settle: bool = True,
        media: Sequence[str] = (),
        **more: str,
    ) -> str:
        """A customer texts; the text's SID. Without `settle` it is accepted, and nothing else happens yet."""
        form = self.twilio.text_form(customer, to, text, media, **more)
        self.clock.move(TICK)
        status, body = self.twilio.send(f"{PUBLIC_URL}/ingress/rest/{mapping}", form)
        assert status == 200, body
        if settle:
            self.settle()
        return form["MessageSid"]

    def receipt(self, sid: str, status: str, *, error_code: int | None = None, copies: int = 1) -> None:
        """Twilio reports on a message."""
        answers = self.twilio.advance(sid, status, error_code=error_code, copies=copies)
        assert answers == [200] * copies
        self.settle()

    def ledger(self, customer: str | None = None) -> list[str]:
        """The texts that Twilio was handed, in order: all, or those to one customer."""
        return [each["body"] for each in self.twilio.accepted if customer in (None, each["to"])]

    def sid(self, text: str) -> str:
        """What Twilio calls the one text of ours that reads so."""
        (found,) = [each["sid"] for each in self.twilio.accepted if each["body"] == text]
        return str(found)

    def _webhook(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        target = url.removeprefix(PUBLIC_URL)
        answer = self.provider.post(target, data=body, headers=dict(headers), base_url=PUBLIC_URL)
        return answer.status_code, answer.get_data(as_text=True)

    # ── the configuration ──────────────────────────────────────────────────────────────────────

    def add_mapping(self, code: str = "TW", **fields: Any) -> Json:
        """A mapping of both numbers that suppresses system messages; `fields` replace what it has."""
        document: Json = {
            "kind": "rest",
            "code": code,
            "status": "active",
            "default_country": "US",
            "provider": "twilio",
            "credentials": {"user_name": ACCOUNT_SID, "password": AUTH_TOKEN},
            "chat_control": {"suppress_system_messages": True},
            "options": {"api_base": self.twilio.url, "segments_per_second": 100},
            "routes": [
                {"address": SUPPORT, "display_name": "Support", "skill_queue": "SUPPORT"},
                {"address": SALES, "display_name": "Sales", "skill_queue": "SALES"},
            ],
        }
        return self.admin.post("/mappings", document | fields)

    def modify(self, code: str = "TW", expect: int = 200, **changes: Any) -> Json:
        """Change some fields of a mapping; those of chat control and options are merged."""
        found = self.admin.get(f"/mappings/{code}")
        merged = {
            name: found[name] | changes.pop(name) for name in ("chat_control", "options") if name in changes
        }
        document = {name: value for name, value in found.items() if name not in ("version", "webhook_url")}
        version = f'"{found["version"]}"'
        return self.admin.put(f"/mappings/{code}", document | merged | changes, expect, If_Match=version)

    def agent(
        self, login: str, skills: Sequence[str] = ("SUPPORT",), room: int = 5, wrap_up: int = 0
    ) -> "Agent":
        """Somebody who answers: added, signed in and available."""
        settings = {"login": login, "name": login.capitalize(), "skills": list(skills)}
        self.admin.post("/agents", {**settings, "room": room, "wrap_up_seconds": wrap_up})
        user = {"login": login, "name": login.capitalize(), "roles": ["agent"], "password": PASSWORD}
        self.admin.post("/users", user)
        agent = self.signed_in(login)
        agent.becomes("available")
        return agent

    def signed_in(self, login: str) -> "Agent":
        """An agent's session."""
        client = self.app.test_client()
        agent = Agent(self, client, {}, login)
        session = agent.post("/session", {"login": login, "password": PASSWORD})
        agent.headers = {"X-CSRFToken": session["csrf_token"], "Referer": PUBLIC_URL}
        return agent

    # ── what there is ──────────────────────────────────────────────────────────────────────────

    def conversations(self, customer: str = CUSTOMER) -> list[Json]:
        """A customer's conversations, the newest first."""
        found = self.admin.get(f"/conversations?customer=%2B{customer.removeprefix('+')}")
        return [self.admin.get(f"/conversations/{each['id']}") for each in found["items"]]

    def conversation(self, customer: str = CUSTOMER) -> Json:
        """A customer's newest conversation, with its messages."""
        return self.conversations(customer)[0]

    def message(self, message: Json | str) -> Json:
        """A message as it is now, with its attempts and receipts."""
        return self.admin.get(f"/messages/{message if isinstance(message, str) else message['id']}")

    def said(self, customer: str = CUSTOMER) -> list[tuple[str, str]]:
        """What people wrote in a customer's newest conversation, and on which side."""
        messages = self.conversation(customer)["messages"]
        return [(each["sender"], each["text"]) for each in messages if each["sender"] != "system"]

    def notices(self, customer: str = CUSTOMER) -> list[tuple[str, str]]:
        """The automatic texts of a customer's newest conversation: what for, and what became of them."""
        messages = self.conversation(customer)["messages"]
        return [(each["purpose"], each["status"]) for each in messages if each["sender"] == "system"]

    def new_key(self) -> str:
        """An Idempotency-Key that was not used before."""
        self._asked["key"] += 1
        return f"key-{self._asked['key']}"


@dataclass
class Caller:
    """Somebody who asks the API. Everything that follows happens before the answer is looked at."""

    stage: Stage
    client: FlaskClient
    headers: dict[str, str]

    def ask(self, method: str, path: str, document: Any = None, **headers: str) -> TestResponse:
        """Send a request to a path below /api/v1, or to any other path."""
        full = path if path.startswith(("/api/", "/health", "/metrics", "/media/")) else f"/api/v1{path}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        body = None if document is None else json.dumps(document)
        if method != "GET":
            self.stage.clock.move(TICK)
        answer = self.client.open(
            full,
            method=method,
            data=body,
            content_type="application/json" if body else None,
            headers=self.headers | named,
            base_url=PUBLIC_URL,
        )
        if method != "GET":
            self.stage.settle()
        return answer

    def get(self, path: str, expect: int = 200) -> Json:
        """What is there."""
        return _document(self.ask("GET", path), expect)

    def post(self, path: str, document: Any = None, expect: int | None = None, **headers: str) -> Json:
        """What came of a command; any success will do unless an answer is expected."""
        return _document(self.ask("POST", path, document, **headers), expect)

    def put(self, path: str, document: Any, expect: int | None = None, **headers: str) -> Json:
        """What came of a replacement."""
        return _document(self.ask("PUT", path, document, **headers), expect)

    def delete(self, path: str, expect: int = 204, **headers: str) -> Json:
        """What came of a removal."""
        return _document(self.ask("DELETE", path, **headers), expect)

    def upload(self, content: bytes, content_type: str, expect: int = 201, **query: str) -> Json:
        """A picture or file, to be sent."""
        answer = self.client.post(
            "/api/v1/media",
            query_string=query,
            data=content,
            content_type=content_type,
            headers=self.headers,
            base_url=PUBLIC_URL,
        )
        return _document(answer, expect)


@dataclass
class Agent(Caller):
    """An agent at the desk."""

    login: str

    def becomes(self, status: str, expect: int = 204, *, requeue: bool = False) -> Json:
        """Become available, away or offline."""
        return self.post(f"/agents/{self.login}/status", {"status": status, "requeue": requeue}, expect)

    def hand(self) -> list[str]:
        """The customers whose conversations the agent has, the oldest first."""
        return [each["customer"] for each in self.get("/desk")["conversations"]]

    def reply(
        self, conversation: Json, text: str, expect: int = 201, *, key: str = "", media: Sequence[str] = ()
    ) -> Json:
        """Send a text in a conversation."""
        document = {"text": text, "media_ids": list(media)}
        path = f"/conversations/{conversation['id']}/messages"
        return self.post(path, document, expect, Idempotency_Key=key or self.stage.new_key())

    def start(
        self, customer: str, text: str, expect: int = 201, *, single: bool = False, key: str = "", **more: Any
    ) -> Json:
        """Start a conversation from the support number, or send a single message."""
        origin = {} if more.keys() & {"our_address", "origin"} else {"origin": "Support"}
        document = {"customer": customer, "text": text, "single": single} | origin | more
        return self.post("/conversations", document, expect, Idempotency_Key=key or self.stage.new_key())

    def transfer(self, conversation: Json, expect: int = 200, **to: str) -> Json:
        """Hand a conversation to a queue or another agent."""
        return self.post(f"/conversations/{conversation['id']}/transfer", to, expect)

    def end(self, conversation: Json, expect: int = 200, **how: str) -> Json:
        """End a conversation."""
        return self.post(f"/conversations/{conversation['id']}/end", how, expect)

    def resolve(
        self, message: Json, resolution: str, why: str = "asked the customer", expect: int = 200
    ) -> Json:
        """Decide about a message in doubt."""
        return self.post(f"/messages/{message['id']}/resolve", {"resolution": resolution, "why": why}, expect)

    @contextmanager
    def at_desk(self) -> Iterator[TestResponse]:
        """With the desk's live stream open."""
        answer = self.client.get(
            "/api/v1/desk/stream", headers=self.headers, base_url=PUBLIC_URL, buffered=False
        )
        assert answer.status_code == 200
        self.stage.settle()
        try:
            yield answer
        finally:
            answer.close()
            self.stage.settle()


def _document(answer: TestResponse, expect: int | None) -> Json:
    text = answer.get_data(as_text=True)
    wanted = {expect} if expect else {200, 201, 204}
    assert answer.status_code in wanted, f"{answer.status_code}, not {expect or 'a success'}: {text}"
    return json.loads(text) if text else {}


def one_of(items: Sequence[Json], **fields: Any) -> Json:
    """The one that has these values."""
    (found,) = [each for each in items if all(each[name] == value for name, value in fields.items())]
    return found


def thread_of(stage: Stage, customer: str = CUSTOMER, ours: str = SUPPORT) -> UUID:
    """The id of what lasts between a customer and one of our numbers."""
    return stage.platform.ids.thread(ours, customer)


def ingest_all(stage: Stage) -> None:
    """Take in what stands on the log; nothing else happens."""
    for partition in range(stage.platform.settings.partitions):
        while stage.platform.ingest(partition).step():
            pass
