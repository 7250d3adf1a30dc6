"""The JSON documents of conversations, messages, agents and events: here and nowhere else."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel, Field

from api.mapping_documents import ChatControlDocument, RouteDocument
from domain.agents import AgentStatus
from domain.conversations import EndOutcome, EndReason, Origin, State
from domain.errors import NotFound
from domain.facts import Outcome, ReceiptStatus
from domain.message_values import Disposition, MessageStatus, Purpose, Resolution, Sender
from domain.plain import event_data, event_type
from domain.ports import Recorded
from domain.replay import Stream, Timeline, until
from domain.replay_words import Kind
from domain.values import DeliveryProvider
from projections.as_of import conversation_from, message_from
from projections.desk_queries import AgentView
from projections.history_documents import ConversationView, MessageDetail, MessageView

M = TypeVar("M", bound=BaseModel)


def _taken(kind: type[M], view: object, **others: Any) -> M:
    """A document whose fields are a view's of the same names, apart from these."""
    same = {name: getattr(view, name) for name in kind.model_fields if name not in others}
    return kind(**same, **others)


# ── conversations ──────────────────────────────────────────────────────────────────────────────


class ConversationDocument(BaseModel):
    """A conversation."""

    id: UUID
    state: State
    origin: Origin
    mapping: str = Field(description="The mapping's code.")
    mapping_version: int = Field(description="Of the settings that it began under.")
    delivery_provider: DeliveryProvider
    our_address: str
    display_name: str = Field(description="Of our address, as the mapping has it now.")
    customer: str = Field(description="The customer's address.")
    opted_out: bool = Field(description="The customer may not be texted.")
    queue: str | None
    agent: str | None = Field(description="Who has it, or had it last.")
    outcome: EndOutcome | None
    started_at: datetime
    last_activity_at: datetime
    idle_due_at: datetime | None = Field(description="When it ends unless somebody writes.")
    queued_at: datetime | None
    assigned_at: datetime | None
    first_response_at: datetime | None
    waited_seconds: int
    ended_at: datetime | None
    ended_by: str | None
    end_reason: EndReason | None
    work_code: str | None
    closed: bool = Field(description="A missed or refused one that is off the list.")
    closed_by: str | None
    followed_up_in: UUID | None = Field(description="The conversation in which somebody wrote back.")
    position: int = Field(description="Of its last change.")


def conversation_document(view: ConversationView) -> ConversationDocument:
    """The document of a conversation."""
    return _taken(ConversationDocument, view, mapping=view.mapping_code, customer=view.customer_address)


# ── messages ───────────────────────────────────────────────────────────────────────────────────


class MediaDocument(BaseModel):
    """A picture or file of a message."""

    content_type: str
    size: int | None = Field(description="Octets.")
    problem: str = Field(description="Why it could not be had; empty otherwise.")
    url: str | None = Field(description="Where to get it; null until it has been copied.")


class MessageDocument(BaseModel):
    """A message."""

    id: UUID
    conversation_id: UUID | None
    direction: str = Field(description="`inbound` or `outbound`.")
    sender: str = Field(description="`customer`, `agent` or `system`.")
    agent: str | None
    purpose: Purpose | None = Field(description="Of an outbound one.")
    our_address: str
    customer: str
    text: str
    media: list[MediaDocument]
    at: datetime
    status: MessageStatus
    keyword: str | None = Field(description="STOP, START or HELP, when it is one.")
    disposition: Disposition | None = Field(description="What became of an inbound one.")
    reason: str = Field(description="Why it is unrouted; empty otherwise.")
    expires_at: datetime | None
    attempt: int = Field(description="How many attempts there were.")
    error_code: str | None
    error_detail: str
    resolution: Resolution | None
    resolved_by: str | None
    resolved_why: str | None
    position: int = Field(description="Of its last change.")


class AttemptDocument(BaseModel):
    """One try at handing a message to its provider."""

    attempt: int
    lane: str
    attempted_at: datetime
    send_by: datetime
    outcome: Outcome | None
    settled_at: datetime | None
    provider_message_id: str | None
    error_code: str | None
    detail: str
    retry_at: datetime | None
    reconciled: bool = Field(description="Learnt afterwards, from a receipt or the provider's records.")


class ReceiptDocument(BaseModel):
    """What the provider said of an attempt."""

    attempt: int
    received_at: datetime
    status: ReceiptStatus
    provider_status: str
    error_code: str | None


class MessageDetailDocument(MessageDocument):
    """A message with all that was tried and said."""

    attempts: list[AttemptDocument]
    receipts: list[ReceiptDocument]


def message_document(view: MessageView) -> MessageDocument:
    """The document of a message."""
    return _taken(MessageDocument, view, **_message_fields(view))


def message_detail_document(detail: MessageDetail) -> MessageDetailDocument:
    """The document of a message with its attempts and receipts."""
    return _taken(
        MessageDetailDocument,
        detail.message,
        **_message_fields(detail.message),
        attempts=[_taken(AttemptDocument, each) for each in detail.attempts],
        receipts=[_taken(ReceiptDocument, each) for each in detail.receipts],
    )


class ConversationDetailDocument(ConversationDocument):
    """A conversation with its messages."""

    at: datetime | None = Field(description="As of when; null for now.")
    messages: list[MessageDocument]


