"""What a mapping consists of, field by field, and what makes one valid.

The fields, their limits and when each is relevant follow the three administration screens (AWS End
User Messaging, REST based, SMPP). A draft may be incomplete but never wrong; an active or paused
mapping must be complete.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from uuid import UUID

from domain.addresses import AddressError, country, is_phone, normalise
from domain.errors import FieldError
from domain.providers import Option, OptionValue, Provider, SecretField
from domain.values import DeliveryProvider

CODE = re.compile(r"[A-Z0-9][A-Z0-9_-]{0,39}")
CODE_HELP = "use 1 to 40 capital letters, digits, - and _, starting with a letter or digit"
MESSAGE_CHARACTERS = 1600
NAME_CHARACTERS = 60
DESCRIPTION_CHARACTERS = 200


class Kind(StrEnum):
    """Which of the three screens a mapping belongs to."""

    AWS_EUM = "aws_eum"
    REST = "rest"
    SMPP = "smpp"


class AwsMode(StrEnum):
    """How an AWS mapping's numbers are configured in the AWS account."""

    PINPOINT_PROJECT = "pinpoint_project"
    EUM_SNS = "eum_sns"
    EUM_CONNECT = "eum_connect"


class Status(StrEnum):
    """Whether a mapping takes conversations."""

    DRAFT = "draft"  # may be incomplete; takes nothing
    ACTIVE = "active"
    PAUSED = "paused"  # takes no new conversations, finishes the open ones


class KeywordAnswers(StrEnum):
    """Who answers STOP, START and HELP: never both."""

    PROVIDER = "provider"
    PARLEY = "parley"


class Notice(StrEnum):
    """The automatic texts with a fixed default, each overridable in a mapping."""

    AGENT_JOINED = "agent_joined"
    AGENT_LEFT = "agent_left"
    TRANSFERRED = "transferred"
    ENDED = "ended"
    OPTED_OUT = "opted_out"
    OPTED_IN = "opted_in"
    HELP = "help"


MAX_ROUTES: Mapping[Kind, int] = {Kind.AWS_EUM: 5, Kind.REST: 15, Kind.SMPP: 15}


@dataclass(frozen=True)
class ChatControl:
    """The rules of a conversation. A conversation keeps those it began with."""

    suppress_system_messages: bool = False
    idle_timeout_minutes: int = 10  # 1 to 60
    idle_timeout_message: str = ""  # blank sends none
    max_chats: int | None = None  # None: no maximum
    max_chats_message: str = ""  # blank sends none
    keyword_answers: KeywordAnswers = KeywordAnswers.PROVIDER
    notices: Mapping[str, str] = field(default_factory=dict)  # Notice → text of one's own


@dataclass(frozen=True)
class Route:
    """One of a mapping's numbers and where its conversations go."""

    address: str
    display_name: str = ""
    skill_queue: str | None = None
    contact_flow: str | None = None


@dataclass(frozen=True)
class MappingSettings:
    """All settings of one mapping. Hidden credentials are present only as references."""

    kind: Kind
    code: str
    description: str = ""
    status: Status = Status.DRAFT
    delivery_provider: DeliveryProvider = DeliveryProvider.SYMBEE
    default_country: str = ""
    provider: str | None = None
    mode: AwsMode | None = None
    connection: str | None = None
    region: str | None = None
    project_id: str | None = None
    configuration_set: str | None = None
    outbound_contact_flow: str | None = None
    host: str | None = None
    port: int | None = None
    credentials: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, UUID] = field(default_factory=dict)
    chat_control: ChatControl = field(default_factory=ChatControl)
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()

    @property
    def provider_name(self) -> str:
        """The name under which the provider that carries this mapping is installed."""
        if self.kind is Kind.AWS_EUM:
            return f"{self.kind}:{self.mode}" if self.mode else str(self.kind)
        return self.provider or "" if self.kind is Kind.REST else str(self.kind)

    @property
    def is_relayed(self) -> bool:
        """False where Amazon Connect owns the number, the flow and the chat (`eum_connect`)."""
        return self.mode is not AwsMode.EUM_CONNECT

    def route(self, address: str) -> Route | None:
        """The route of one of our addresses."""
        return next((route for route in self.routes if route.address == address), None)


def problems(settings: MappingSettings, provider: Provider | None) -> list[FieldError]:
    """Everything that is wrong with a mapping, given the provider that its name resolves to."""
    found = list(_form(settings))
    found += _relevance(settings)
    found += _credentials_and_options(settings, provider)
    if settings.status is not Status.DRAFT:
        found += _completeness(settings, provider)
    return found


