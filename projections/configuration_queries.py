"""What the portal and the API ask of the configuration, and what commands look up."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from database.sql import Row, hexed, like, moment, unpacked
from domain.mapping_settings import Status
from domain.values import DeliveryProvider
from projections.configuration import Sort
from projections.history_tables import IS_OPEN
from projections.pages import Page, behind, page
from projections.views import Views


@dataclass(frozen=True)
class Entry:
    """A mapping, queue, agent, connection, work code or canned reply."""

    sort: Sort
    code: str  # an agent's login
    name: str  # a mapping's description
    kind: str  # of a mapping; empty otherwise
    status: str  # of a mapping; empty otherwise
    settings: dict[str, Any]  # JSON-able; of secrets only the references
    version: int
    removed: bool
    changed_at: datetime
    changed_by: str


@dataclass(frozen=True)
class Listed:
    """Which entries are wanted; what is empty does not matter."""

    search: str = ""  # part of code, name, number or text, whatever its capitals
    kind: str = ""
    status: str = ""


@dataclass(frozen=True)
class RouteView:
    """One of our numbers."""

    address: str
    display_name: str
    mapping_code: str
    status: Status
    delivery_provider: DeliveryProvider
    skill_queue: str | None
    contact_flow: str | None


class ConfigurationQueries:
    """Answers as of the configuration's position."""

    def __init__(self, views: Views) -> None:
        self._views = views

    def get(self, sort: Sort, code: str) -> Entry | None:
        """The entry with this code, removed ones too; None when there never was one."""
        with self._views.reading() as cursor:
            row = cursor.one(
                "SELECT * FROM entries WHERE sort = :sort AND code = :code",
                {"sort": sort.value, "code": code},
            )
        return _entry(row) if row else None

    def list(self, sort: Sort, listed: Listed, cursor: str | None, limit: int) -> Page[Entry]:
        """Entries that have not been removed, by code. Raises Invalid for a cursor of something else."""
        values = {
            "sort": sort.value,
            "code": behind(cursor, (str,))[0] if cursor is not None else "",
            "kind": listed.kind,
            "status": listed.status,
            "search": like(listed.search) if listed.search else "",
            "limit": limit + 1,
        }
        statement = (
            "SELECT * FROM entries WHERE sort = :sort AND removed = 0 AND code > :code"
            " AND (:kind = '' OR kind = :kind) AND (:status = '' OR status = :status)"
            " AND (:search = '' OR folded LIKE :search ESCAPE '!') ORDER BY code LIMIT :limit"
        )
        with self._views.reading() as reader:
            return page(reader.all(statement, values), limit, ("code",), _entry)

    def routes(self) -> tuple[RouteView, ...]:
        """All our numbers, by display name: agents choose by it where a conversation starts from."""
        with self._views.reading() as cursor:
            rows = cursor.all("SELECT * FROM routes ORDER BY display_name, address")
        return tuple(
            RouteView(
                address=row["address"],
                display_name=row["display_name"],
                mapping_code=row["mapping_code"],
                status=Status(row["status"]),
                delivery_provider=DeliveryProvider(row["delivery_provider"]),
                skill_queue=row["skill_queue"],
                contact_flow=row["contact_flow"],
            )
            for row in rows
        )


class ViewLookups:
    """The port `Lookups`, on the tables of the history and the routing view."""

    def __init__(self, views: Views) -> None:
        self._views = views

    def open_conversations(self, mapping_code: str, our_address: str | None = None) -> int:
        statement = f"SELECT COUNT(*) AS found FROM conversations WHERE mapping_code = :code AND {IS_OPEN}"  # noqa: S608 - a constant
        if our_address is not None:
            statement += " AND our_address = :address"
        return self._count(statement, {"code": mapping_code, "address": our_address})

    def open_with_customer(self, customer_id: UUID) -> int:
        statement = f"SELECT COUNT(*) AS found FROM conversations WHERE customer_id = :customer AND {IS_OPEN}"  # noqa: S608 - a constant
        return self._count(statement, {"customer": hexed(customer_id)})

    def waiting_in(self, queue: str) -> int:
        return self._count("SELECT COUNT(*) AS found FROM waiting WHERE queue = :queue", {"queue": queue})

    def _count(self, statement: str, values: Row) -> int:
        with self._views.reading() as cursor:
            row = cursor.one(statement, values)
        return int(row["found"]) if row else 0


def _entry(row: Row) -> Entry:
    return Entry(
        sort=Sort(row["sort"]),
        code=row["code"],
        name=row["name"],
        kind=row["kind"],
        status=row["status"],
        settings=unpacked(row["settings"]),
        version=row["version"],
        removed=bool(row["removed"]),
        changed_at=moment(row["changed_at"]),
        changed_by=row["changed_by"],
    )