def conversation_detail_document(
    view: ConversationView, messages: Iterable[MessageView], at: datetime | None = None
) -> ConversationDetailDocument:
    """The document of a conversation with its messages, as of a moment or now."""
    return _taken(
        ConversationDetailDocument,
        view,
        mapping=view.mapping_code,
        customer=view.customer_address,
        at=at,
        messages=[message_document(each) for each in messages],
    )


def _message_fields(view: MessageView) -> dict[str, Any]:
    return {
        "direction": "inbound" if view.inbound else "outbound",
        "sender": "customer" if view.inbound else str(view.sender or Sender.SYSTEM),
        "customer": view.customer_address,
        "media": [
            _taken(
                MediaDocument,
                each,
                url=f"/api/v1/messages/{view.id}/media/{number}" if each.media_id else None,
            )
            for number, each in enumerate(view.media)
        ],
    }


# ── agents ─────────────────────────────────────────────────────────────────────────────────────


class AgentDocument(BaseModel):
    """An agent as the desks see one."""

    login: str
    name: str
    skills: list[str] = Field(description="Codes of skill queues.")
    status: AgentStatus
    room: int = Field(description="Most conversations at once.")
    in_hand: int = Field(description="How many conversations the agent has now.")
    wrap_up_until: datetime | None
    connected: bool = Field(description="A desk of the agent's is listening.")
    position: int = Field(description="Of the last change.")


def agent_document(view: AgentView) -> AgentDocument:
    """The document of an agent."""
    return _taken(AgentDocument, view, skills=list(view.skills), in_hand=len(view.in_hand))


# ── events ─────────────────────────────────────────────────────────────────────────────────────


class EventDocument(BaseModel):
    """An event as it is stored."""

    id: str = Field(description="The stream's id and the event's number in it.")
    type: str
    at: datetime
    position: int
    data: dict[str, Any]


def event_document(recorded: Recorded) -> EventDocument:
    """The document of an event."""
    event = recorded.event
    return EventDocument(
        id=f"{event.originator_id}:{event.originator_version}",
        type=event_type(event),
        at=event.timestamp,
        position=recorded.position,
        data=event_data(event),
    )


# ── replay ─────────────────────────────────────────────────────────────────────────────────────


class EntryDocument(BaseModel):
    """One thing that happened."""

    at: datetime
    position: int
    kind: Kind
    who: str
    sentence: str
    type: str = Field(description="The event's.")
    data: dict[str, Any] = Field(description="The event's.")
    message_id: UUID | None


class ConfigurationDocument(BaseModel):
    """The configuration that a conversation began under."""

    mapping: str
    mapping_version: int
    delivery_provider: DeliveryProvider
    queue: str | None
    contact_flow: str | None
    chat_control: ChatControlDocument
    provider: str | None
    options: dict[str, str | int | float | bool]
    routes: list[RouteDocument]


class TimelineDocument(BaseModel):
    """Everything that happened in a conversation, in order."""

    conversation_id: UUID
    configuration: ConfigurationDocument
    entries: list[EntryDocument]


def timeline_document(timeline: Timeline) -> TimelineDocument:
    """The document of a timeline."""
    entries = [_taken(EntryDocument, each) for each in timeline.entries]
    return TimelineDocument(
        conversation_id=timeline.conversation_id, configuration=_configuration(timeline), entries=entries
    )


def as_of_document(timeline: Timeline, moment: datetime) -> ConversationDetailDocument:
    """The document of what was true at a moment. Raises NotFound before the conversation's start."""
    found = conversation_from(
        until(timeline.conversation, moment),
        display_name=_display_name(timeline),
        opted_out=timeline.state_at(moment).opted_out,
    )
    if found is None:
        raise NotFound(f"the conversation had not begun at {moment.isoformat()}")
    messages = [message_from(until(stream, moment)) for stream in timeline.messages]
    in_order = sorted((each.message for each in messages if each), key=lambda each: each.sequence)
    return conversation_detail_document(found, in_order, moment)


def events_of(timeline: Timeline) -> list[Recorded]:
    """Every event of a conversation and its messages, in the order of the store."""
    streams: list[Stream] = [timeline.conversation, *timeline.messages]
    return sorted((each for stream in streams for each in stream), key=lambda each: each.position)


def _configuration(timeline: Timeline) -> ConfigurationDocument:
    terms, settings = timeline.terms, timeline.configuration
    control = {name: getattr(terms.chat_control, name) for name in ChatControlDocument.model_fields}
    return ConfigurationDocument(
        mapping=terms.mapping_code,
        mapping_version=terms.mapping_version,
        delivery_provider=terms.delivery_provider,
        queue=terms.queue,
        contact_flow=terms.contact_flow,
        chat_control=ChatControlDocument(**control),
        provider=settings.provider_name if settings else None,
        options=dict(settings.options) if settings else {},
        routes=[RouteDocument(**vars(route)) for route in settings.routes] if settings else [],
    )


def _display_name(timeline: Timeline) -> str:
    our_address = timeline.our_address
    route = timeline.configuration.route(our_address) if timeline.configuration else None
    return route.display_name if route else ""
