"""Replay: a conversation as it happened, from the store's events alone.

A `Timeline` tells every event of the conversation and its messages once, and what changed around
it meanwhile: the customer's consent and the mapping. `state_at` is what was true at a moment.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any, TypeVar
from uuid import UUID

from eventsourcing.domain import Aggregate, AggregateEvent

from domain.consent import Consent, consents
from domain.conversations import Conversation, Terms
from domain.errors import NotFound
from domain.ids import Identities
from domain.mapping_settings import MappingSettings
from domain.mappings import Mapping
from domain.message_values import Disposition, Sender
from domain.messages import Message
from domain.plain import event_data, event_type
from domain.ports import EventStore, Recorded
from domain.replay_words import Kind, Told, tell

A = TypeVar("A", bound=Aggregate)
Stream = Sequence[Recorded]


@dataclass(frozen=True)
class Entry:
    """One thing that happened: when, where in the store, who did it, and what, in a sentence for people.

    `type` and `data` are the event's own, for programs; `message_id` names the message it is about.
    """

    at: datetime
    position: int
    kind: Kind
    who: str
    sentence: str
    type: str
    data: dict[str, Any]
    message_id: UUID | None = None


@dataclass(frozen=True)
class AsOf:
    """What was true at a moment. There is no conversation before its start."""

    at: datetime
    conversation: Conversation | None
    messages: tuple[Message, ...]  # in the order in which they came to be
    opted_out: bool


@dataclass(frozen=True)
class Timeline:
    """A conversation from its start to its end, in order."""

    conversation_id: UUID
    our_address: str
    terms: Terms  # what it kept as it began
    configuration: MappingSettings | None  # the mapping's settings in force when it began
    entries: tuple[Entry, ...]
    conversation: Stream
    messages: tuple[Stream, ...]
    consents: tuple[Stream, ...]

    def state_at(self, moment: datetime) -> AsOf:
        """The conversation and its messages as of then."""
        messages = [_fold(Message, until(stream, moment)) for stream in self.messages]
        consents = [_fold(Consent, until(stream, moment)) for stream in self.consents]
        return AsOf(
            at=moment,
            conversation=_fold(Conversation, until(self.conversation, moment)),
            messages=tuple(sorted((each for each in messages if each), key=lambda each: each.created_on)),
            opted_out=any(each.opted_out for each in consents if each),
        )


def until(stream: Stream, moment: datetime) -> list[Recorded]:
    """A stream's events until then. None can have happened before those that it follows."""
    return list(takewhile(lambda recorded: recorded.event.timestamp <= moment, stream))


class Replay:
    """Makes timelines."""

    def __init__(self, store: EventStore, ids: Identities) -> None:
        self._store = store
        self._ids = ids

    def timeline(self, conversation_id: UUID, message_ids: Iterable[UUID]) -> Timeline:
        """The timeline of a conversation, with these messages and those that its own events name.

        Raises NotFound when the store has no such conversation.
        """
        conversation = self._store.stream(conversation_id)
        if not conversation or not isinstance(conversation[0].event, Conversation.Created):
            raise NotFound("there is no conversation with that id")
        started = conversation[0].event
        terms = started.terms
        wanted = dict.fromkeys([*_written(conversation), *message_ids])
        messages = tuple(stream for stream in map(self._store.stream, wanted) if stream)
        mapping = self._store.stream(terms.mapping_id)
        consent = self._consents(conversation)
        entries = [*_of_conversation(conversation, messages), *_of_messages(messages)]
        entries += _around(entries, [*_told_once(consent), *mapping[terms.mapping_version :]], conversation)
        found = _fold(Mapping, mapping[: terms.mapping_version])
        return Timeline(
            conversation_id=conversation_id,
            our_address=started.our_address,
            terms=terms,
            configuration=found.settings if found else None,
            entries=tuple(sorted(entries, key=lambda entry: (entry.at, entry.position))),
            conversation=conversation,
            messages=messages,
            consents=consent,
        )

    def _consents(self, conversation: Stream) -> tuple[Stream, ...]:
        found = _fold(Conversation, conversation)
        return tuple(map(self._store.stream, consents(self._ids, found))) if found else ()


# ── entries ────────────────────────────────────────────────────────────────────────────────────


def _of_conversation(conversation: Stream, messages: Iterable[Stream]) -> Iterator[Entry]:
    """The conversation's events. Where somebody wrote, the text stands in for the bare mention of it."""
    begun = {stream[0].event.originator_id: stream[0].event for stream in messages}
    for recorded in conversation:
        message_id = _message_written(recorded.event)
        text = begun.get(message_id) if message_id else None
        says = text if text and _stands_with_conversation(text) else recorded.event
        yield _made(recorded, tell(says), says, message_id)


def _of_messages(messages: Iterable[Stream]) -> Iterator[Entry]:
    for stream in messages:
        for recorded in stream:
            if not _stands_with_conversation(recorded.event):
                yield _entry(recorded, message_id=recorded.event.originator_id)


def _stands_with_conversation(event: AggregateEvent) -> bool:
    """Whether the conversation's own stream says in the same moment that this text was written."""
    if isinstance(event, Message.Received):
        return event.disposition is not Disposition.UNROUTED and event.conversation_id is not None
    return isinstance(event, Message.Requested) and event.sender is Sender.AGENT


def _around(entries: Iterable[Entry], others: Iterable[Recorded], conversation: Stream) -> Iterator[Entry]:
    """What others did while the conversation lasted, the late news of its messages included."""
    times = [entry.at for entry in entries]
    found = _fold(Conversation, conversation)
    last = None if found and found.is_open else max(times)
    for recorded in others:
        at = recorded.event.timestamp
        if at >= min(times) and (last is None or at <= last):
            yield _entry(recorded)


def _told_once(consents: Iterable[Stream]) -> Iterable[Recorded]:
    """The changes of consent. One towards two scopes is one."""
    changes = [recorded for stream in consents for recorded in stream]
    return {(each.event.timestamp, tell(each.event).sentence): each for each in reversed(changes)}.values()


def _entry(recorded: Recorded, message_id: UUID | None = None) -> Entry:
    return _made(recorded, tell(recorded.event), recorded.event, message_id)


def _made(recorded: Recorded, told: Told, event: AggregateEvent, message_id: UUID | None) -> Entry:
    return Entry(
        at=recorded.event.timestamp,
        position=recorded.position,
        kind=told.kind,
        who=told.who,
        sentence=told.sentence,
        type=event_type(event),
        data=event_data(event),
        message_id=message_id,
    )


def _written(conversation: Stream) -> Iterator[UUID]:
    for recorded in conversation:
        message_id = _message_written(recorded.event)
        if message_id:
            yield message_id


def _message_written(event: AggregateEvent) -> UUID | None:
    match event:
        case Conversation.CustomerWrote() | Conversation.AgentWrote():
            return event.message_id
    return None


# ── state ──────────────────────────────────────────────────────────────────────────────────────


def _fold(kind: type[A], stream: Iterable[Recorded]) -> A | None:
    aggregate: Any = None
    for recorded in stream:
        aggregate = recorded.event.mutate(aggregate)
    return aggregate if isinstance(aggregate, kind) else None
