"""What the tests of SMPP get: an SMSC, and a carrier with a connection to it."""

from collections.abc import Iterator

import pytest

from adapters.smpp.carrier import SmppCarrier
from contracts.providers import Inbox
from tests.adapters.smpp.smpp_cases import account, keep, open_carrier
from tests.fakes.smsc import Smsc


@pytest.fixture
def smsc() -> Iterator[Smsc]:
    with Smsc() as running:
        yield running


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def carrier(smsc: Smsc, inbox: Inbox) -> Iterator[SmppCarrier]:
    """With one connection, bound."""
    opened = open_carrier(account(smsc))
    keep(opened, inbox)
    yield opened
    opened.close()
