"""Conversations: search, start, answer, transfer, end; and how each came about."""

from typing import Any
from uuid import UUID

from flask import Response
from pydantic import AwareDatetime, BaseModel, Field
from werkzeug.exceptions import PreconditionRequired

from adapters.accounts import Role
from api.access import sees_all, visible_conversation
from api.answers import PREFIX, Document, Page, PageQuery, Query, answer, blueprint, created
from api.auth import allow, current_actor
from api.documents import (
    ConversationDetailDocument,
    ConversationDocument,
    EventDocument,
    MessageDetailDocument,
    MessageDocument,
    TimelineDocument,
    as_of_document,
    conversation_detail_document,
    conversation_document,
    event_document,
    events_of,
    message_detail_document,
    message_document,
    timeline_document,
)
from api.present import check_uploads, present_conversation, present_message
from api.problems import described
from api.services import services
from domain.addresses import AddressError, normalise
from domain.conversations import EndOutcome, State
from domain.desk import Start
from domain.errors import FieldError, Forbidden, Invalid
from domain.mapping_settings import Status
from domain.replay import Replay, Timeline
from domain.values import DeliveryProvider
from projections.configuration_queries import ConfigurationQueries
from projections.history_queries import Filters, HistoryQueries
from projections.pages import behind, cursor_of

conversations = blueprint("conversations", "Sittings between a customer and one of our numbers.")

ALL_MESSAGES = 100_000
"""More than any conversation has."""

_KEYED: dict[str | int, Any] = {428: described(428)}
_WRITERS = (Role.ADMIN, Role.AGENT)


# ── what is sent ───────────────────────────────────────────────────────────────────────────────


class ConversationPath(BaseModel):
    """Which conversation."""

    id: UUID


class ConversationQuery(PageQuery):
    """Which conversations to list; agents see those that they have or had last."""

    customer: str | None = Field(default=None, max_length=60, description="The customer's number, in E.164.")
    number: str | None = Field(default=None, max_length=60, description="Our number.")
    queue: str | None = Field(default=None, max_length=60)
    agent: str | None = Field(default=None, max_length=60)
    state: State | None = None
    outcome: EndOutcome | None = None
    from_: AwareDatetime | None = Field(default=None, alias="from", description="Started then or later.")
    to: AwareDatetime | None = Field(default=None, description="Started before.")
    text: str = Field(default="", max_length=200, description="A part of a message, whatever its capitals.")


class AtQuery(Query):
    """As of when."""

    at: AwareDatetime | None = Field(default=None, description="The state as of this moment; now without it.")


class IdempotencyKey(BaseModel):
    """The caller's own name for what is asked, so that asking again changes nothing."""

    idempotency_key: str | None = Field(
        default=None,
        alias="Idempotency-Key",
        max_length=200,
        description="Any text, new for each message. Needed: without it the answer is 428.",
    )


class NewMessage(Document):
    """A text to send in a conversation."""

    text: str = ""
    media_ids: list[UUID] = Field(default=[], max_length=10, description="Of uploads, at `/media`.")


class NewConversation(NewMessage):
    """A conversation to start. The number it starts from is named by address or by display name."""

    our_address: str | None = None
    origin: str | None = Field(default=None, description="The display name of our number.")
    customer: str = Field(description="The customer's number, read with the mapping's default country.")
    single: bool = Field(default=False, description="A single message: the conversation ends at once.")


class Transfer(Document):
    """Where a conversation is to go: one of the two."""

    queue: str | None = None
    agent: str | None = Field(
        default=None, description="The login of an agent who is available and has room."
    )


class End(Document):
    """How a conversation was disposed of."""

    work_code: str | None = None


# ── what is answered ───────────────────────────────────────────────────────────────────────────


class ConversationPage(Page[ConversationDocument]):
    """Conversations, the newest first."""


class MessagePage(Page[MessageDocument]):
    """Messages in order of coming."""


