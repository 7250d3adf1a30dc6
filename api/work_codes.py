"""Work codes: how conversations are disposed of."""

from flask import Response
from pydantic import BaseModel

from adapters.accounts import Role
from api.answers import PREFIX, Document, Page, PageQuery, Query, answer, blueprint, created, no_content
from api.auth import allow, current_actor
from api.configuration import found, page_of
from api.services import services
from domain.work_codes import WorkCode
from projections.configuration import Sort

work_codes = blueprint("work codes", "How a conversation was disposed of.")


class WorkCodePath(BaseModel):
    """Which work code."""

    code: str


class WorkCodeChange(Document):
    """What can be changed of a work code."""

    name: str


class NewWorkCode(WorkCodeChange):
    """A work code to add."""

    code: str


class WorkCodeAnswer(BaseModel):
    """A work code as it is."""

    code: str
    name: str


class WorkCodePage(Page[WorkCodeAnswer]):
    """Work codes by code."""


@work_codes.get("/work-codes", responses={200: WorkCodePage})
@allow(*Role)
def list_work_codes(query: PageQuery) -> Response:
    """List work codes, by code."""
    page, following = page_of(WorkCode, Sort.WORK_CODE, services().ids.work_code, query)
    return answer(WorkCodePage(items=[_answer(each) for each in page], next=following))


@work_codes.post("/work-codes", responses={201: WorkCodeAnswer})
@allow(Role.ADMIN)
def add_work_code(body: NewWorkCode) -> Response:
    """Add a work code."""
    done = services().catalogue.put_work_code(current_actor(), body.code, body.name, new=True)
    return created(_document(body.code), f"{PREFIX}/work-codes/{body.code}", done.position)


@work_codes.get("/work-codes/<code>", responses={200: WorkCodeAnswer})
@allow(*Role)
def get_work_code(path: WorkCodePath, query: Query) -> Response:
    """Show a work code."""
    return answer(_document(path.code))


@work_codes.put("/work-codes/<code>", responses={200: WorkCodeAnswer})
@allow(Role.ADMIN)
def modify_work_code(path: WorkCodePath, body: WorkCodeChange) -> Response:
    """Rename a work code."""
    done = services().catalogue.put_work_code(current_actor(), path.code, body.name, new=False)
    return answer(_document(path.code), position=done.position)


@work_codes.delete("/work-codes/<code>", responses={204: None})
@allow(Role.ADMIN)
def delete_work_code(path: WorkCodePath) -> Response:
    """Take a work code off the list; conversations keep it."""
    return no_content(services().catalogue.remove_work_code(current_actor(), path.code).position)


def _document(code: str) -> WorkCodeAnswer:
    return _answer(found(WorkCode, services().ids.work_code(code), f"work code {code}"))


def _answer(work_code: WorkCode) -> WorkCodeAnswer:
    return WorkCodeAnswer(code=work_code.code, name=work_code.name)
