"""What an event means, in a sentence for people."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from eventsourcing.domain import AggregateEvent

from domain.consent import Consent
from domain.conversations import AssignmentReason, Conversation, EndReason, Origin, QueueReason
from domain.facts import Outcome
from domain.mappings import Mapping
from domain.message_values import Disposition, Resolution, Sender
from domain.messages import Message


class Kind(StrEnum):
    """What sort of thing happened."""

    STARTED = "started"
    TEXT = "text"
    NOTICE = "notice"  # an automatic text
    WITHHELD = "withheld"  # an automatic text that was recorded and never sent
    QUEUED = "queued"
    ASSIGNED = "assigned"
    TRANSFERRED = "transferred"
    ENDED = "ended"
    REFUSED = "refused"
    FOLLOWED_UP = "followed_up"  # a missed or refused one was seen to
    UNROUTED = "unrouted"
    ROUTED = "routed"
    MEDIA = "media"
    ATTEMPT = "attempt"
    OUTCOME = "outcome"
    IN_DOUBT = "in_doubt"
    RESOLVED = "resolved"
    RECEIPT = "receipt"
    CONSENT = "consent"
    CONFIGURATION = "configuration"


@dataclass(frozen=True)
class Told:
    """What happened, who did it, and a sentence that says so."""

    kind: Kind
    who: str
    sentence: str


PARLEY = "Parley"
CUSTOMER = "customer"
PROVIDER = "provider"

_ORIGINS = {
    Origin.CUSTOMER: "The customer began the conversation",
    Origin.AGENT: "An agent began the conversation",
    Origin.SINGLE: "An agent sent a single message",
}

_QUEUED_BECAUSE = {
    QueueReason.NEW: "as a new conversation",
    QueueReason.TRANSFER: "transferred there",
    QueueReason.AGENT_LOST: "at its head, because the agent's desk was lost",
    QueueReason.AGENT_LEFT: "at its head, because the agent logged off",
}

_ENDED_BECAUSE = {
    EndReason.IDLE: "nobody wrote for the set time",
    EndReason.AGENT: "the agent ended it",
    EndReason.SINGLE: "it was a single message",
    EndReason.CONNECT: "the chat ended in Amazon Connect",
}

_OUTCOMES = {
    Outcome.REJECTED: "The provider refused attempt {}",
    Outcome.OPTED_OUT: "The provider refused attempt {}: the customer is on its opt-out list",
    Outcome.POSTPONED: "The provider did not take attempt {} for now",
    Outcome.IN_DOUBT: "Nobody knows whether attempt {} went: the message is in doubt",
}

_RESOLUTIONS = {
    Resolution.RESEND: "Decided to send it again",
    Resolution.SENT: "Decided that it did go",
    Resolution.DROP: "Decided to give it up",
}


def tell(event: AggregateEvent) -> Told:
    """What happened. Raises LookupError for an event that has no part in a conversation."""
    told = _conversation(event) or _text(event) or _handover(event) or _around(event)
    if told is None:
        raise LookupError(f"{type(event).__qualname__} has no words in a replay")
    return told


def _conversation(event: AggregateEvent) -> Told | None:
    told: Told | None = None
    match event:
        case Conversation.Created():
            who = CUSTOMER if event.origin is Origin.CUSTOMER else "agent"
            version = f"version {event.terms.mapping_version} of {event.terms.mapping_code}"
            under = f"on {event.our_address}, under {version}"
            told = Told(Kind.STARTED, who, f"{_ORIGINS[event.origin]} {under}")
        case Conversation.CustomerWrote():
            told = Told(Kind.TEXT, CUSTOMER, "The customer's text was taken up")
        case Conversation.AgentWrote():
            told = Told(Kind.TEXT, event.agent, f"A text of {event.agent} was taken up")
        case Conversation.Queued():
            told = _queued(event)
        case Conversation.Assigned():
            told = _assigned(event)
        case Conversation.Refused():
            count = event.open_conversations
            told = Told(Kind.REFUSED, PARLEY, f"Refused: {count} conversations were open, the most allowed")
        case Conversation.Ended():
            code = f", work code {event.work_code}" if event.work_code else ""
            sentence = f"Ended as {event.outcome}: {_ENDED_BECAUSE[event.reason]}{code}"
            told = Told(Kind.ENDED, event.by or PARLEY, sentence)
        case Conversation.Dismissed():
            told = Told(Kind.FOLLOWED_UP, event.by, "Taken off the list: it needs no answer")
        case Conversation.FollowedUp():
            told = Told(Kind.FOLLOWED_UP, event.by, "Taken off the list: somebody wrote back")
    return told


def _queued(event: Conversation.Queued) -> Told:
    is_transfer = event.reason is QueueReason.TRANSFER
    preferred = f"; {event.preferred_agent} had the last one" if event.preferred_agent else ""
    return Told(
        Kind.TRANSFERRED if is_transfer else Kind.QUEUED,
        event.by or PARLEY,
        f"Waits in queue {event.queue}, {_QUEUED_BECAUSE[event.reason]}{preferred}",
    )


def _assigned(event: Conversation.Assigned) -> Told:
    if event.reason is AssignmentReason.STARTED:
        return Told(Kind.ASSIGNED, event.agent, f"{event.agent} has it, having begun it")
    if event.reason is AssignmentReason.TRANSFER:
        return Told(Kind.TRANSFERRED, event.by or PARLEY, f"Handed over to {event.agent}")
    verdict = next((each.verdict for each in event.considered if each.agent == event.agent), "")
    why = f": {verdict}" if verdict else ""
    waited = f"after {event.waited_seconds} s of waiting"
    return Told(Kind.ASSIGNED, "router", f"Routed to {event.agent} {waited}{why}")


def _text(event: AggregateEvent) -> Told | None:
    told: Told | None = None
    match event:
        case Message.Received(disposition=Disposition.UNROUTED):
            told = Told(Kind.UNROUTED, CUSTOMER, f"“{event.text}” found no route: {event.reason}")
        case Message.Received():
            keyword = f" (understood as {event.keyword})" if event.keyword else ""
            told = Told(Kind.TEXT, CUSTOMER, f"“{event.text}”{_files(len(event.media))}{keyword}")
        case Message.Requested(sender=Sender.AGENT):
            told = Told(Kind.TEXT, event.agent or "agent", f"“{event.text}”{_files(len(event.media_ids))}")
        case Message.Requested():
            what = str(event.purpose).replace("_", " ")
            kind, word = (Kind.WITHHELD, "Notice withheld") if event.suppressed else (Kind.NOTICE, "Notice")
            told = Told(kind, PARLEY, f"{word} ({what}): “{event.text}”")
        case Message.Routed():
            told = Told(Kind.ROUTED, event.by, "Routed after the fix")
        case Message.MediaStored():
            size = f"{event.content_type}, {event.size} octets"
            fate = f"could not be copied: {event.problem}" if event.problem else f"was copied ({size})"
            told = Told(Kind.MEDIA, PARLEY, f"File {event.index + 1} {fate}")
    return told


def _files(count: int) -> str:
    return f" with {count} file{'s' if count > 1 else ''}" if count else ""


def _handover(event: AggregateEvent) -> Told | None:
    told: Told | None = None
    match event:
        case Message.Attempted():
            time = _seconds(event.send_by - event.timestamp)
            told = Told(
                Kind.ATTEMPT, PARLEY, f"Attempt {event.attempt} on {event.lane}, to leave within {time}"
            )
        case Message.Accepted():
            learnt = ", as was learnt afterwards" if event.reconciled else ""
            took = f"The provider took attempt {event.attempt} as {event.provider_message_id}{learnt}"
            told = Told(Kind.OUTCOME, PROVIDER, took)
        case Message.Settled():
            told = _settled(event)
        case Message.Receipted():
            error = f", error {event.error_code}" if event.error_code else ""
            says = f"Receipt for attempt {event.attempt}: {event.status} (“{event.provider_status}”{error})"
            told = Told(Kind.RECEIPT, PROVIDER, says)
        case Message.Resolved():
            why = f": {event.why}" if event.why else ""
            told = Told(Kind.RESOLVED, event.by, f"{_RESOLUTIONS[event.resolution]}{why}")
        case Message.Blocked():
            told = Told(Kind.OUTCOME, PARLEY, "Not sent: the customer had opted out, or been forgotten")
        case Message.Expired():
            told = Told(Kind.OUTCOME, PARLEY, "Not sent: it could not go in its time")
    return told


def _settled(event: Message.Settled) -> Told:
    sentence = _OUTCOMES[event.outcome].format(event.attempt)
    details = ", ".join(
        each for each in (event.error_code and f"error {event.error_code}", event.detail) if each
    )
    later = f"; again in {_seconds(event.retry_at - event.timestamp)}" if event.retry_at else ""
    in_doubt = event.outcome is Outcome.IN_DOUBT
    return Told(
        Kind.IN_DOUBT if in_doubt else Kind.OUTCOME,
        PARLEY if in_doubt else PROVIDER,
        sentence + (f" ({details})" if details else "") + later,
    )


def _seconds(span: timedelta) -> str:
    return f"{max(0, round(span.total_seconds()))} s"


def _around(event: AggregateEvent) -> Told | None:
    told: Told | None = None
    match event:
        case Consent.Created() | Consent.OptedOut():
            told = Told(Kind.CONSENT, CUSTOMER, f"Opted out, known from {_source(event.source)}")
        case Consent.OptedIn():
            told = Told(Kind.CONSENT, CUSTOMER, f"Opted back in, known from {_source(event.source)}")
        case Mapping.Created() | Mapping.Modified():
            settings = event.settings
            kept = "this conversation keeps its chat control and delivery"
            version = event.originator_version
            told = Told(
                Kind.CONFIGURATION, event.by, f"{settings.code} modified to version {version}; {kept}"
            )
        case Mapping.Deleted():
            told = Told(Kind.CONFIGURATION, event.by, "The mapping was deleted")
    return told


def _source(source: str) -> str:
    return "the customer's text" if source == "text" else source
