"""Messages: one text each, what was tried and said of it, its files, and what a person decides in doubt."""

from uuid import UUID

from flask import Response
from pydantic import BaseModel, Field

from adapters.accounts import Role
from api.access import visible_message
from api.answers import Document, Query, answer, blueprint
from api.auth import allow, current_actor
from api.documents import MessageDetailDocument, message_detail_document
from api.media import file_answer
from api.present import present_message
from api.services import services
from domain.errors import NotFound
from domain.message_values import Resolution

messages = blueprint("messages", "One text each, with its attempts and receipts.")


class MessagePath(BaseModel):
    """Which message."""

    id: UUID


class MediaPath(MessagePath):
    """Which of its pictures or files."""

    number: int = Field(ge=0, le=100, description="Its place in the message's `media`, from 0.")


class Resolve(Document):
    """What is decided about a message in doubt."""

    resolution: Resolution = Field(description="`resend` it, it did go (`sent`), or `drop` it.")
    why: str = Field(min_length=1, max_length=500)


@messages.get("/messages/<id>", responses={200: MessageDetailDocument})
@allow(*Role)
def get_message(path: MessagePath, query: Query) -> Response:
    """Show a message with all that was tried and said."""
    return answer(message_detail_document(visible_message(current_actor(), path.id)))


@messages.post("/messages/<id>/resolve", responses={200: MessageDetailDocument})
@allow(Role.ADMIN, Role.AGENT)
def resolve_message(path: MessagePath, body: Resolve) -> Response:
    """Decide about a message of which nobody knows whether it went; who and why is kept."""
    visible_message(current_actor(), path.id)
    done = services().attention.resolve(current_actor(), path.id, body.resolution, body.why)
    return answer(message_detail_document(present_message(path.id)), position=done.position)


@messages.get("/messages/<id>/media/<number>", responses={200: None})
@allow(*Role)
def get_message_media(path: MediaPath, query: Query) -> Response:
    """A picture or file of a message."""
    media = visible_message(current_actor(), path.id).message.media
    media_id = media[path.number].media_id if path.number < len(media) else None
    if media_id is None:
        raise NotFound("the message has no such picture or file")
    return file_answer(media_id)
