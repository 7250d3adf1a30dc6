"""What events come to, told by the checker in its own words: messages with their attempts, conversations."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from faults.evidence import Event

_NOT_TAKEN = {"rejected", "postponed", "opted_out"}
"""Outcomes that say that the provider surely did not take it."""


@dataclass
class Message:
    """An outbound message."""

    status: str = "requested"
    attempts: dict[int, Event] = field(default_factory=dict)  # the intents, by number
    send_by: float = 0.0  # of the last attempt
    resends: int = 0  # authorised by somebody
    accepted_as: dict[str, float] = field(default_factory=dict)  # the provider's ids, and since when
    not_taken: list[int] = field(default_factory=list)  # attempts
    repeated: list[str] = field(default_factory=list)  # attempts that must not have been made

    def apply(self, event: Event) -> None:
        """Take in the next of its events."""
        kind, data = event.topic.split(".")[2], event.data
        if kind == "requested":
            self.status = "suppressed" if data["suppressed"] else "requested"
        elif kind == "attempted":
            self._attempt(event)
        elif kind == "accepted":
            self.accepted_as.setdefault(data["provider_message_id"], event.committed)
            self.status = "taken"
        elif kind == "settled":
            self._settle(data["attempt"], data["outcome"])
        elif kind == "receipted":
            self.status = "taken"
        elif kind == "resolved":
            self.resends += data["resolution"] == "resend" and bool(data["by"])
            self.status = {"resend": "requested", "sent": "taken", "drop": "dropped"}[data["resolution"]]
        elif kind in {"blocked", "expired"}:
            self.status = kind

    def _attempt(self, event: Event) -> None:
        number = event.data["attempt"]
        if self.status not in {"requested", "postponed"}:
            self.repeated.append(f"attempt {number} was made while it was {self.status}")
        self.attempts[number] = event
        self.send_by = event.data["send_by"]
        self.status = "attempting"

    def _settle(self, attempt: int, outcome: str) -> None:
        if outcome in _NOT_TAKEN:
            self.not_taken.append(attempt)
        if self.status == "attempting":
            self.status = outcome


@dataclass
class Conversation:
    """A sitting."""

    thread: str
    minutes: int  # of silence until it ends
    refused: bool = False
    active_at: float = 0.0
    ends: list[Event] = field(default_factory=list)

    @property
    def due(self) -> float:
        """When it ends, unless somebody writes."""
        return self.active_at + 60.0 * self.minutes

    @property
    def is_open_until_idle(self) -> bool:
        """Whether an idle end is to be expected at all."""
        return not self.refused and not any(each.data["reason"] == "single" for each in self.ends)


def messages(events: Iterable[Event]) -> dict[str, Message]:
    """Every outbound message."""
    found: dict[str, Message] = {}
    for event in events:
        if event.topic == "parley.message.requested.v1":
            found[event.stream] = Message()
        if event.stream in found:
            found[event.stream].apply(event)
    return found


def conversations(events: Iterable[Event]) -> dict[str, Conversation]:
    """Every conversation."""
    found: dict[str, Conversation] = {}
    for event in events:
        _, kind, what, _ = event.topic.split(".")
        if kind != "conversation":
            continue
        if what == "created":
            found[event.stream] = Conversation(event.data["thread_id"], event.data["minutes"])
        conversation = found.get(event.stream)
        if conversation is None:
            continue
        if what in {"created", "customer-wrote", "agent-wrote"}:
            conversation.active_at = max(conversation.active_at, event.at)
        elif what == "refused":
            conversation.refused = True
        elif what == "ended":
            conversation.ends.append(event)
    return found
