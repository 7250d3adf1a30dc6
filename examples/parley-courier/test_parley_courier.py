"""Courier: the contract that every provider passes, and what is its own."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from parley_courier import CourierProvider, sign

from adapters.providers import providers
from contracts.far_end import Answer, FarEnd, Fault, Request, closed_port
from contracts.providers import SendingContract, WebhookContract, WebhookCounterpart
from domain.facts import ReceiptStatus
from domain.providers import Account, BadRequest, OutboundMessage, WebhookRequest

API_KEY, WEBHOOK_SECRET = "key-of-an-account", "secret-of-an-account"
NUMBER, CUSTOMER, NOBODY, OPTED_OUT = "+12025550100", "+12025550123", "+12025550199", "+12025550198"
WEBHOOK = "https://parley.example/ingress/rest/CO-1"
WORDS = {ReceiptStatus.SENT: "on-its-way", ReceiptStatus.DELIVERED: "arrived", ReceiptStatus.FAILED: "lost"}


class FakeCourier(FarEnd):
    """Courier, as its API description would have it."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[dict[str, str]] = []

    def answer(self, request: Request) -> Answer:
        if request.headers.get("authorization") != f"Bearer {API_KEY}":
            return self.refused(401)
        if request.path == "/v1/account":
            return Answer.json(200, {"name": "ours"})
        if request.method == "GET":
            return Answer.json(200, {"messages": [each for each in self.taken if _is_sought(each, request)]})
        asked = json.loads(request.body)
        if asked["to"] in {NOBODY, OPTED_OUT}:
            return Answer.json(422, {"error": "opted-out" if asked["to"] == OPTED_OUT else "no-such-number"})
        self.taken.append({"id": uuid4().hex, "parts": 1, "at": datetime.now(UTC).isoformat()} | asked)
        return Answer.json(201, self.taken[-1])


def _is_sought(record: dict[str, str], request: Request) -> bool:
    query = request.query
    return record["receipts_to"] == query["receipts_to"] and record["at"] >= query["since"]


class Far(WebhookCounterpart):
    """Courier, as the contract's far end."""

    customer = CUSTOMER
    refused_customer = NOBODY
    opted_out_customer = OPTED_OUT

    def __init__(self, courier: FakeCourier) -> None:
        self.courier, self.provider = courier, CourierProvider(timeout=(1.0, 0.2))
        self.account = _account(courier.url)
        self.wrong_account = _account(courier.url, api_key="key-of-nobody")

    @property
    def accepted(self) -> list[str]:
        return [each["text"] for each in self.courier.taken]

    def fail_next(self, fault: Fault, message: OutboundMessage) -> OutboundMessage:
        self.courier.fail_next(fault)
        return message

    def unreachable(self) -> Account:
        return _account(f"http://127.0.0.1:{closed_port()}")

    def unsupported(self) -> list[OutboundMessage]:
        return [OutboundMessage(uuid4(), 1, NUMBER, f"whatsapp:{CUSTOMER}", "Hello")]

    def new_id(self) -> str:
        return uuid4().hex

    def text(self, text: str, provider_message_id: str) -> WebhookRequest:
        return webhook(WEBHOOK, id=provider_message_id, **{"from": CUSTOMER}, to=NUMBER, text=text)

    def receipt(
        self, message: OutboundMessage, provider_message_id: str, status: ReceiptStatus
    ) -> WebhookRequest:
        [taken] = [each for each in self.courier.taken if each["id"] == provider_message_id]
        parties = {name: taken[name] for name in ("from", "to")}
        return webhook(taken["receipts_to"], id=provider_message_id, **parties, status=WORDS[status])


def _account(api_base: str, api_key: str = API_KEY) -> Account:
    return Account(
        mapping_id=UUID(int=7),
        code="CO-1",
        credentials={"api_key": api_key, "webhook_secret": WEBHOOK_SECRET},
        options={"api_base": api_base},
        addresses=(NUMBER,),
        default_country="US",
        webhook_url=WEBHOOK,
    )


def webhook(url: str, **document: str) -> WebhookRequest:
    body = json.dumps(document).encode()
    headers = {"content-type": "application/json", "courier-signature": sign(WEBHOOK_SECRET, url, body)}
    return WebhookRequest(url, headers, body, is_status="/status" in url)


@pytest.fixture
def far() -> Iterator[Far]:
    with FakeCourier() as courier:
        yield Far(courier)


class TestCourierProvider(SendingContract, WebhookContract):
    @pytest.fixture
    def counterpart(self, far: Far) -> WebhookCounterpart:
        return far


def test_parley_finds_it() -> None:
    assert isinstance(providers()["courier"], CourierProvider)


@pytest.mark.parametrize(
    ("url", "changes", "field"),
    [
        (WEBHOOK, {"text": "half a pair: \ud83d"}, "text"),
        (WEBHOOK, {"from": f"whatsapp:{CUSTOMER}"}, "from"),
        (f"{WEBHOOK}/status", {"status": "eaten"}, "status"),
        (f"{WEBHOOK}/status?attempt=1", {"status": "lost"}, "attempt"),
    ],
)
def test_what_is_wrong_is_named(url: str, changes: dict[str, str], field: str, far: Far) -> None:
    good = {"id": "1", "from": CUSTOMER, "to": NUMBER, "text": "Hello"}
    with pytest.raises(BadRequest) as caught:
        far.read(webhook(url, **good | changes))
    assert caught.value.field == field


def test_settings_that_cannot_work() -> None:
    account = replace(_account(""), options={"api_base": "http://courier.example"})
    assert [each.field for each in CourierProvider().check(account)] == ["options.api_base"]
