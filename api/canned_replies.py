"""Canned replies: texts that agents send often."""

from flask import Response
from pydantic import BaseModel

from adapters.accounts import Role
from api.answers import PREFIX, Document, Page, PageQuery, Query, answer, blueprint, created, no_content
from api.auth import allow, current_actor
from api.configuration import found, page_of
from api.services import services
from domain.canned_replies import CannedReply
from projections.configuration import Sort

canned_replies = blueprint("canned replies", "Texts that agents send often.")


class CannedReplyPath(BaseModel):
    """Which canned reply."""

    code: str


class CannedReplyChange(Document):
    """What can be changed of a canned reply."""

    name: str
    text: str


class NewCannedReply(CannedReplyChange):
    """A canned reply to add."""

    code: str


class CannedReplyAnswer(BaseModel):
    """A canned reply as it is."""

    code: str
    name: str
    text: str


class CannedReplyPage(Page[CannedReplyAnswer]):
    """Canned replies by code."""


@canned_replies.get("/canned-replies", responses={200: CannedReplyPage})
@allow(*Role)
def list_canned_replies(query: PageQuery) -> Response:
    """List canned replies, by code."""
    page, following = page_of(CannedReply, Sort.CANNED_REPLY, services().ids.canned_reply, query)
    return answer(CannedReplyPage(items=[_answer(each) for each in page], next=following))


@canned_replies.post("/canned-replies", responses={201: CannedReplyAnswer})
@allow(Role.ADMIN)
def add_canned_reply(body: NewCannedReply) -> Response:
    """Add a canned reply."""
    catalogue = services().catalogue
    done = catalogue.put_canned_reply(current_actor(), body.code, body.name, body.text, new=True)
    return created(_document(body.code), f"{PREFIX}/canned-replies/{body.code}", done.position)


@canned_replies.get("/canned-replies/<code>", responses={200: CannedReplyAnswer})
@allow(*Role)
def get_canned_reply(path: CannedReplyPath, query: Query) -> Response:
    """Show a canned reply."""
    return answer(_document(path.code))


@canned_replies.put("/canned-replies/<code>", responses={200: CannedReplyAnswer})
@allow(Role.ADMIN)
def modify_canned_reply(path: CannedReplyPath, body: CannedReplyChange) -> Response:
    """Replace a canned reply's name and text."""
    catalogue = services().catalogue
    done = catalogue.put_canned_reply(current_actor(), path.code, body.name, body.text, new=False)
    return answer(_document(path.code), position=done.position)


@canned_replies.delete("/canned-replies/<code>", responses={204: None})
@allow(Role.ADMIN)
def delete_canned_reply(path: CannedReplyPath) -> Response:
    """Take a canned reply off the list."""
    return no_content(services().catalogue.remove_canned_reply(current_actor(), path.code).position)


def _document(code: str) -> CannedReplyAnswer:
    return _answer(found(CannedReply, services().ids.canned_reply(code), f"canned reply {code}"))


def _answer(reply: CannedReply) -> CannedReplyAnswer:
    return CannedReplyAnswer(code=reply.code, name=reply.name, text=reply.text)
