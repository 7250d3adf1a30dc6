"""Where a message stands, as its own events decide it: views repeat none of the aggregate's rules."""

from datetime import datetime
from typing import Any, cast

from domain.facts import Outcome
from domain.message_values import MessageStatus
from domain.messages import Message

MessageEvent = (
    Message.Routed
    | Message.Attempted
    | Message.Accepted
    | Message.Settled
    | Message.Receipted
    | Message.Resolved
    | Message.Blocked
    | Message.Expired
)
"""What changes where a message stands, once it is there."""


class _Standing:
    """As much of a message as its events' `apply` reads, apart from what they set themselves."""

    def __init__(self, status: MessageStatus) -> None:
        self.status = status
        self.settled: dict[int, Outcome] = {}
        self.accepted_as: dict[str, int] = {}
        self.receipts: frozenset[Any] = frozenset()
        self.provider_message_id: str | None = None
        self.attempt = 0
        self.attempted_at: datetime | None = None
        self.send_by: datetime | None = None
        self.expires_at: datetime | None = None


def status_after(status: str, event: MessageEvent) -> MessageStatus:
    """The status after an event, given the one before."""
    standing = _Standing(MessageStatus(status))
    event.apply(cast(Message, standing))
    return standing.status
