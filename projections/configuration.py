"""Configuration: what admins keep, as it is now; and the numbers agents may start conversations from."""

from collections.abc import Callable, Sequence
from collections.abc import Mapping as MappingOf
from dataclasses import fields, is_dataclass
from enum import Enum, StrEnum
from typing import Any
from uuid import UUID

from eventsourcing.domain import AggregateEvent

from database.sql import Row, Table, folded, hexed, micros, packed, unpacked
from domain.agents import Agent
from domain.canned_replies import CannedReply
from domain.connections import Connection
from domain.mapping_settings import MappingSettings
from domain.mappings import Mapping
from domain.queues import SkillQueue
from domain.work_codes import WorkCode
from projections.projection import Projection
from projections.rows import Rows

ENTRIES = Table(
    "entries",
    key=("id",),
    columns="""
        id TEXT NOT NULL,
        sort TEXT NOT NULL,
        code TEXT NOT NULL,
        name TEXT NOT NULL,
        kind TEXT NOT NULL,
        status TEXT NOT NULL,
        settings TEXT NOT NULL,
        folded TEXT NOT NULL,
        version INTEGER NOT NULL,
        removed INTEGER NOT NULL,
        changed_at BIGINT NOT NULL,
        changed_by TEXT NOT NULL
    """,
    indexes={"entries_by_code": "(sort, code)"},
)

ROUTES = Table(
    "routes",
    key=("address",),
    columns="""
        address TEXT NOT NULL,
        mapping_id TEXT NOT NULL,
        mapping_code TEXT NOT NULL,
        status TEXT NOT NULL,
        delivery_provider TEXT NOT NULL,
        display_name TEXT NOT NULL,
        skill_queue TEXT,
        contact_flow TEXT
    """,
    indexes={"routes_by_mapping": "(mapping_id)"},
)


class Sort(StrEnum):
    """What there are lists of."""

    MAPPING = "mapping"
    QUEUE = "queue"
    AGENT = "agent"
    CONNECTION = "connection"
    WORK_CODE = "work_code"
    CANNED_REPLY = "canned_reply"