def canonical(settings: MappingSettings) -> MappingSettings:
    """The same settings with country and addresses in their canonical form, where they can be read."""
    try:
        home = country(settings.default_country) if settings.default_country else ""
    except ValueError:
        return settings
    routes = tuple(replace(route, address=_readable(route.address, home)) for route in settings.routes)
    return replace(settings, default_country=home, routes=routes)


def _readable(address: str, home: str) -> str:
    try:
        return normalise(address, home)
    except ValueError:  # no address, or no country to read it with
        return address


# ── each value by itself ───────────────────────────────────────────────────────────────────────


def _form(settings: MappingSettings) -> Iterator[FieldError]:
    if not CODE.fullmatch(settings.code):
        yield FieldError("code", CODE_HELP)
    if len(settings.description) > DESCRIPTION_CHARACTERS:
        yield FieldError("description", f"at most {DESCRIPTION_CHARACTERS} characters")
    if settings.default_country:
        try:
            country(settings.default_country)
        except ValueError as error:
            yield FieldError("default_country", str(error))
    if settings.port is not None and not 1 <= settings.port <= 65535:
        yield FieldError("port", "must be between 1 and 65535")
    yield from _chat_control_form(settings.chat_control)
    yield from _routes_form(settings)


def _chat_control_form(control: ChatControl) -> Iterator[FieldError]:
    if not 1 <= control.idle_timeout_minutes <= 60:
        yield FieldError("chat_control.idle_timeout_minutes", "must be between 1 and 60 minutes")
    if control.max_chats is not None and not 1 <= control.max_chats <= 100_000:
        yield FieldError("chat_control.max_chats", "must be between 1 and 100000, or null for no maximum")
    texts = {
        "idle_timeout_message": control.idle_timeout_message,
        "max_chats_message": control.max_chats_message,
    }
    texts |= {f"notices.{name}": text for name, text in control.notices.items()}
    for name, text in texts.items():
        if len(text) > MESSAGE_CHARACTERS:
            yield FieldError(f"chat_control.{name}", f"at most {MESSAGE_CHARACTERS} characters")
    for name in control.notices:
        if name not in set(Notice):
            yield FieldError(f"chat_control.notices.{name}", f"unknown; there are {', '.join(Notice)}")


def _routes_form(settings: MappingSettings) -> Iterator[FieldError]:
    most = MAX_ROUTES[settings.kind]
    if len(settings.routes) > most:
        yield FieldError("routes", f"at most {most} on a {settings.kind} mapping, not {len(settings.routes)}")
    addresses: set[str] = set()
    names: set[str] = set()
    for index, route in enumerate(settings.routes):
        at = f"routes[{index}]"
        if message := _address_problem(route.address, settings.default_country):
            yield FieldError(f"{at}.address", message)
        if route.address in addresses:
            yield FieldError(f"{at}.address", f"{route.address} is on this mapping twice")
        if route.display_name and route.display_name in names:
            yield FieldError(f"{at}.display_name", f"“{route.display_name}” is on this mapping twice")
        if len(route.display_name) > NAME_CHARACTERS:
            yield FieldError(f"{at}.display_name", f"at most {NAME_CHARACTERS} characters")
        addresses.add(route.address)
        names.add(route.display_name)


def _address_problem(address: str, home: str) -> str | None:
    try:
        home = country(home)
    except ValueError:
        # Of the country there is an error of its own; a number in E.164 needs none.
        needs_home = "give default_country first, or write the number in international form"
        return None if is_phone(address) else needs_home
    try:
        normalise(address, home)
    except AddressError as error:
        return str(error)
    return None


# ── fields that exist only in some modes ───────────────────────────────────────────────────────


def _relevance(settings: MappingSettings) -> Iterator[FieldError]:
    aws = settings.kind is Kind.AWS_EUM
    amazon = settings.delivery_provider is DeliveryProvider.AMAZON
    pinpoint = settings.mode is AwsMode.PINPOINT_PROJECT
    only = {
        "provider": (settings.kind is Kind.REST, "only on a rest mapping"),
        "mode": (aws, "only on an aws_eum mapping"),
        "region": (aws, "only on an aws_eum mapping"),
        "project_id": (aws and pinpoint, "only on an aws_eum mapping in mode pinpoint_project"),
        "configuration_set": (aws and not pinpoint, "only on an aws_eum mapping in an eum mode"),
        "connection": (aws or amazon, "only on an aws_eum mapping or with delivery_provider amazon"),
        "outbound_contact_flow": (amazon, "only with delivery_provider amazon"),
        "host": (settings.kind is Kind.SMPP, "only on an smpp mapping"),
        "port": (settings.kind is Kind.SMPP, "only on an smpp mapping"),
    }
    for name, (relevant, message) in only.items():
        if not relevant and getattr(settings, name) is not None:
            yield FieldError(name, f"{message}; leave it out")
    other = (settings.provider or "").partition(":")[0]
    if settings.kind is Kind.REST and other in set(Kind):
        yield FieldError("provider", f"“{other}” is a kind of mapping: set kind to it, leave provider out")
    if settings.mode is AwsMode.EUM_CONNECT and not amazon:
        yield FieldError("delivery_provider", "must be amazon in mode eum_connect: Connect owns the chat")
    for index, route in enumerate(settings.routes):
        if amazon and route.skill_queue is not None:
            yield FieldError(
                f"routes[{index}].skill_queue", "only with delivery_provider symbee; leave it out"
            )
        if route.contact_flow is not None and not (amazon and settings.is_relayed):
            message = "only with delivery_provider amazon and not in mode eum_connect; leave it out"
            yield FieldError(f"routes[{index}].contact_flow", message)


