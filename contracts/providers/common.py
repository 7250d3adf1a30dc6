"""What the suites of the provider contract share."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from contracts.providers.counterparts import IDS, Counterpart, Text
from domain.facts import ReceiptStatus, TextReceived, TextWithoutId
from domain.providers import Account, Carrier, OutboundMessage

OUT_OF_ORDER = (ReceiptStatus.DELIVERED, ReceiptStatus.SENT, ReceiptStatus.DELIVERED, ReceiptStatus.FAILED)


class ProviderContract:
    """What the suites share: a carrier and a message. Nothing in them knows the provider."""

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


class InboundContract(ProviderContract):
    """What texts and receipts have in common, however they come."""

    def test_a_text_becomes_a_fact(self, counterpart: Counterpart, carrier: Carrier) -> None:
        account = counterpart.account
        fact = counterpart.receive_text("Where is my order? 😀")
        assert fact.text == "Where is my order? 😀"
        assert (fact.scope, fact.mapping_id) == (counterpart.provider.scope(account), account.mapping_id)
        assert (fact.our_address, fact.customer_address) == (account.addresses[0], counterpart.customer)
        assert fact.key == IDS.thread(fact.our_address, fact.customer_address)
        assert name_of(fact)
        assert fact.raw

    def test_equal_texts_are_two_facts(self, counterpart: Counterpart, carrier: Carrier) -> None:
        first, second = (counterpart.receive_text("ok") for _ in range(2))
        assert name_of(first) != name_of(second)
        if isinstance(second, TextWithoutId) and second.repeats_since is not None:
            assert isinstance(first, TextWithoutId)
            assert second.occurrence > first.occurrence  # one more than was kept: no repeat

    def test_receipts_in_any_order_name_their_attempt(
        self, counterpart: Counterpart, carrier: Carrier, message: OutboundMessage
    ) -> None:
        provider_id = carrier.send(message).provider_message_id
        for status in OUT_OF_ORDER:
            fact = counterpart.receive_receipt(message, provider_id, status)
            assert (fact.status, fact.provider_message_id) == (status, provider_id)
            assert (fact.scope, fact.mapping_id) == (
                counterpart.provider.scope(counterpart.account),
                counterpart.account.mapping_id,
            )
            assert (fact.message_id, fact.attempt) in {(message.message_id, message.attempt), (None, None)}
            assert fact.provider_status


def wrong_account(counterpart: Counterpart) -> Account:
    """An account whose credentials are refused; skips the test, saying so, where there is none."""
    if counterpart.wrong_account is None:
        pytest.skip("declared: the far end refuses no credentials")
    return counterpart.wrong_account


def secrets(counterpart: Counterpart) -> list[str]:
    """Every value that nobody may ever see."""
    hidden = [each.name for each in counterpart.provider.credentials if each.hidden]
    accounts = [each for each in (counterpart.account, counterpart.wrong_account) if each]
    return [each.credentials[name] for each in accounts for name in hidden if each.credentials.get(name)]


def name_of(text: Text) -> str:
    """By what a text is told from its equals."""
    return text.provider_message_id if isinstance(text, TextReceived) else text.delivery_id
