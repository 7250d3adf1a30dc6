"""A mapping as JSON: its fields follow the specification's screens."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, WithJsonSchema

from api.answers import Document
from domain.administration import MappingDraft
from domain.errors import FieldError, Invalid
from domain.mapping_settings import (
    AwsMode,
    ChatControl,
    KeywordAnswers,
    Kind,
    MappingSettings,
    Route,
    Status,
)
from domain.providers import Provider
from domain.values import DeliveryProvider

_SMPP_CREDENTIALS = ("user", "password")  # at the top of the document, as on the SMPP screen


def _optional(description: str) -> Any:
    """A field that not every kind has: absent from answers where it has no value."""
    return Field(default=None, description=description, exclude_if=lambda value: value is None)


# ── what is sent ───────────────────────────────────────────────────────────────────────────────


class SecretShown(BaseModel):
    """All that is told of a secret. Sent back as it is, the secret stays as it is."""

    model_config = ConfigDict(extra="forbid")

    set: StrictBool


class ChatControlDocument(Document):
    """The rules of a conversation. A conversation keeps those it began with."""

    suppress_system_messages: StrictBool = False
    idle_timeout_minutes: StrictInt = Field(default=10, json_schema_extra={"minimum": 1, "maximum": 60})
    idle_timeout_message: str = Field(default="", description="Blank sends none.")
    max_chats: StrictInt | None = Field(default=None, description="Null: no maximum.")
    max_chats_message: str = Field(default="", description="Blank sends none.")
    keyword_answers: KeywordAnswers = Field(
        default=KeywordAnswers.PROVIDER,
        description="Who answers STOP, START and HELP. Left out: the provider if it does so, else Parley.",
    )
    notices: dict[str, str] = Field(default={}, description="Texts in place of the default notices.")


class RouteDocument(Document):
    """One of a mapping's numbers and where its conversations go."""

    address: str
    display_name: str = ""
    skill_queue: str | None = _optional("With delivery_provider symbee.")
    contact_flow: str | None = _optional("With delivery_provider amazon.")


# Spelled out where they stand: in OpenAPI every name is for the whole document, and these are not the only
# kinds and statuses.
MappingKind = Annotated[Kind, WithJsonSchema({"type": "string", "enum": list(Kind)})]
MappingStatus = Annotated[Status, WithJsonSchema({"type": "string", "enum": list(Status)})]


class MappingFields(BaseModel):
    """What a mapping's document has, sent or answered."""

    kind: MappingKind
    code: str = Field(description="Capital letters, digits, - and _; at most 40.")
    description: str = ""
    status: MappingStatus = Status.DRAFT
    delivery_provider: DeliveryProvider = DeliveryProvider.SYMBEE
    default_country: str = Field(default="", description="ISO 3166-1; UK is taken as GB.")
    provider: str | None = _optional("rest: the provider, such as twilio.")
    mode: AwsMode | None = _optional("aws_eum: how its numbers are configured.")
    connection: str | None = _optional("aws_eum, or delivery_provider amazon.")
    region: str | None = _optional("aws_eum")
    project_id: str | None = _optional("aws_eum in mode pinpoint_project")
    configuration_set: str | None = _optional("aws_eum in an eum mode")
    outbound_contact_flow: str | None = _optional("With delivery_provider amazon.")
    host: str | None = _optional("smpp")
    port: StrictInt | None = _optional("smpp")
    chat_control: ChatControlDocument = ChatControlDocument()
    options: dict[str, str | StrictInt | float | StrictBool] = Field(
        default={}, description="Settings of the provider's own."
    )
    routes: list[RouteDocument] = []


EXAMPLE: dict[str, Any] = {
    "kind": "rest",
    "code": "TW-SUPPORT",
    "description": "Support, US",
    "status": "active",
    "delivery_provider": "symbee",
    "default_country": "US",
    "provider": "twilio",
    "credentials": {
        "user_name": "AC0123456789abcdef0123456789abcdef",
        "password": "the account's Auth Token",
    },
    "chat_control": {
        "suppress_system_messages": False,
        "idle_timeout_minutes": 10,
        "idle_timeout_message": "We have not heard from you for a while, so we close this conversation.",
        "max_chats": None,
        "max_chats_message": "",
    },
    "options": {"segments_per_second": 1},
    "routes": [{"address": "+15005550006", "display_name": "Support", "skill_queue": "SUPPORT"}],
}