class EventPage(Page[EventDocument]):
    """Events in the order of the store."""


class StartedDocument(BaseModel):
    """A conversation that was started, and its first message."""

    conversation: ConversationDocument
    message: MessageDetailDocument


# ── reading ────────────────────────────────────────────────────────────────────────────────────


@conversations.get("/conversations", responses={200: ConversationPage})
@allow(*Role)
def search_conversations(query: ConversationQuery) -> Response:
    """Search conversations, the newest first."""
    filters = Filters(
        customer=_address(query.customer),
        number=_address(query.number),
        queue=query.queue,
        agent=_searched_agent(query.agent),
        state=query.state,
        outcome=query.outcome,
        since=query.from_,
        until=query.to,
        text=query.text,
    )
    page = HistoryQueries(services().views).search(filters, query.cursor, query.limit)
    items = [conversation_document(each) for each in page.items]
    return answer(ConversationPage(items=items, next=page.next))


@conversations.get("/conversations/<id>", responses={200: ConversationDetailDocument})
@allow(*Role)
def get_conversation(path: ConversationPath, query: AtQuery) -> Response:
    """Show a conversation with its messages, as it is or as of a moment."""
    found = visible_conversation(current_actor(), path.id)
    if query.at is not None:
        return answer(as_of_document(_timeline(path.id), query.at))
    messages = HistoryQueries(services().views).messages(path.id, limit=ALL_MESSAGES)
    return answer(conversation_detail_document(found, messages))


@conversations.get("/conversations/<id>/messages", responses={200: MessagePage})
@allow(*Role)
def list_messages(path: ConversationPath, query: PageQuery) -> Response:
    """List a conversation's messages, in order of coming."""
    visible_conversation(current_actor(), path.id)
    start = int(behind(query.cursor, (int,))[0]) if query.cursor else -1
    everything = HistoryQueries(services().views).messages(path.id, limit=ALL_MESSAGES)
    found = [each for each in everything if each.sequence > start]
    shown = found[: query.limit]
    more = cursor_of([shown[-1].sequence]) if len(found) > len(shown) else None
    return answer(MessagePage(items=[message_document(each) for each in shown], next=more))


@conversations.get("/conversations/<id>/events", responses={200: EventPage})
@allow(*Role)
def list_events(path: ConversationPath, query: PageQuery) -> Response:
    """List every event of a conversation and its messages."""
    visible_conversation(current_actor(), path.id)
    start = int(behind(query.cursor, (int,))[0]) if query.cursor else -1
    found = [each for each in events_of(_timeline(path.id)) if each.position > start]
    shown = found[: query.limit]
    more = cursor_of([shown[-1].position]) if len(found) > len(shown) else None
    return answer(EventPage(items=[event_document(each) for each in shown], next=more))


@conversations.get("/conversations/<id>/replay", responses={200: TimelineDocument})
@allow(*Role)
def replay_conversation(path: ConversationPath, query: Query) -> Response:
    """Tell everything that happened in a conversation, and under which configuration."""
    visible_conversation(current_actor(), path.id)
    return answer(timeline_document(_timeline(path.id)))


def _timeline(conversation_id: UUID) -> Timeline:
    messages = HistoryQueries(services().views).messages(conversation_id, limit=ALL_MESSAGES)
    return Replay(services().store, services().ids).timeline(conversation_id, [each.id for each in messages])


def _searched_agent(asked: str | None) -> str | None:
    actor = current_actor()
    if sees_all(actor):
        return asked
    if asked not in (None, actor.login):
        raise Forbidden("other agents' conversations are for admins and analysts to search")
    return actor.login


def _address(text: str | None) -> str | None:
    """An address as it is kept. A number with its plus reads the same in every country."""
    if text is None or not text.strip().startswith("+"):
        return text
    try:
        return normalise(text, "US")
    except AddressError:
        return text


# ── commands ───────────────────────────────────────────────────────────────────────────────────


