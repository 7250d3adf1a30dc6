"""Statistics: counts by the hour, mapping, number, queue and agent."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from flask import Response
from pydantic import AwareDatetime, BaseModel, Field

from adapters.accounts import Role
from api.answers import Query, answer, blueprint
from api.auth import allow
from api.services import services
from domain.mappings import Mapping
from projections.statistics import Counted, Counts, Dimension, StatisticsQueries

statistics = blueprint("statistics", "Counts by the hour, mapping, number, queue and agent.")


class Group(StrEnum):
    """What counts can be told apart by."""

    HOUR = "hour"
    MAPPING = "mapping"
    NUMBER = "number"
    QUEUE = "queue"
    AGENT = "agent"


_DIMENSIONS = {
    Group.HOUR: Dimension.HOUR,
    Group.MAPPING: Dimension.MAPPING,
    Group.NUMBER: Dimension.NUMBER,
    Group.QUEUE: Dimension.QUEUE,
    Group.AGENT: Dimension.AGENT,
}


class StatisticsQuery(Query):
    """Which counts."""

    from_: AwareDatetime | None = Field(
        default=None, alias="from", description="Hours that begin then or later."
    )
    to: AwareDatetime | None = Field(default=None, description="Hours that begin before.")
    mapping: str | None = Field(default=None, max_length=60, description="A mapping's code.")
    number: str | None = Field(default=None, max_length=60, description="Our number.")
    queue: str | None = Field(default=None, max_length=60)
    agent: str | None = Field(default=None, max_length=60)
    group: list[Group] = Field(default=[], description="Told apart by these; may be repeated.")


class CountsDocument(BaseModel):
    """Counts of one group; what it was not told apart by is null, an empty text means there was none."""

    hour: datetime | None = Field(description="Its beginning.")
    mapping: str | None
    number: str | None
    queue: str | None
    agent: str | None
    inbound: int
    outbound: int
    started: int
    assigned: int
    waited_seconds: int = Field(description="Of those assigned, in queues.")
    responded: int
    response_seconds: int = Field(description="Of those responded to, until the first answer.")
    handled: int
    missed: int
    refused: int
    idle_ended: int
    handling_seconds: int = Field(description="In agents' hands.")


class StatisticsDocument(BaseModel):
    """Counts, a group each."""

    items: list[CountsDocument]


@statistics.get("/statistics", responses={200: StatisticsDocument})
@allow(Role.ADMIN, Role.ANALYST)
def get_statistics(query: StatisticsQuery) -> Response:
    """Count texts and conversations."""
    counted = Counted(
        since=query.from_,
        until=query.to,
        mapping_id=services().ids.mapping(query.mapping) if query.mapping else None,
        number=query.number,
        queue=query.queue,
        agent=query.agent,
    )
    groups = [_DIMENSIONS[each] for each in query.group]
    found = StatisticsQueries(services().views).by_hour(counted, groups)
    codes = _codes({each.mapping_id for each in found if each.mapping_id})
    return answer(StatisticsDocument(items=[_document(each, codes) for each in found]))


def _codes(mapping_ids: set[UUID]) -> dict[UUID, str]:
    loaded = services().store.load(mapping_ids) if mapping_ids else {}
    return {each.id: each.settings.code for each in loaded.values() if isinstance(each, Mapping)}


def _document(counts: Counts, codes: dict[UUID, str]) -> CountsDocument:
    same = {name: getattr(counts, name) for name in CountsDocument.model_fields if name != "mapping"}
    return CountsDocument(**same, mapping=codes.get(counts.mapping_id) if counts.mapping_id else None)
