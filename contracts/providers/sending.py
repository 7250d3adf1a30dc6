"""The contract of every provider: what it declares, sending, looking up, secrets."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from contracts.far_end import Fault
from contracts.providers.common import ProviderContract, secrets, wrong_account
from contracts.providers.counterparts import Counterpart, StandingCounterpart, WebhookCounterpart
from domain.providers import (
    Account,
    Carrier,
    Handover,
    Misconfigured,
    NotTaken,
    OptedOut,
    OutboundMessage,
    Rejected,
    SendError,
    Unknown,
)

NOBODY_KNOWS = (Fault.HANG, Fault.RESET_BEFORE, Fault.RESET_AFTER, Fault.GARBAGE)
TAKEN = {Fault.RESET_AFTER, Fault.GARBAGE}


class SendingContract(ProviderContract):
    """For every provider: what it declares, sending, looking up, secrets."""

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

    def test_declares_how_texts_come(self, counterpart: Counterpart, carrier: Carrier) -> None:
        keeps_connections = counterpart.provider.keeps_connections
        assert (carrier.standing > 0) == keeps_connections
        assert isinstance(counterpart, StandingCounterpart if keeps_connections else WebhookCounterpart)
        if not keeps_connections:
            assert carrier.ready()
            assert list(carrier.connections()) == []

    def test_a_good_account_has_no_problems(self, counterpart: Counterpart, carrier: Carrier) -> None:
        assert counterpart.provider.check(counterpart.account) == []
        assert counterpart.provider.missing_credentials(counterpart.account) == []
        assert carrier.check() == []

    def test_what_is_wrong_with_an_account_names_its_field(self, counterpart: Counterpart) -> None:
        carrier = counterpart.provider.open(wrong_account(counterpart))
        problems = carrier.check()
        carrier.close()
        assert problems
        assert all(problem.field.split(".")[0] in {"credentials", "options"} for problem in problems)

    def test_an_account_out_of_reach_is_a_problem_too(self, counterpart: Counterpart) -> None:
        carrier = counterpart.provider.open(_unreachable(counterpart))
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

    def test_several_are_handed_over_each_as_one_would_be(
        self, counterpart: Counterpart, carrier: Carrier, message: OutboundMessage
    ) -> None:
        assert carrier.at_once > 0
        messages = [replace(message, message_id=uuid4(), text=f"Number {index}") for index in range(5)]
        refused = messages[2] = replace(messages[2], customer_address=counterpart.refused_customer)
        told = [each for some in carrier.send_all(messages) for each in some]
        assert sorted(each.text for each, _ in told) == sorted(each.text for each in messages)
        for each, result in told:
            assert type(result) is (Rejected if each == refused else Handover)
        taken = sorted(each.text for each in messages if each != refused)
        assert sorted(counterpart.accepted) == taken

    def test_a_throttled_message_was_not_taken(
        self, counterpart: Counterpart, carrier: Carrier, message: OutboundMessage
    ) -> None:
        with pytest.raises(NotTaken):
            carrier.send(_spoilt(counterpart, Fault.THROTTLED, message))
        assert counterpart.accepted == []

    def test_out_of_reach_is_not_taken(self, counterpart: Counterpart, message: OutboundMessage) -> None:
        carrier = counterpart.provider.open(_unreachable(counterpart))
        with pytest.raises(NotTaken):
            carrier.send(message)
        carrier.close()

    @pytest.mark.parametrize("fault", [Fault.FAILED, Fault.UNAVAILABLE])
    def test_a_failure_is_not_sent_again(
        self, fault: Fault, counterpart: Counterpart, carrier: Carrier, message: OutboundMessage
    ) -> None:
        with pytest.raises(SendError) as caught:
            carrier.send(_spoilt(counterpart, fault, message))
        assert type(caught.value) is counterpart.failed_means
        assert counterpart.accepted == []

    @pytest.mark.parametrize("fault", NOBODY_KNOWS)
    def test_nobody_knows_and_nothing_is_sent_again(
        self, fault: Fault, counterpart: Counterpart, carrier: Carrier, message: OutboundMessage
    ) -> None:
        with pytest.raises(Unknown):
            carrier.send(_spoilt(counterpart, fault, message))
        assert counterpart.accepted == ([message.text] if fault in TAKEN else [])

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
        if counterpart.opted_out_customer is None:
            pytest.skip("declared: the far end keeps no opt-out list")
        with pytest.raises(OptedOut):
            carrier.send(replace(message, customer_address=counterpart.opted_out_customer))

    def test_refused_credentials_are_the_mappings_fault(
        self, counterpart: Counterpart, message: OutboundMessage
    ) -> None:
        carrier = counterpart.provider.open(wrong_account(counterpart))
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
        attempted_at = datetime.now(UTC)
        if not counterpart.provider.can_find:
            with pytest.raises(Unknown):
                carrier.find(message, attempted_at)
            return
        message = _spoilt(counterpart, Fault.RESET_AFTER, message)
        with pytest.raises(Unknown):
            carrier.send(message)
        [handover] = carrier.find(message, attempted_at)
        assert handover.provider_message_id
        again = carrier.send(message)
        assert list(carrier.find(message, attempted_at)) == [handover, again]
        another = replace(message, message_id=uuid4(), text="Something else")
        assert list(carrier.find(another, attempted_at)) == []
        assert list(carrier.find(message, attempted_at + timedelta(minutes=5))) == []

    # ── secrets ──

    def test_no_secret_shows_anywhere(
        self, counterpart: Counterpart, message: OutboundMessage, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        assert secrets(counterpart)
        seen = []
        for account in (counterpart.account, counterpart.wrong_account, counterpart.unreachable()):
            if account is None:
                continue
            carrier = counterpart.provider.open(account)
            seen += [repr(account), repr(carrier), repr(counterpart.provider), repr(carrier.check())]
            seen += [_outcome(carrier, each) for each in _spoilt_ones(counterpart, message)]
            seen.append(_outcome(carrier, message))
            carrier.close()
        seen.append(caplog.text)
        assert [each for each in secrets(counterpart) if any(each in text for text in seen)] == []

    def test_no_customer_shows_in_a_providers_log(
        self,
        counterpart: Counterpart,
        carrier: Carrier,
        message: OutboundMessage,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level(logging.INFO)
        carrier.send(message)
        for each in _spoilt_ones(counterpart, message):
            _outcome(carrier, each)
        if counterpart.provider.can_find:
            carrier.find(message, datetime.now(UTC))
        assert message.customer_address.lstrip("+") not in caplog.text
        assert message.text not in caplog.text


def _unreachable(counterpart: Counterpart) -> Account:
    account = counterpart.unreachable()
    if account is None:
        pytest.skip("declared: the far end cannot be out of reach")
    return account


def _spoilt(counterpart: Counterpart, fault: Fault, message: OutboundMessage) -> OutboundMessage:
    """The message to send so that it meets this fault."""
    if fault not in counterpart.faults:
        pytest.skip(f"declared: the far end has no fault “{fault.name}”")
    return counterpart.fail_next(fault, message)


def _spoilt_ones(counterpart: Counterpart, message: OutboundMessage) -> Iterator[OutboundMessage]:
    """A message for each fault that shows in an answer, each to be sent before the next is asked for."""
    for fault in (Fault.THROTTLED, Fault.FAILED, Fault.GARBAGE):
        if fault in counterpart.faults:
            yield counterpart.fail_next(fault, message)


def _outcome(carrier: Carrier, message: OutboundMessage) -> str:
    try:
        return repr(carrier.send(message))
    except SendError as error:
        return f"{error!r} {error} {error.__cause__!r} {error.code}"
