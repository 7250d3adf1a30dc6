"""About a mapping: its versions, how it does, and whether it would work."""

from contextlib import closing
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Response
from pydantic import BaseModel, Field

from adapters.accounts import Role
from api.answers import Query, answer, blueprint
from api.auth import allow
from api.mapping_documents import MappingAnswer, MappingStatus, changed_fields, mapping_answer, own_name
from api.mappings import MappingPath, present_mapping
from api.problems import WrongField
from api.services import services
from domain.errors import FieldError
from domain.mapping_settings import MappingSettings, Status, problems
from domain.mappings import Mapping
from domain.providers import Provider, SendError
from projections.configuration_queries import ViewLookups
from projections.mapping_status import MappingStatusQueries

mapping_reports = blueprint("mapping reports", "What became of mappings, and how they do.")


class Version(BaseModel):
    """What a mapping was from one change to the next."""

    version: int
    at: datetime
    by: str
    what: str = Field(description="created, modified or deleted")
    changed: list[str] = Field(description="The fields that differ from the version before.")
    settings: MappingAnswer


class History(BaseModel):
    """A mapping's versions, the newest first."""

    items: list[Version]


class SendProblemAnswer(BaseModel):
    """An outbound message that did not go as it should."""

    message_id: UUID
    at: datetime
    status: str
    error_code: str
    detail: str


class StatusReport(BaseModel):
    """How a mapping does."""

    status: MappingStatus
    open_conversations: int
    last_text_in: datetime | None = Field(description="Null: not lately.")
    last_text_out: datetime | None = Field(description="Null: not lately.")
    problems: list[SendProblemAnswer] = Field(description="The last sends that failed, the newest first.")


class Check(BaseModel):
    """What a test of a mapping found."""

    ok: bool
    problems: list[WrongField]


@mapping_reports.get("/mappings/<code>/history", responses={200: History})
@allow(Role.ADMIN)
def mapping_history(path: MappingPath, query: Query) -> Response:
    """List a mapping's versions: who changed what, and when. Deleted mappings have theirs too."""
    versions: list[Version] = []
    before: MappingSettings | None = None
    for recorded in services().store.stream(services().accounts.mapping(path.code).id):
        event: Any = recorded.event
        settings: MappingSettings = (
            before if isinstance(event, Mapping.Deleted) and before else event.settings
        )
        versions.append(_version(event, before, settings))
        before = settings
    return answer(History(items=versions[::-1]))


@mapping_reports.get("/mappings/<code>/status", responses={200: StatusReport})
@allow(Role.ADMIN, Role.ANALYST)
def mapping_status(path: MappingPath, query: Query) -> Response:
    """Show how a mapping does: what is open, when texts came and went last, what went wrong."""
    mapping, views = present_mapping(path.code), services().views
    recent = MappingStatusQueries(views).recent(mapping.id)
    document = StatusReport(
        status=mapping.settings.status,
        open_conversations=ViewLookups(views).open_conversations(path.code),
        last_text_in=recent.last_text_in,
        last_text_out=recent.last_text_out,
        problems=[SendProblemAnswer(**asdict(each)) for each in recent.problems],
    )
    return answer(document)


@mapping_reports.post("/mappings/<code>/test", responses={200: Check})
@allow(Role.ADMIN)
def test_mapping(path: MappingPath) -> Response:
    """Try a mapping's settings, then its account against the provider. Nothing is sent to anybody."""
    mapping = present_mapping(path.code)
    found = [own_name(mapping.settings.kind, each) for each in _check(mapping)]
    wrong = [WrongField(field=each.field, message=each.message) for each in found]
    return answer(Check(ok=not wrong, problems=wrong))


def _version(event: Any, before: MappingSettings | None, settings: MappingSettings) -> Version:
    number = event.originator_version
    provider = services().providers.get(settings.provider_name)
    return Version(
        version=number,
        at=event.timestamp,
        by=event.by,
        what=type(event).__name__.lower(),
        changed=changed_fields(before, settings) if before else [],
        settings=mapping_answer(settings, number, provider, services().accounts.webhook_url(settings.code)),
    )


def _check(mapping: Mapping) -> list[FieldError]:
    settings = replace(mapping.settings, status=Status.ACTIVE)
    provider = services().providers.get(settings.provider_name)
    found = problems(settings, provider)
    if found or provider is None:
        return found
    return provider.check(services().accounts.of(mapping)) or _ask(provider, mapping)


def _ask(provider: Provider, mapping: Mapping) -> list[FieldError]:
    with closing(provider.open(services().accounts.of(mapping))) as carrier:
        try:
            return carrier.check()
        except SendError as error:
            return [FieldError("provider", f"{provider.title} could not be asked: {error.detail}")]
