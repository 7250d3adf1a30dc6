"""How resources are found: lists by the views' order, each document by the store's present truth."""

from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from eventsourcing.domain import Aggregate

from api.answers import PageQuery
from api.services import services
from domain.errors import NotFound
from projections.configuration import Sort
from projections.configuration_queries import ConfigurationQueries, Listed

A = TypeVar("A", bound=Aggregate)


def found(kind: type[A], id: UUID, what: str) -> A:
    """The aggregate with this id, unless it was removed. Raises NotFound."""
    aggregate = _present(kind, services().store.load({id}).get(id))
    if aggregate is None:
        raise NotFound(f"there is no {what}")
    return aggregate


def page_of(
    kind: type[A], sort: Sort, id_of: Callable[[str], UUID], query: PageQuery, listed: Listed | None = None
) -> tuple[list[A], str | None]:
    """A page of aggregates by code, and the cursor of the next. Raises Invalid for another list's cursor."""
    queries = ConfigurationQueries(services().views)
    page = queries.list(sort, listed or Listed(), query.cursor, query.limit)
    ids = [id_of(entry.code) for entry in page.items]
    loaded = services().store.load(ids)
    # What was removed since the view saw it is left out.
    return [each for one in ids if (each := _present(kind, loaded.get(one)))], page.next


def _present(kind: type[A], aggregate: Aggregate | None) -> A | None:
    gone = getattr(aggregate, "removed", False) or getattr(aggregate, "deleted", False)
    return aggregate if isinstance(aggregate, kind) and not gone else None
