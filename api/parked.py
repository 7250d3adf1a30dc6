"""Parked facts: what could not be ingested, and what a person decides about each."""

from dataclasses import asdict
from datetime import datetime

from flask import Response
from pydantic import BaseModel, Field

from adapters.accounts import Role
from adapters.event_store.parking import ParkedDecision
from api.answers import LARGEST_NUMBER, Document, Page, PageQuery, Query, answer, blueprint, no_content
from api.auth import allow, current_actor
from api.services import services
from domain.errors import Clash, NotFound, OffsetOutOfRange
from domain.facts import Fact
from projections.pages import behind, cursor_of

parked = blueprint("parked", "Facts that could not be ingested.")


class ParkedPath(BaseModel):
    """Which fact, by its place in the ingress log."""

    partition: int = Field(ge=0, le=LARGEST_NUMBER)
    offset: int = Field(ge=0, le=LARGEST_NUMBER)


class Why(Document):
    """The reason for a decision. It is kept, with who made it."""

    why: str = Field(min_length=1, max_length=500)


class ParkedAnswer(BaseModel):
    """A fact that could not be ingested."""

    partition: int
    offset: int
    reason: str = Field(description="Why it was parked.")


class DecisionAnswer(BaseModel):
    """What became of a parked fact."""

    partition: int
    offset: int
    what: str = Field(description="retried or discarded")
    login: str
    why: str
    at: datetime


class Decisions(BaseModel):
    """The last decisions."""

    items: list[DecisionAnswer]


class ParkedPage(Page[ParkedAnswer]):
    """Parked facts by their place in the log."""


@parked.get("/parked", responses={200: ParkedPage})
@allow(Role.ADMIN)
def list_parked(query: PageQuery) -> Response:
    """List parked facts, by their place in the log."""
    start = behind(query.cursor, [int, int]) if query.cursor else (-1, -1)
    found = [each for each in services().parking.parked() if (each.partition, each.offset) > start]
    shown = found[: query.limit]
    more = cursor_of([shown[-1].partition, shown[-1].offset]) if len(found) > len(shown) else None
    items = [ParkedAnswer(partition=p.partition, offset=p.offset, reason=p.reason) for p in shown]
    return answer(ParkedPage(items=items, next=more))


@parked.get("/parked/decisions", responses={200: Decisions})
@allow(Role.ADMIN)
def list_decisions(query: Query) -> Response:
    """List what people decided lately, the newest first."""
    found = services().parking.decisions(200)
    return answer(Decisions(items=[DecisionAnswer(**asdict(each)) for each in found]))


@parked.post("/parked/<int:partition>/<int:offset>/retry", responses={204: None})
@allow(Role.ADMIN)
def retry_parked(path: ParkedPath, body: Why) -> Response:
    """Give a fact to ingest once more, when what it failed on was put right."""
    _need(path)
    # Accepted first: should the next step fail, it comes twice and counts once.
    services().ingress.accept([_fact(path)])
    return _decided(path, "retried", body.why)


@parked.post("/parked/<int:partition>/<int:offset>/discard", responses={204: None})
@allow(Role.ADMIN)
def discard_parked(path: ParkedPath, body: Why) -> Response:
    """Give a fact up."""
    _need(path)
    return _decided(path, "discarded", body.why)


def _need(path: ParkedPath) -> None:
    if services().parking.parked_at(path.partition, path.offset) is None:
        raise NotFound(f"nothing is parked at {path.partition}/{path.offset}")


def _fact(path: ParkedPath) -> Fact:
    """Raises Clash when the log has it no more, or it cannot be read."""
    try:
        read = services().ingress.read(path.partition, path.offset - 1, 1)
    except OffsetOutOfRange:
        read = []
    if not read or read[0].offset != path.offset:
        raise Clash("the log does not hold it any more: it can only be discarded")
    if read[0].fact is None:
        raise Clash(f"it cannot be read, so it can only be discarded. {read[0].problem}")
    return read[0].fact


def _decided(path: ParkedPath, what: str, why: str) -> Response:
    here, login = services(), current_actor().login
    at = here.clock.now()
    here.parking.decide(ParkedDecision(path.partition, path.offset, what, login, why, at))
    return no_content()
