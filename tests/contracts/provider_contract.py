"""What every provider has to pass.

Derive a test class from `ProviderContract`, call it Test…, and give it a `counterpart` fixture: the far end,
which misbehaves when told to and remembers what it accepted.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from domain.facts import ReceiptReceived, ReceiptStatus, TextReceived
from domain.ids import Identities
from domain.providers import (
    Account,
    BadRequest,
    BadSignature,
    Carrier,
    Misconfigured,
    NotTaken,
    OptedOut,
    OutboundMessage,
    Provider,
    Rejected,
    SendError,
    Unknown,
    WebhookRequest,
)

IDS = Identities(b"an identity key of 32 bytes or more")


class Counterpart(ABC):
    """The far end of a provider, as a test needs it."""

    provider: Provider
    account: Account
    wrong_account: Account  # the same with credentials that are refused
    customer: str
    refused_customer: str  # never a number that can be sent to
    opted_out_customer: str

    @property
    @abstractmethod
    def accepted(self) -> list[str]:
        """The texts it took, in order."""

    @abstractmethod
    def fail_next(self, fault: str) -> None:
        """Make the next request go wrong: throttled, failed, hang, reset-before, reset-after or garbage."""

    @abstractmethod
    def text(self, text: str, provider_message_id: str) -> WebhookRequest:
        """A customer's text, signed."""

    @abstractmethod
    def receipt(
        self, message: OutboundMessage, provider_message_id: str, status: ReceiptStatus
    ) -> WebhookRequest:
        """A receipt for an attempt, signed."""

    @abstractmethod
    def new_id(self) -> str:
        """An id as the provider gives them."""

    @abstractmethod
    def unreachable(self) -> Account:
        """The account where nobody listens."""

    @abstractmethod
    def unsupported(self) -> list[OutboundMessage]:
        """Messages that need what the provider does not have, beyond its declared limits."""


