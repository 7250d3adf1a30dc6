"""The simulated carrier: the contract that every provider passes."""

import json
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from adapters.providers import simulator
from adapters.providers.simulator import PendingReceipt, SimulatedNetwork, SimulatorProvider
from contracts.far_end import Fault
from contracts.providers import IDS, SendingContract, WebhookContract, WebhookCounterpart
from domain.facts import ReceiptReceived, ReceiptStatus
from domain.providers import Account, OutboundMessage, WebhookRequest
from tests.adapters.providers.twilio_cases import message
from tests.fakes.clock import FakeClock

SECRET = "what signs the handsets' webhooks"
NUMBER, AREA = "+12025550100", "+1202555"
ENDINGS = {Fault.THROTTLED: simulator.BUSY, Fault.HANG: simulator.LOST_ANSWER}


class Network(SimulatedNetwork):
    """Remembers what it took, and lets no time pass."""

    def __init__(self) -> None:
        super().__init__(FakeClock())
        self.taken: list[str] = []

    def report(self, receipt: PendingReceipt) -> None:
        if receipt.status is ReceiptStatus.SENT:  # the first of each message
            self.taken.append(receipt.message.text)
        super().report(receipt)


class Far(WebhookCounterpart):
    """The simulated carrier, as the contract's far end. What goes wrong goes by the number sent to."""

    customer = f"{AREA}0123"
    refused_customer = AREA + simulator.REFUSED
    opted_out_customer = AREA + simulator.ON_OPT_OUT_LIST
    wrong_account = None  # it asks for no credentials: the password signs what comes in
    faults = frozenset(ENDINGS)
    signed = frozenset({"body"})

    def __init__(self) -> None:
        self.network = Network()
        self.provider = SimulatorProvider(self.network, IDS)
        self.account = Account(
            mapping_id=UUID(int=7),
            code="DEMO",
            credentials={"password": SECRET},
            options={},
            addresses=(NUMBER,),
            default_country="US",
            webhook_url="https://parley.example/ingress/rest/DEMO",
        )

    @property
    def accepted(self) -> list[str]:
        return self.network.taken

    def fail_next(self, fault: Fault, message: OutboundMessage) -> OutboundMessage:
        return replace(message, customer_address=AREA + ENDINGS[fault])

    def unreachable(self) -> Account | None:
        return None

    def unsupported(self) -> list[OutboundMessage]:
        return [message(customer_address=f"whatsapp:{self.customer}")]

    def text(self, text: str, provider_message_id: str) -> WebhookRequest:
        words = {"id": provider_message_id, "from": self.customer, "to": NUMBER, "text": text}
        body = json.dumps(words).encode()
        headers = {simulator.SIGNATURE: simulator.sign(SECRET, body)}
        return WebhookRequest(self.account.webhook_url, headers, body, is_status=False)

    def receipt(
        self, message: OutboundMessage, provider_message_id: str, status: ReceiptStatus
    ) -> WebhookRequest | None:
        return None

    def receive_receipt(
        self, message: OutboundMessage, provider_message_id: str, status: ReceiptStatus
    ) -> ReceiptReceived:
        thread_id = IDS.thread(message.our_address, message.customer_address)
        now = self.network.now()
        self.network.report(
            PendingReceipt(self.account.mapping_id, thread_id, message, provider_message_id, status, now)
        )
        [fact] = self.network.collect()
        return fact

    def new_id(self) -> str:
        return uuid4().hex


class TestSimulatorProvider(SendingContract, WebhookContract):
    @pytest.fixture
    def counterpart(self) -> WebhookCounterpart:
        return Far()
