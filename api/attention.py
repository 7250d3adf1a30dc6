"""What waits for a person: missed and refused conversations, texts without a route, messages in doubt."""

from uuid import UUID

from flask import Response
from pydantic import BaseModel, Field

from adapters.accounts import Role
from api.access import may_see_message, sees_all, skills_of
from api.answers import Page, PageQuery, answer, blueprint
from api.auth import allow, current_actor
from api.documents import (
    ConversationDocument,
    MessageDetailDocument,
    MessageDocument,
    conversation_document,
    message_detail_document,
    message_document,
)
from api.present import present_message
from api.services import services
from projections.history_queries import HistoryQueries

attention = blueprint("attention", "What waits for a person.")


class MissedQuery(PageQuery):
    """Of which queue."""

    queue: str | None = Field(default=None, max_length=60)


class UnroutedPath(BaseModel):
    """Which text."""

    id: UUID


class MissedPage(Page[ConversationDocument]):
    """Conversations, the oldest first."""


class WaitingMessagePage(Page[MessageDocument]):
    """Messages, the oldest first. A page may have fewer than `limit`: others are not the caller's to see."""


@attention.get("/missed", responses={200: MissedPage})
@allow(*Role)
def list_missed(query: MissedQuery) -> Response:
    """List missed and refused conversations that nobody has seen to; agents see those of their queues."""
    actor = current_actor()
    queues = [query.queue] if query.queue else []
    if not sees_all(actor):
        queues = [each for each in skills_of(actor) if query.queue in (None, each)]
        if not queues:  # the view takes none for all
            return answer(MissedPage(items=[], next=None))
    page = HistoryQueries(services().views).missed(queues, query.cursor, query.limit)
    return answer(MissedPage(items=[conversation_document(each) for each in page.items], next=page.next))


@attention.get("/unrouted", responses={200: WaitingMessagePage})
@allow(Role.ADMIN, Role.ANALYST)
def list_unrouted(query: PageQuery) -> Response:
    """List texts to numbers that no route has."""
    page = HistoryQueries(services().views).unrouted(query.cursor, query.limit)
    return answer(WaitingMessagePage(items=[message_document(each) for each in page.items], next=page.next))


@attention.post("/unrouted/<id>/route", responses={200: MessageDetailDocument})
@allow(Role.ADMIN)
def route_unrouted(path: UnroutedPath) -> Response:
    """Route a text after the fix, as if it came now."""
    done = services().attention.route_again(current_actor(), path.id)
    return answer(message_detail_document(present_message(path.id)), position=done.position)


@attention.get("/in-doubt", responses={200: WaitingMessagePage})
@allow(*Role)
def list_in_doubt(query: PageQuery) -> Response:
    """List messages of which nobody knows whether they went; agents see those of their conversations."""
    actor = current_actor()
    page = HistoryQueries(services().views).in_doubt(query.cursor, query.limit)
    items = [message_document(each) for each in page.items if may_see_message(actor, each)]
    return answer(WaitingMessagePage(items=items, next=page.next))
