"""Skill queues."""

from flask import Response
from pydantic import BaseModel, Field

from adapters.accounts import Role
from api.answers import PREFIX, Document, Page, PageQuery, Query, answer, blueprint, created, no_content
from api.auth import allow, current_actor
from api.configuration import found, page_of
from api.services import services
from domain.queues import SkillQueue
from projections.configuration import Sort

queues = blueprint("queues", "Where conversations wait for an agent with the skill.")


class QueuePath(BaseModel):
    """Which queue."""

    code: str


class QueueChange(Document):
    """What can be changed of a queue."""

    name: str


class NewQueue(QueueChange):
    """A queue to add."""

    code: str


class QueueAnswer(BaseModel):
    """A queue as it is."""

    code: str
    name: str
    users: list[str] = Field(description="The mappings and agents that name it.")


class QueuePage(Page[QueueAnswer]):
    """Queues by code."""


@queues.get("/queues", responses={200: QueuePage})
@allow(*Role)
def list_queues(query: PageQuery) -> Response:
    """List skill queues, by code."""
    page, following = page_of(SkillQueue, Sort.QUEUE, services().ids.queue, query)
    return answer(QueuePage(items=[_answer(each) for each in page], next=following))


@queues.post("/queues", responses={201: QueueAnswer})
@allow(Role.ADMIN)
def add_queue(body: NewQueue) -> Response:
    """Add a skill queue."""
    done = services().catalogue.put_queue(current_actor(), body.code, body.name, new=True)
    return created(_document(body.code), f"{PREFIX}/queues/{body.code}", done.position)


@queues.get("/queues/<code>", responses={200: QueueAnswer})
@allow(*Role)
def get_queue(path: QueuePath, query: Query) -> Response:
    """Show a skill queue."""
    return answer(_document(path.code))


@queues.put("/queues/<code>", responses={200: QueueAnswer})
@allow(Role.ADMIN)
def modify_queue(path: QueuePath, body: QueueChange) -> Response:
    """Rename a skill queue."""
    done = services().catalogue.put_queue(current_actor(), path.code, body.name, new=False)
    return answer(_document(path.code), position=done.position)


@queues.delete("/queues/<code>", responses={204: None})
@allow(Role.ADMIN)
def delete_queue(path: QueuePath) -> Response:
    """Remove a skill queue. Refused while mappings or agents name it, or conversations wait in it."""
    return no_content(services().catalogue.remove_queue(current_actor(), path.code).position)


def _document(code: str) -> QueueAnswer:
    return _answer(found(SkillQueue, services().ids.queue(code), f"queue {code}"))


def _answer(queue: SkillQueue) -> QueueAnswer:
    return QueueAnswer(code=queue.code, name=queue.name, users=sorted(queue.users))