class MappingDocument(MappingFields):
    """A mapping as an admin sends it. Only the fields that its kind has are accepted."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": EXAMPLE})

    credentials: dict[str, str | SecretShown | None] = Field(
        default={}, description="rest: of the provider. A secret left out stays, null clears it."
    )
    user: str | None = _optional("smpp")
    password: str | SecretShown | None = _optional("smpp. Left out it stays, null clears it.")

    def draft(self, providers: Mapping[str, Provider]) -> MappingDraft:
        """What the domain makes a mapping of. Raises Invalid for fields that the kind does not have."""
        errors = list(self._misplaced())
        if errors:
            raise Invalid(errors)
        settings = MappingSettings(
            routes=tuple(Route(**dict(route)) for route in self.routes),
            **{name: getattr(self, name) for name in _SIMPLE},
        )
        provider = providers.get(settings.provider_name)
        settings = replace(settings, chat_control=self._chat_control(provider))
        hidden = {each.name for each in provider.credentials if each.hidden} if provider else set()
        clear: dict[str, str] = {}
        secrets: dict[str, str | None] = {}
        for name, value in self._credentials().items():
            if isinstance(value, SecretShown):
                continue  # shown by an answer and sent back: it stays
            if name in hidden:
                secrets[name] = value
            elif value is not None:
                clear[name] = value
        return MappingDraft(replace(settings, credentials=clear), secrets)

    def _chat_control(self, provider: Provider | None) -> ChatControl:
        control = ChatControl(**dict(self.chat_control))
        said = "keyword_answers" in self.chat_control.model_fields_set
        if said or provider is None or provider.answers_keywords:
            return control
        return replace(control, keyword_answers=KeywordAnswers.PARLEY)

    def _misplaced(self) -> Iterator[FieldError]:
        sent = self.model_fields_set
        if self.kind is Kind.SMPP and self.credentials:
            yield FieldError(
                "credentials", "not on an smpp mapping, which has user and password; leave it out"
            )
        if self.kind is not Kind.SMPP:
            for name in _SMPP_CREDENTIALS:
                if name in sent and getattr(self, name) is not None:
                    yield FieldError(name, "only on an smpp mapping; leave it out")
        if self.kind is Kind.AWS_EUM and self.credentials:
            yield FieldError("credentials", "not on an aws_eum mapping, which has a connection; leave it out")

    def _credentials(self) -> dict[str, str | SecretShown | None]:
        if self.kind is not Kind.SMPP:
            return self.credentials
        return {name: getattr(self, name) for name in _SMPP_CREDENTIALS if name in self.model_fields_set}


def own_name(kind: Kind, error: FieldError) -> FieldError:
    """An error that names its field as the kind's documents do."""
    return replace(error, field=error.field.removeprefix("credentials.")) if kind is Kind.SMPP else error


_SIMPLE = tuple(name for name in MappingFields.model_fields if name not in {"chat_control", "routes"})


# ── what is answered ───────────────────────────────────────────────────────────────────────────


class MappingAnswer(MappingFields):
    """A mapping as it is. Fields that its kind does not have are absent."""

    model_config = ConfigDict(json_schema_extra={"required": ["kind", "code", "status", "version"]})

    credentials: dict[str, str | SecretShown] | None = _optional("rest")
    user: str | None = _optional("smpp")
    password: SecretShown | None = _optional("smpp")
    version: int = Field(description="The ETag's number.")
    webhook_url: str | None = _optional("rest: paste it into the provider's console.")


def mapping_answer(
    settings: MappingSettings, version: int, provider: Provider | None, webhook_url: str
) -> MappingAnswer:
    """The document of a mapping as it is now."""
    shown = shown_credentials(settings, provider)
    by_kind: dict[str, Any] = {}
    if settings.kind is Kind.SMPP:
        by_kind = shown
    elif settings.kind is Kind.REST:
        by_kind = {"credentials": shown, "webhook_url": webhook_url}
    return MappingAnswer.model_validate({**_plain(settings), **by_kind, "version": version})


def shown_credentials(settings: MappingSettings, provider: Provider | None) -> dict[str, Any]:
    """A mapping's credentials: those in clear, and of each hidden one whether it is set."""
    names = {each.name for each in provider.credentials if each.hidden} if provider else set()
    names |= settings.secrets.keys()
    return {**settings.credentials, **{name: {"set": name in settings.secrets} for name in sorted(names)}}


def _plain(settings: MappingSettings) -> dict[str, Any]:
    control = settings.chat_control
    return {
        **{name: getattr(settings, name) for name in _SIMPLE},
        "chat_control": {name: getattr(control, name) for name in ChatControlDocument.model_fields},
        "routes": [
            {name: getattr(route, name) for name in RouteDocument.model_fields} for route in settings.routes
        ],
    }


# ── what changed ───────────────────────────────────────────────────────────────────────────────


def changed_fields(old: MappingSettings, new: MappingSettings) -> list[str]:
    """The paths of the fields in which two versions differ; of a secret, only that it does."""
    before, after = dict(_leaves("", _with_references(old))), dict(_leaves("", _with_references(new)))
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def _with_references(settings: MappingSettings) -> dict[str, Any]:
    credentials: dict[str, str | UUID] = {**settings.credentials, **settings.secrets}
    fields = _plain(settings)
    return fields | (credentials if settings.kind is Kind.SMPP else {"credentials": credentials})


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    items: Iterable[tuple[str, Any]]
    if isinstance(value, Mapping) and value:
        items = ((f"{path}.{name}" if path else name, each) for name, each in value.items())
    elif isinstance(value, list) and value:
        items = ((f"{path}[{index}]", each) for index, each in enumerate(value))
    else:
        yield path, value
        return
    for inner, each in items:
        yield from _leaves(inner, each)
