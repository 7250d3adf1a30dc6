"""The contract of providers that keep connections open."""

import logging
from collections.abc import Iterator

import pytest

from contracts.providers.common import InboundContract, secrets, wrong_account
from contracts.providers.counterparts import IDS, StandingCounterpart, wait_until
from domain.facts import TextReceived, TextWithoutId
from domain.providers import (
    BadRequest,
    BadSignature,
    Carrier,
    NotTaken,
    OutboundMessage,
    WebhookRequest,
)


class StandingContract(InboundContract):
    """For providers that keep connections open. With it the sending contract, too, goes by a kept one."""

    @pytest.fixture
    def carrier(self, counterpart: StandingCounterpart) -> Iterator[Carrier]:
        carrier = counterpart.provider.open(counterpart.account)
        carrier.connect(0, IDS, counterpart.inbox.deliver)
        wait_until(carrier.ready)
        yield carrier
        carrier.close()

    def test_nothing_is_connected_before_it_is_asked_for(self, counterpart: StandingCounterpart) -> None:
        carrier = counterpart.provider.open(counterpart.account)
        assert (carrier.ready(), list(carrier.connections()), counterpart.connected) == (False, [], 0)
        carrier.disconnect(0)
        carrier.close()

    def test_connecting_again_changes_nothing(
        self, counterpart: StandingCounterpart, carrier: Carrier
    ) -> None:
        connected = counterpart.connected
        carrier.connect(0, IDS, counterpart.inbox.deliver)
        counterpart.receive_text("Hello?")
        assert (carrier.ready(), len(carrier.connections())) == (True, 1)
        assert counterpart.connected == connected > 0

    def test_disconnecting_gives_it_up(self, counterpart: StandingCounterpart, carrier: Carrier) -> None:
        for _ in range(2):
            carrier.disconnect(0)
            assert (carrier.ready(), list(carrier.connections())) == (False, [])
        wait_until(lambda: counterpart.connected == 0)

    def test_closing_gives_all_up(self, counterpart: StandingCounterpart, carrier: Carrier) -> None:
        for number in range(carrier.standing):
            carrier.connect(number, IDS, counterpart.inbox.deliver)
        carrier.close()
        wait_until(lambda: counterpart.connected == 0)
        assert (carrier.ready(), list(carrier.connections())) == (False, [])

    def test_a_connection_that_is_away_says_so_and_comes_back(
        self, counterpart: StandingCounterpart, carrier: Carrier, message: OutboundMessage
    ) -> None:
        good = list(carrier.connections())
        counterpart.leave()
        wait_until(lambda: not carrier.ready())
        [words] = carrier.connections()
        assert words not in good
        with pytest.raises(NotTaken):
            carrier.send(message)
        counterpart.come_back()
        wait_until(carrier.ready)
        assert list(carrier.connections()) == good
        carrier.send(message)
        assert counterpart.accepted == [message.text]

    def test_a_refused_connection_names_its_field_and_no_secret(
        self, counterpart: StandingCounterpart, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        carrier = counterpart.provider.open(wrong_account(counterpart))
        carrier.connect(0, IDS, counterpart.inbox.deliver)
        problems = carrier.check()
        assert problems
        assert all(problem.field.split(".")[0] in {"credentials", "options"} for problem in problems)
        assert (carrier.ready(), len(carrier.connections())) == (False, 1)
        seen = f"{problems!r} {carrier.connections()!r} {caplog.text}"
        carrier.close()
        assert [each for each in secrets(counterpart) if each in seen] == []

    def test_a_repeat_after_a_lost_acknowledgement_is_marked(
        self, counterpart: StandingCounterpart, carrier: Carrier
    ) -> None:
        counterpart.lose_acknowledgement()
        counterpart.say_text("Hello?")
        counterpart.inbox.wait(lambda: len(counterpart.inbox.facts) == 2)
        _assert_repeat(*counterpart.inbox.facts)
        wait_until(lambda: counterpart.acknowledged == 1)

    @pytest.mark.parametrize("keeps_all", [False, True], ids=["lost", "kept all the same"])
    def test_nothing_is_acknowledged_that_could_not_be_made_durable(
        self, keeps_all: bool, counterpart: StandingCounterpart, carrier: Carrier
    ) -> None:
        inbox = counterpart.inbox
        inbox.refusals, inbox.keeps_all = 1, keeps_all
        counterpart.say_text("Hello?")
        inbox.wait(lambda: inbox.refused == 1)
        assert counterpart.acknowledged == 0
        counterpart.redeliver()
        inbox.wait(lambda: len(inbox.facts) == 1 + keeps_all)
        wait_until(lambda: counterpart.acknowledged == 1)
        if keeps_all:
            _assert_repeat(*inbox.facts)

    def test_no_webhook_is_taken(self, counterpart: StandingCounterpart) -> None:
        for is_status in (False, True):
            posted = WebhookRequest("https://parley.example/ingress/x", {}, b"{}", is_status=is_status)
            with pytest.raises((BadRequest, BadSignature)):
                counterpart.provider.read_webhook(counterpart.account, posted, IDS)


def _assert_repeat(first: object, second: object) -> None:
    """Parley can tell that the second is the first: by its id, or because it is marked."""
    if isinstance(first, TextReceived):
        assert second == first
    else:
        assert isinstance(first, TextWithoutId)
        assert isinstance(second, TextWithoutId)
        assert second.content == first.content
        assert second.repeats_since is not None
        assert second.occurrence == 1  # of which one has been kept
