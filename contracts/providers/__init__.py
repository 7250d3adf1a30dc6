"""What every provider has to pass.

    class TestCourier(SendingContract, WebhookContract):
        @pytest.fixture
        def counterpart(self) -> Iterator[CourierCounterpart]: ...

`SendingContract` is for all; `WebhookContract` for those whose gateway calls webhooks, `StandingContract` for
those that keep connections open. The counterpart is the far end: it misbehaves when told to, and remembers
what it accepted. The page `docs/providers.md` walks through it.
"""

from contracts.providers.counterparts import (
    IDS,
    Counterpart,
    Inbox,
    StandingCounterpart,
    WebhookCounterpart,
    wait_until,
)
from contracts.providers.sending import SendingContract
from contracts.providers.standing import StandingContract
from contracts.providers.webhooks import WebhookContract

__all__ = [
    "IDS",
    "Counterpart",
    "Inbox",
    "SendingContract",
    "StandingContract",
    "StandingCounterpart",
    "WebhookContract",
    "WebhookCounterpart",
    "wait_until",
]