class ProviderContract:
    """The suite. Nothing in it knows the provider."""

    @pytest.fixture
    def carrier(self, counterpart: Counterpart) -> Iterator[Carrier]:
        carrier = counterpart.provider.open(counterpart.account)
        yield carrier
        carrier.close()

    @pytest.fixture
    def message(self, counterpart: Counterpart) -> OutboundMessage:
        return OutboundMessage(
            message_id=uuid4(),
            attempt=1,
            our_address=counterpart.account.addresses[0],
            customer_address=counterpart.customer,
            text="We open at nine.",
        )

    # ── declaration ──

    def test_declares_itself(self, counterpart: Counterpart) -> None:
        provider = counterpart.provider
        assert provider.name == provider.name.lower().strip()
        assert provider.title
        for names in ([each.name for each in provider.credentials], [each.name for each in provider.options]):
            assert len(names) == len(set(names))
        assert all(each.help for each in provider.credentials)
        assert all(each.help for each in provider.options)
        assert provider.limits.characters > 0

    def test_a_good_account_has_no_problems(self, counterpart: Counterpart, carrier: Carrier) -> None:
        assert counterpart.provider.check(counterpart.account) == []
        assert carrier.check() == []

    def test_what_is_wrong_with_an_account_names_its_field(self, counterpart: Counterpart) -> None:
        carrier = counterpart.provider.open(counterpart.wrong_account)
        problems = carrier.check()
        carrier.close()
        assert problems
        assert all(problem.field.split(".")[0] in {"credentials", "options"} for problem in problems)

    def test_an_account_out_of_reach_is_a_problem_too(self, counterpart: Counterpart) -> None:
        carrier = counterpart.provider.open(counterpart.unreachable())
        assert [problem.field for problem in carrier.check()] == ["provider"]
        carrier.close()

    # ── sending ──

    def test_sends_once(self, counterpart: Counterpart, carrier: Carrier, message: OutboundMessage) -> None:
        handover = carrier.send(message)
        assert handover.provider_message_id
        assert counterpart.accepted == [message.text]

    def test_threads_share_a_carrier(
        self, counterpart: Counterpart, carrier: Carrier, message: OutboundMessage
    ) -> None:
        messages = [replace(message, message_id=uuid4(), text=f"Number {index}") for index in range(40)]
        with ThreadPoolExecutor(8) as pool:
            handovers = list(pool.map(carrier.send, messages))
        assert len({each.provider_message_id for each in handovers}) == 40
        assert sorted(counterpart.accepted) == sorted(each.text for each in messages)

    def test_a_throttled_message_was_not_taken(
        self, counterpart: Counterpart, carrier: Carrier, message: OutboundMessage
    ) -> None:
        counterpart.fail_next("throttled")
        with pytest.raises(NotTaken):
            carrier.send(message)
        assert counterpart.accepted == []

    def test_out_of_reach_is_not_taken(self, counterpart: Counterpart, message: OutboundMessage) -> None:
        carrier = counterpart.provider.open(counterpart.unreachable())
        with pytest.raises(NotTaken):
            carrier.send(message)
        carrier.close()

    @pytest.mark.parametrize("fault", ["failed", "hang", "reset-before", "reset-after", "garbage"])
    def test_nobody_knows_and_nothing_is_sent_again(
        self, fault: str, counterpart: Counterpart, carrier: Carrier, message: OutboundMessage
    ) -> None:
        counterpart.fail_next(fault)
        with pytest.raises(Unknown):
            carrier.send(message)
        accepted = [message.text] if fault in {"reset-after", "garbage"} else []
        assert counterpart.accepted == accepted

    def test_a_refused_customer_is_rejected(
        self, counterpart: Counterpart, carrier: Carrier, message: OutboundMessage
    ) -> None:
        with pytest.raises(Rejected) as caught:
            carrier.send(replace(message, customer_address=counterpart.refused_customer))
        assert type(caught.value) is Rejected
        assert caught.value.code
        assert counterpart.refused_customer not in str(caught.value)

    def test_an_opted_out_customer_is_told_apart(
        self, counterpart: Counterpart, carrier: Carrier, message: OutboundMessage
    ) -> None:
        with pytest.raises(OptedOut):
            carrier.send(replace(message, customer_address=counterpart.opted_out_customer))

    def test_refused_credentials_are_the_mappings_fault(
        self, counterpart: Counterpart, message: OutboundMessage
    ) -> None:
        carrier = counterpart.provider.open(counterpart.wrong_account)
        with pytest.raises(Misconfigured):
            carrier.send(message)
        carrier.close()

    def test_unsupported_features_are_refused_aloud(
        self, counterpart: Counterpart, carrier: Carrier, message: OutboundMessage
    ) -> None:
        limits = counterpart.provider.limits
        urls = tuple(f"https://example.com/{index}.png" for index in range(limits.media + 1))
        for unsupported in (
            replace(message, text="x" * (limits.characters + 1)),
            replace(message, text=""),
            replace(message, text="half a pair: \ud83d"),
            replace(message, media_urls=urls),
            *counterpart.unsupported(),
        ):
            with pytest.raises(Rejected):
                carrier.send(unsupported)
        assert counterpart.accepted == []

    # ── looking an attempt up ──

    def test_an_attempt_in_doubt_is_found_if_it_was_taken(
        self, counterpart: Counterpart, carrier: Carrier, message: OutboundMessage
    ) -> None:
        if not counterpart.provider.can_find:
            with pytest.raises(Unknown):
                carrier.find(message, datetime.now(UTC))
            return
        attempted_at = datetime.now(UTC)
        counterpart.fail_next("reset-after")
        with pytest.raises(Unknown):
            carrier.send(message)
        [handover] = carrier.find(message, attempted_at)
        assert handover.provider_message_id
        again = carrier.send(message)
        assert list(carrier.find(message, attempted_at)) == [handover, again]
        another = replace(message, message_id=uuid4(), text="Something else")
        assert list(carrier.find(another, attempted_at)) == []
        assert list(carrier.find(message, attempted_at + timedelta(minutes=5))) == []

    # ── webhooks ──

    def test_a_text_becomes_a_fact(self, counterpart: Counterpart) -> None:
        provider_id = counterpart.new_id()
        request = counterpart.text("Where is my order? 😀", provider_id)
        [fact] = counterpart.provider.read_webhook(counterpart.account, request, IDS).facts
        assert isinstance(fact, TextReceived)
        assert fact.text == "Where is my order? 😀"
        assert (fact.scope, fact.provider_message_id) == (
            counterpart.provider.scope(counterpart.account),
            provider_id,
        )
        assert fact.mapping_id == counterpart.account.mapping_id
        assert (fact.our_address, fact.customer_address) == (
            counterpart.account.addresses[0],
            counterpart.customer,
        )
        assert fact.key == IDS.thread(fact.our_address, fact.customer_address)
        assert fact.raw

    def test_the_same_text_twice_is_the_same_fact(self, counterpart: Counterpart) -> None:
        request = counterpart.text("Hello?", counterpart.new_id())
        first, second = (
            counterpart.provider.read_webhook(counterpart.account, request, IDS) for _ in range(2)
        )
        assert first == second

    def test_equal_texts_with_ids_of_their_own_are_two_facts(self, counterpart: Counterpart) -> None:
        facts = {
            counterpart.provider.read_webhook(
                counterpart.account, counterpart.text("ok", counterpart.new_id()), IDS
            ).facts[0]
            for _ in range(2)
        }
        assert len(facts) == 2

    def test_receipts_in_any_order_name_their_attempt(
        self, counterpart: Counterpart, message: OutboundMessage
    ) -> None:
        provider_id = counterpart.new_id()
        for status in (
            ReceiptStatus.DELIVERED,
            ReceiptStatus.SENT,
            ReceiptStatus.DELIVERED,
            ReceiptStatus.FAILED,
        ):
            request = counterpart.receipt(message, provider_id, status)
            [fact] = counterpart.provider.read_webhook(counterpart.account, request, IDS).facts
            assert isinstance(fact, ReceiptReceived)
            assert (fact.status, fact.provider_message_id) == (status, provider_id)
            assert (fact.message_id, fact.attempt) in {(message.message_id, message.attempt), (None, None)}
            again = counterpart.provider.read_webhook(counterpart.account, request, IDS).facts
            assert list(again) == [fact]

    @pytest.mark.parametrize(
        "forge",
        [
            lambda request: replace(request, body=request.body + b"&Extra=1"),
            lambda request: replace(request, url=request.url + "x"),
            lambda request: replace(request, headers=_without_signature(request)),
            lambda request: replace(request, headers=dict.fromkeys(request.headers, "x") | _kind(request)),
        ],
        ids=["body", "url", "no signature", "nonsense"],
    )
    def test_a_forged_webhook_is_refused(
        self,
        forge: Callable[[WebhookRequest], WebhookRequest],
        counterpart: Counterpart,
        message: OutboundMessage,
    ) -> None:
        provider_id = counterpart.new_id()
        for request in (
            counterpart.text("Give me a refund", provider_id),
            counterpart.receipt(message, provider_id, ReceiptStatus.DELIVERED),
        ):
            with pytest.raises(BadSignature):
                counterpart.provider.read_webhook(counterpart.account, forge(request), IDS)

    @pytest.mark.parametrize(
        "body", [b"\xff\xfe", b"%", b"{}", b"a&b", b"x=%ff", b"", b"&" * 5000, b"\x00" * 100]
    )
    def test_a_malformed_body_is_refused(self, body: bytes, counterpart: Counterpart) -> None:
        request = replace(counterpart.text("Hi", counterpart.new_id()), body=body)
        with pytest.raises((BadRequest, BadSignature)):
            counterpart.provider.read_webhook(counterpart.account, request, IDS)

    # ── secrets ──

    def test_no_secret_shows_anywhere(
        self,
        counterpart: Counterpart,
        message: OutboundMessage,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level(logging.DEBUG)
        secrets = [
            account.credentials[each.name]
            for account in (counterpart.account, counterpart.wrong_account)
            for each in counterpart.provider.credentials
            if each.hidden and account.credentials.get(each.name)
        ]
        assert secrets
        seen = []
        for account in (counterpart.account, counterpart.wrong_account, counterpart.unreachable()):
            carrier = counterpart.provider.open(account)
            seen += [repr(account), repr(carrier), repr(counterpart.provider), repr(carrier.check())]
            for fault in ("throttled", "failed", "garbage", ""):
                if fault:
                    counterpart.fail_next(fault)
                seen.append(_outcome(carrier, message))
            carrier.close()
        forged = replace(counterpart.text("Hi", counterpart.new_id()), body=b"Body=forged")
        with pytest.raises((BadSignature, BadRequest)) as caught:
            counterpart.provider.read_webhook(counterpart.account, forged, IDS)
        seen += [repr(caught.value), str(caught.value), caplog.text]
        assert [secret for secret in secrets if any(secret in text for text in seen)] == []

    def test_no_customer_shows_in_a_providers_log(
        self,
        counterpart: Counterpart,
        carrier: Carrier,
        message: OutboundMessage,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level(logging.INFO)
        carrier.send(message)
        for fault in ("failed", "garbage"):
            counterpart.fail_next(fault)
            _outcome(carrier, message)
        if counterpart.provider.can_find:
            carrier.find(message, datetime.now(UTC))
        assert message.customer_address.lstrip("+") not in caplog.text
        assert message.text not in caplog.text


def _outcome(carrier: Carrier, message: OutboundMessage) -> str:
    try:
        return repr(carrier.send(message))
    except SendError as error:
        return f"{error!r} {error} {error.__cause__!r} {error.code}"


def _kind(request: WebhookRequest) -> dict[str, str]:
    return {"content-type": request.headers.get("content-type", "")}


def _without_signature(request: WebhookRequest) -> dict[str, str]:
    return {name: value for name, value in request.headers.items() if "signature" not in name}