@conversations.post("/conversations", responses={201: StartedDocument, **_KEYED})
@allow(*_WRITERS)
def start_conversation(header: IdempotencyKey, body: NewConversation) -> Response:
    """Start a conversation with a customer, or send a single message."""
    key = _key(header)
    check_uploads(body.media_ids)
    start = Start(
        our_address=_our_address(body),
        customer=body.customer,
        text=body.text,
        single=body.single,
        media_ids=tuple(body.media_ids),
    )
    done = services().desk.start(current_actor(), start, key)
    started = StartedDocument(
        conversation=conversation_document(present_conversation(done.result.conversation_id)),
        message=message_detail_document(present_message(done.result.message_id)),
    )
    return created(started, f"{PREFIX}/conversations/{done.result.conversation_id}", done.position)


@conversations.post("/conversations/<id>/messages", responses={201: MessageDetailDocument, **_KEYED})
@allow(*_WRITERS)
def send_message(path: ConversationPath, header: IdempotencyKey, body: NewMessage) -> Response:
    """Send a text in a conversation that is in one's hands."""
    key = _key(header)
    check_uploads(body.media_ids)
    done = services().desk.reply(current_actor(), path.id, body.text, tuple(body.media_ids), key)
    document = message_detail_document(present_message(done.result))
    return created(document, f"{PREFIX}/messages/{done.result}", done.position)


@conversations.post("/conversations/<id>/transfer", responses={200: ConversationDocument})
@allow(*_WRITERS)
def transfer_conversation(path: ConversationPath, body: Transfer) -> Response:
    """Put a conversation into a queue, or in another agent's hands."""
    if (body.queue is None) == (body.agent is None):
        raise Invalid([FieldError(name, "give either queue or agent") for name in ("queue", "agent")])
    desk, actor = services().desk, current_actor()
    if body.queue is not None:
        done = desk.transfer_to_queue(actor, path.id, body.queue)
    else:
        done = desk.transfer_to_agent(actor, path.id, body.agent or "")
    return _changed(path.id, done.position)


@conversations.post("/conversations/<id>/end", responses={200: ConversationDocument})
@allow(*_WRITERS)
def end_conversation(path: ConversationPath, body: End) -> Response:
    """End a conversation, saying how it was disposed of."""
    return _changed(path.id, services().desk.end(current_actor(), path.id, body.work_code).position)


@conversations.post("/conversations/<id>/dismiss", responses={200: ConversationDocument})
@allow(*_WRITERS)
def dismiss_conversation(path: ConversationPath) -> Response:
    """Take a missed or refused conversation off the list: it needs no answer."""
    visible_conversation(current_actor(), path.id)
    return _changed(path.id, services().attention.dismiss(current_actor(), path.id).position)


def _changed(conversation_id: UUID, position: int) -> Response:
    return answer(conversation_document(present_conversation(conversation_id)), position=position)


def _key(header: IdempotencyKey) -> str:
    key = (header.idempotency_key or "").strip()
    if not key:
        raise PreconditionRequired("send an Idempotency-Key, so that no text goes out twice")
    return key


def _our_address(body: NewConversation) -> str:
    """Raises Invalid when it is named in no way, in two, or by a name that not exactly one number has."""
    if (body.our_address is None) == (body.origin is None):
        raise Invalid(
            [FieldError(name, "give either our_address or origin") for name in ("our_address", "origin")]
        )
    if body.our_address is not None:
        return body.our_address
    named = [
        each.address
        for each in ConfigurationQueries(services().views).routes()
        if each.display_name == body.origin
        and (each.status, each.delivery_provider) == (Status.ACTIVE, DeliveryProvider.SYMBEE)
    ]
    if len(named) != 1:
        count = f"{len(named)} numbers have" if named else "no number has"
        raise Invalid.field("origin", f"{count} that display name; choose the number by our_address")
    return named[0]