class Configuration(Projection):
    """One table for all sorts: the settings are a document, and what lists filter by has columns."""

    name = "configuration"
    version = 1
    tables = (ENTRIES, ROUTES)
    by_stream = (ENTRIES,)

    # ── mappings ───────────────────────────────────────────────────────────────────────────────

    def _mapping(self, rows: Rows, event: Mapping.Created | Mapping.Modified, position: int) -> None:
        settings = event.settings
        self._put(
            rows,
            event,
            sort=Sort.MAPPING.value,
            code=settings.code,
            name=settings.description,
            kind=settings.kind.value,
            status=settings.status.value,
            settings=_plain(settings),
            words=[each for route in settings.routes for each in (route.address, route.display_name)],
        )
        self._put_routes(rows, hexed(event.originator_id), settings)

    def _put_routes(self, rows: Rows, mapping_id: str, settings: MappingSettings) -> None:
        self._drop_routes(rows, mapping_id)
        for route in settings.routes:
            rows.put(
                ROUTES,
                address=route.address,
                mapping_id=mapping_id,
                mapping_code=settings.code,
                status=settings.status.value,
                delivery_provider=settings.delivery_provider.value,
                display_name=route.display_name,
                skill_queue=route.skill_queue,
                contact_flow=route.contact_flow,
            )

    def _deleted(self, rows: Rows, event: Mapping.Deleted, position: int) -> None:
        self._gone(rows, event, position)
        self._drop_routes(rows, hexed(event.originator_id))

    def _drop_routes(self, rows: Rows, mapping_id: str) -> None:
        rows.run("DELETE FROM routes WHERE mapping_id = :mapping_id", {"mapping_id": mapping_id})

    # ── all others ─────────────────────────────────────────────────────────────────────────────

    def _queue(self, rows: Rows, event: SkillQueue.Created, position: int) -> None:
        settings = {"name": event.name, "users": []}
        self._put(rows, event, sort=Sort.QUEUE.value, code=event.code, name=event.name, settings=settings)

    def _work_code(self, rows: Rows, event: WorkCode.Created, position: int) -> None:
        settings = {"name": event.name}
        self._put(rows, event, sort=Sort.WORK_CODE.value, code=event.code, name=event.name, settings=settings)

    def _renamed(self, rows: Rows, event: SkillQueue.Modified | WorkCode.Modified, position: int) -> None:
        self._modify(rows, event, event.name, {"name": event.name})

    def _agent(self, rows: Rows, event: Agent.Created, position: int) -> None:
        settings = _plain(event.settings)
        name = event.settings.name
        self._put(rows, event, sort=Sort.AGENT.value, code=event.login, name=name, settings=settings)

    def _connection(self, rows: Rows, event: Connection.Created, position: int) -> None:
        settings = {**_plain(event.settings), "users": []}
        name = event.settings.name
        self._put(rows, event, sort=Sort.CONNECTION.value, code=event.code, name=name, settings=settings)

    def _resettled(self, rows: Rows, event: Agent.Modified | Connection.Modified, position: int) -> None:
        self._modify(rows, event, event.settings.name, _plain(event.settings))

    def _reply(self, rows: Rows, event: CannedReply.Created, position: int) -> None:
        self._put(
            rows,
            event,
            sort=Sort.CANNED_REPLY.value,
            code=event.code,
            name=event.name,
            settings={"name": event.name, "text": event.text},
            words=[event.text],
        )

    def _rewritten(self, rows: Rows, event: CannedReply.Modified, position: int) -> None:
        settings = {"name": event.name, "text": event.text}
        self._modify(rows, event, event.name, settings, words=[event.text])

    def _user_added(
        self, rows: Rows, event: SkillQueue.UserAdded | Connection.UserAdded, position: int
    ) -> None:
        self._use(rows, event, lambda users: users | {event.user})

    def _user_removed(
        self, rows: Rows, event: SkillQueue.UserRemoved | Connection.UserRemoved, position: int
    ) -> None:
        self._use(rows, event, lambda users: users - {event.user})

    # ── shared ─────────────────────────────────────────────────────────────────────────────────

    def _put(self, rows: Rows, event: Any, *, words: Sequence[str] = (), **values: Any) -> None:
        row = {"kind": "", "status": "", **values, **_stamp(event), "changed_by": event.by}
        row |= {"settings": packed(row["settings"]), "folded": _words(row, words)}
        rows.put(ENTRIES, id=hexed(event.originator_id), removed=0, **row)

    def _modify(self, rows: Rows, event: Any, name: str, settings: Row, *, words: Sequence[str] = ()) -> None:
        row = rows.change(ENTRIES, hexed(event.originator_id), **_stamp(event), name=name, removed=0)
        if row:
            row["changed_by"] = event.by
            row["settings"] = packed({**unpacked(row["settings"]), **settings})
            row["folded"] = _words(row, words)

    def _gone(self, rows: Rows, event: Any, position: int) -> None:
        rows.change(ENTRIES, hexed(event.originator_id), **_stamp(event), removed=1, changed_by=event.by)

    def _use(self, rows: Rows, event: AggregateEvent, change: Callable[[set[str]], set[str]]) -> None:
        row = rows.change(ENTRIES, hexed(event.originator_id), version=event.originator_version)
        if row:
            settings = unpacked(row["settings"])
            row["settings"] = packed({**settings, "users": sorted(change(set(settings["users"])))})

    handlers = {  # noqa: RUF012 - never changed; the base class declares it
        Mapping.Created: _mapping,
        Mapping.Modified: _mapping,
        Mapping.Deleted: _deleted,
        SkillQueue.Created: _queue,
        SkillQueue.Modified: _renamed,
        SkillQueue.UserAdded: _user_added,
        SkillQueue.UserRemoved: _user_removed,
        SkillQueue.Removed: _gone,
        Agent.Created: _agent,
        Agent.Modified: _resettled,
        Agent.Removed: _gone,
        Connection.Created: _connection,
        Connection.Modified: _resettled,
        Connection.UserAdded: _user_added,
        Connection.UserRemoved: _user_removed,
        Connection.Removed: _gone,
        WorkCode.Created: _work_code,
        WorkCode.Modified: _renamed,
        WorkCode.Removed: _gone,
        CannedReply.Created: _reply,
        CannedReply.Modified: _rewritten,
        CannedReply.Removed: _gone,
    }


def _stamp(event: AggregateEvent) -> Row:
    return {"version": event.originator_version, "changed_at": micros(event.timestamp)}


def _words(row: Row, more: Sequence[str]) -> str:
    """What a list's search looks at."""
    return folded("\n".join([row["code"], row["name"], *more]))


def _plain(value: Any) -> Any:
    """Settings as a JSON document."""
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    match value:
        case Enum():
            return value.value
        case UUID():
            return str(value)
        case MappingOf():
            return {key: _plain(each) for key, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
    return value