# ── what the provider declares ─────────────────────────────────────────────────────────────────


def _credentials_and_options(settings: MappingSettings, provider: Provider | None) -> Iterator[FieldError]:
    declared: tuple[SecretField, ...] = provider.credentials if provider else ()
    hidden = {each.name for each in declared if each.hidden}
    clear = {each.name for each in declared if not each.hidden}
    known = ", ".join(each.name for each in declared) or "none"
    for name in [*settings.credentials, *settings.secrets]:
        if name not in hidden | clear:
            yield FieldError(f"credentials.{name}", f"unknown; this provider has: {known}")
    for name in hidden.intersection(settings.credentials):
        yield FieldError(f"credentials.{name}", "is a secret: it must not be kept in clear")
    options = {option.name: option for option in provider.options} if provider else {}
    for name, value in settings.options.items():
        if name not in options:
            yield FieldError(f"options.{name}", f"unknown; this provider has: {', '.join(options) or 'none'}")
        elif message := _option_problem(options[name], value):
            yield FieldError(f"options.{name}", message)


def _option_problem(option: Option, value: OptionValue) -> str | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = number if option.kind is float else type(value) is option.kind
    if not fits:
        return f"must be of type {option.kind.__name__}"
    if option.choices and value not in option.choices:
        return f"must be one of {', '.join(option.choices)}"
    if isinstance(value, int | float):
        if option.minimum is not None and value < option.minimum:
            return f"must be at least {option.minimum:g}"
        if option.maximum is not None and value > option.maximum:
            return f"must be at most {option.maximum:g}"
    return None


# ── what an active mapping needs ───────────────────────────────────────────────────────────────


def _completeness(settings: MappingSettings, provider: Provider | None) -> Iterator[FieldError]:
    amazon = settings.delivery_provider is DeliveryProvider.AMAZON
    needed = {
        Kind.REST: ["provider"],
        Kind.SMPP: ["host", "port"],
        Kind.AWS_EUM: ["mode", "connection", "region"],
    }[settings.kind] + ["default_country"]
    if settings.mode is AwsMode.PINPOINT_PROJECT:
        needed.append("project_id")
    if amazon and "connection" not in needed:
        needed.append("connection")
    missing = [name for name in needed if not getattr(settings, name)]
    for name in missing:
        yield FieldError(name, f"is needed before the mapping can be {settings.status}")
    if provider is None and not {"provider", "mode"} & set(missing):
        yield FieldError(*_not_installed(settings))
    for each in provider.credentials if provider else ():
        if each.required and not (settings.credentials.get(each.name) or each.name in settings.secrets):
            yield FieldError(
                f"credentials.{each.name}", f"is needed before the mapping can be {settings.status}"
            )
    yield from _routes_completeness(settings, amazon=amazon)


def _not_installed(settings: MappingSettings) -> tuple[str, str]:
    name = "provider" if settings.kind is Kind.REST else "kind"
    return (
        name,
        f"no provider “{settings.provider_name}” is installed here, so the mapping can only be a draft",
    )


def _routes_completeness(settings: MappingSettings, *, amazon: bool) -> Iterator[FieldError]:
    if not settings.routes:
        yield FieldError("routes", "at least one number is needed")
    for index, route in enumerate(settings.routes):
        if not route.display_name:
            yield FieldError(f"routes[{index}].display_name", "is needed: agents choose the number by it")
        if not amazon and not route.skill_queue:
            yield FieldError(f"routes[{index}].skill_queue", "is needed: where do its conversations go?")
        if amazon and settings.is_relayed and not route.contact_flow:
            yield FieldError(f"routes[{index}].contact_flow", "is needed: where do its conversations go?")
