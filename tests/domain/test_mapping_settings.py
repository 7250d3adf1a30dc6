"""Every field of the three administration screens, in every mode: accepted, needed or refused."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from domain.mapping_settings import (
    MAX_ROUTES,
    AwsMode,
    ChatControl,
    Kind,
    MappingSettings,
    Notice,
    Route,
    Status,
    canonical,
    problems,
)
from domain.providers import Provider
from domain.values import DeliveryProvider
from tests.fakes.provider import FakeProvider

PROVIDER = FakeProvider()
NUMBER = "+15005550006"
SYMBEE, AMAZON = DeliveryProvider.SYMBEE, DeliveryProvider.AMAZON

# Each mode of each screen, filled with all that it needs and nothing more.
_BASE = {
    "code": "M1",
    "status": Status.ACTIVE,
    "default_country": "US",
    "credentials": {"user_name": "AC1"},
    "secrets": {"password": UUID(int=1)},
}
_AWS = {**_BASE, "kind": Kind.AWS_EUM, "connection": "AWS", "region": "us-east-1"}
_QUEUE = {"delivery_provider": SYMBEE, "routes": (Route(NUMBER, "Support", skill_queue="SUPPORT"),)}
_FLOW = {"delivery_provider": AMAZON, "routes": (Route(NUMBER, "Support", contact_flow="flow"),)}
_BARE = {"delivery_provider": AMAZON, "routes": (Route(NUMBER, "Support"),)}
_REST = {**_BASE, "kind": Kind.REST, "provider": "fake"}
_SMPP = {**_BASE, "kind": Kind.SMPP, "host": "smsc.example.com", "port": 2775}
MODES: dict[str, dict[str, Any]] = {
    "pinpoint symbee": {**_AWS, **_QUEUE, "mode": AwsMode.PINPOINT_PROJECT, "project_id": "p"},
    "pinpoint amazon": {**_AWS, **_FLOW, "mode": AwsMode.PINPOINT_PROJECT, "project_id": "p"},
    "sns symbee": {**_AWS, **_QUEUE, "mode": AwsMode.EUM_SNS},
    "sns amazon": {**_AWS, **_FLOW, "mode": AwsMode.EUM_SNS},
    "connect amazon": {**_AWS, **_BARE, "mode": AwsMode.EUM_CONNECT},
    "rest symbee": {**_REST, **_QUEUE},
    "rest amazon": {**_REST, **_FLOW, "connection": "AWS"},
    "smpp symbee": {**_SMPP, **_QUEUE},
    "smpp amazon": {**_SMPP, **_FLOW, "connection": "AWS"},
}
NAMES = list(MODES)
AWS = {name for name in NAMES if name.split()[0] in ("pinpoint", "sns", "connect")}
WITH_AMAZON = {name for name in NAMES if name.endswith("amazon")}
PINPOINT = {"pinpoint symbee", "pinpoint amazon"}
REST, SMPP = {"rest symbee", "rest amazon"}, {"smpp symbee", "smpp amazon"}

# A field: a value for it, the modes it exists in, and those among them that need it.
FIELDS: dict[str, tuple[Any, set[str], set[str]]] = {
    "description": ("Support", set(NAMES), set()),
    "default_country": ("GB", set(NAMES), set(NAMES)),
    "mode": (AwsMode.EUM_SNS, AWS, AWS),
    "region": ("eu-west-1", AWS, AWS),
    "connection": ("AWS", AWS | WITH_AMAZON, AWS | WITH_AMAZON),
    "project_id": ("p", PINPOINT, PINPOINT),
    "configuration_set": ("cs", AWS - PINPOINT, set()),
    "outbound_contact_flow": ("flow", WITH_AMAZON, set()),
    "provider": ("fake", REST, REST),
    "host": ("smsc.example.com", SMPP, SMPP),
    "port": (2775, SMPP, SMPP),
}
EMPTY: dict[str, Any] = {"description": "", "default_country": ""}


def settings(screen: str = "rest symbee", /, **changes: Any) -> MappingSettings:
    return MappingSettings(**{**MODES[screen], **changes})


def wrong(given: MappingSettings, provider: Provider | None = PROVIDER) -> dict[str, str]:
    return {error.field: error.message for error in problems(given, provider)}


def chat(**changes: Any) -> MappingSettings:
    return settings(chat_control=ChatControl(**changes))


def with_route(mode: str = "rest symbee", /, **changes: Any) -> MappingSettings:
    full = settings(mode)
    return replace(full, routes=(replace(full.routes[0], **changes),))


# ── the table: mode × field ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mode", NAMES)
def test_a_complete_mapping_has_no_problems(mode: str) -> None:
    assert wrong(settings(mode)) == {}


@pytest.mark.parametrize("mode", NAMES)
@pytest.mark.parametrize("field", FIELDS)
def test_a_field_is_accepted_where_it_is_relevant_only(mode: str, field: str) -> None:
    value, relevant, _ = FIELDS[field]
    if field == "mode" and mode in relevant:
        return  # every one is among the modes
    found = wrong(settings(mode, **{field: value}))
    assert (field not in found) == (mode in relevant), found
    if mode not in relevant:
        assert found[field].endswith("; leave it out")


@pytest.mark.parametrize("mode", NAMES)
@pytest.mark.parametrize("field", FIELDS)
def test_a_field_is_needed_before_a_mapping_can_be_active(mode: str, field: str) -> None:
    _, relevant, needed = FIELDS[field]
    if mode not in relevant:
        return
    empty = EMPTY.get(field)
    found = wrong(settings(mode, **{field: empty}))
    assert (field in found) == (mode in needed), found
    if mode in needed:
        assert found[field] == "is needed before the mapping can be active"
    draft = wrong(settings(mode, **{field: empty}, status=Status.DRAFT))
    assert {"mode", "project_id"} >= set(draft), "a draft may be incomplete"


@pytest.mark.parametrize("mode", NAMES)
def test_a_route_goes_to_a_queue_or_a_flow_by_the_delivery_provider(mode: str) -> None:
    queue, flow = "routes[0].skill_queue", "routes[0].contact_flow"
    symbee, connect = mode.endswith("symbee"), mode == "connect amazon"
    both = wrong(with_route(mode, skill_queue="SUPPORT", contact_flow="flow"))
    assert (queue in both) == (not symbee)
    assert (flow in both) == (symbee or connect)
    neither = wrong(with_route(mode, skill_queue=None, contact_flow=None))
    assert (queue in neither, flow in neither) == (symbee, not symbee and not connect)
    draft = replace(with_route(mode, skill_queue=None, contact_flow=None), status=Status.DRAFT)
    assert wrong(draft) == {}


@pytest.mark.parametrize("mode", NAMES)
def test_routes_are_at_most_five_on_aws_and_fifteen_elsewhere(mode: str) -> None:
    full = settings(mode)
    most = 5 if mode in AWS else 15
    assert MAX_ROUTES[full.kind] == most
    routes = tuple(
        replace(full.routes[0], address=f"+1500555{number:04}", display_name=f"Number {number}")
        for number in range(most + 1)
    )
    assert wrong(replace(full, routes=routes[:most])) == {}
    assert list(wrong(replace(full, routes=routes))) == ["routes"]


@pytest.mark.parametrize("mode", NAMES)
def test_a_draft_may_consist_of_a_code_alone(mode: str) -> None:
    delivery = AMAZON if mode == "connect amazon" else SYMBEE
    bare = MappingSettings(
        kind=MODES[mode]["kind"], code="M1", mode=MODES[mode].get("mode"), delivery_provider=delivery
    )
    assert wrong(bare) == {}
    assert wrong(bare, None) == {}
    needed = {field for field, (_, _, modes) in FIELDS.items() if mode in modes and field != "mode"}
    if mode.endswith("amazon") and mode not in AWS:
        needed.discard("connection")  # this one is delivered by symbee
    assert needed | {"routes"} <= set(wrong(replace(bare, status=Status.PAUSED)))


def test_connect_integrated_numbers_are_delivered_by_amazon() -> None:
    found = wrong(settings("connect amazon", delivery_provider=SYMBEE))
    assert "Connect owns the chat" in found["delivery_provider"]


def test_eum_connect_is_not_relayed() -> None:
    assert [settings(mode).is_relayed for mode in NAMES].count(False) == 1
    assert not settings("connect amazon").is_relayed


# ── each value by itself ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("code", ["A", "1", "TW-SUPPORT", "A_B-9", "A" * 40])
def test_codes(code: str) -> None:
    assert wrong(settings(code=code)) == {}


@pytest.mark.parametrize("code", ["", "a", "-A", "_A", "A B", "A" * 41, "Ä", "A\n"])
def test_what_is_no_code(code: str) -> None:
    assert list(wrong(settings(code=code))) == ["code"]


@pytest.mark.parametrize(("country", "fine"), [("us", True), ("UK", True), ("XX", False), ("USA", False)])
def test_countries(country: str, fine: bool) -> None:
    assert ("default_country" not in wrong(settings(default_country=country))) == fine


@pytest.mark.parametrize(("port", "fine"), [(1, True), (65535, True), (0, False), (65536, False)])
def test_ports(port: int, fine: bool) -> None:
    assert ("port" not in wrong(settings("smpp symbee", port=port))) == fine


def test_a_description_has_a_length() -> None:
    assert wrong(settings(description="x" * 200)) == {}
    assert list(wrong(settings(description="x" * 201))) == ["description"]


@pytest.mark.parametrize(
    ("minutes", "fine"), [(0, False), (1, True), (10, True), (60, True), (61, False), (-1, False)]
)
def test_idle_timeout_is_between_1_and_60_minutes(minutes: int, fine: bool) -> None:
    assert ("chat_control.idle_timeout_minutes" not in wrong(chat(idle_timeout_minutes=minutes))) == fine


def test_idle_timeout_is_10_minutes_by_default() -> None:
    assert ChatControl().idle_timeout_minutes == 10


@pytest.mark.parametrize(
    ("most", "fine"), [(None, True), (1, True), (100_000, True), (0, False), (-1, False)]
)
def test_maximum_chats(most: int | None, fine: bool) -> None:
    assert ("chat_control.max_chats" not in wrong(chat(max_chats=most))) == fine


@pytest.mark.parametrize("field", ["idle_timeout_message", "max_chats_message"])
def test_messages_have_a_length(field: str) -> None:
    assert wrong(chat(**{field: "x" * 1600})) == {}
    assert list(wrong(chat(**{field: "x" * 1601}))) == [f"chat_control.{field}"]


def test_notices_are_those_that_exist() -> None:
    assert wrong(chat(notices=dict.fromkeys(Notice, "Hello"))) == {}
    assert list(wrong(chat(notices={"hello": ""}))) == ["chat_control.notices.hello"]
    assert list(wrong(chat(notices={"help": "x" * 1601}))) == ["chat_control.notices.help"]


# ── routes ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("address", ["+15005550006", "(500) 555-0006", "12345", "PARLEY"])
def test_addresses_are_numbers_short_codes_and_senders(address: str) -> None:
    assert wrong(with_route(address=address)) == {}


@pytest.mark.parametrize("address", ["", "+1", "not an address"])
def test_what_is_no_address(address: str) -> None:
    assert list(wrong(with_route(address=address))) == ["routes[0].address"]


def test_without_a_country_only_a_number_in_e164_can_be_read() -> None:
    draft = replace(with_route(), status=Status.DRAFT, default_country="")
    assert wrong(draft) == {}
    national = replace(draft, routes=(Route("(500) 555-0006"),))
    assert "give default_country first" in wrong(national)["routes[0].address"]
    assert canonical(national) == national


def test_no_address_or_name_twice() -> None:
    first = Route(NUMBER, "Support", "SUPPORT")
    twice = (first, replace(first, display_name="Other"))
    assert list(wrong(settings(routes=twice))) == ["routes[1].address"]
    namesakes = (first, replace(first, address="+15005550007"))
    assert list(wrong(settings(routes=namesakes))) == ["routes[1].display_name"]


def test_an_active_route_has_a_name_of_some_length() -> None:
    assert list(wrong(with_route(display_name=""))) == ["routes[0].display_name"]
    assert list(wrong(with_route(display_name="x" * 61))) == ["routes[0].display_name"]


def test_the_canonical_form_is_e164() -> None:
    given = settings(
        default_country=" uk ", routes=(Route("07911 123456"), Route("nonsense !"), Route("60001"))
    )
    made = canonical(given)
    assert made.default_country == "GB"
    assert [route.address for route in made.routes] == ["+447911123456", "nonsense !", "60001"]
    assert canonical(made) == made
    assert canonical(replace(given, default_country="XX")).default_country == "XX"


# ── credentials and options ────────────────────────────────────────────────────────────────────────


def test_an_active_mapping_needs_the_credentials_that_its_provider_requires() -> None:
    found = wrong(settings(credentials={}, secrets={}))
    assert set(found) == {"credentials.user_name", "credentials.password"}
    assert wrong(settings(credentials={}, secrets={}, status=Status.DRAFT)) == {}
    assert list(wrong(settings(credentials={"user_name": ""}))) == ["credentials.user_name"]


def test_unknown_credentials_are_refused_and_hidden_ones_never_kept_in_clear() -> None:
    unknown = wrong(settings(credentials={"user_name": "AC1", "pin": "1"}))
    assert unknown == {"credentials.pin": "unknown; this provider has: user_name, password, access_secret"}
    in_clear = wrong(settings(credentials={"user_name": "AC1", "password": "secret"}))
    assert in_clear == {"credentials.password": "is a secret: it must not be kept in clear"}


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("pool", "MG1", None),
        ("pool", 1, "must be of type str"),
        ("segments_per_second", 0.5, None),
        ("segments_per_second", 2, None),
        ("segments_per_second", True, "must be of type float"),
        ("segments_per_second", 0, "must be at least 0.1"),
        ("segments_per_second", 101, "must be at most 100"),
        ("window", 10, None),
        ("window", 1.5, "must be of type int"),
        ("window", True, "must be of type int"),
        ("window", 11, "must be at most 10"),
        ("tls", False, None),
        ("tls", 0, "must be of type bool"),
        ("alphabet", "gsm7", None),
        ("alphabet", "ebcdic", "must be one of gsm7, ucs2"),
        ("nope", 1, "unknown; this provider has: pool, segments_per_second, window, tls, alphabet"),
    ],
)
def test_options_are_checked_by_the_providers_own_schema(
    option: str, value: Any, message: str | None
) -> None:
    assert wrong(settings(options={option: value})) == ({f"options.{option}": message} if message else {})


@pytest.mark.parametrize("mode", NAMES)
def test_without_its_provider_a_mapping_can_only_be_a_draft(mode: str) -> None:
    bare = settings(mode, credentials={}, secrets={})
    (field,) = wrong(bare, None)
    assert field == ("provider" if mode in REST else "kind")
    assert wrong(replace(bare, status=Status.DRAFT), None) == {}


@pytest.mark.parametrize(
    ("mode", "name"),
    [("pinpoint symbee", "aws_eum:pinpoint_project"), ("rest symbee", "fake"), ("smpp symbee", "smpp")],
)
def test_the_provider_that_carries_a_mapping(mode: str, name: str) -> None:
    assert settings(mode).provider_name == name
    assert settings("rest symbee", provider=None).provider_name == ""
    assert settings("sns symbee", mode=None).provider_name == "aws_eum"


@pytest.mark.parametrize("name", ["smpp", "aws_eum", "aws_eum:eum_sns"])
def test_a_rest_mapping_cannot_borrow_the_provider_of_another_kind(name: str) -> None:
    kind = name.partition(":")[0]
    assert wrong(settings(provider=name)) == {
        "provider": f"“{kind}” is a kind of mapping: set kind to it, leave provider out"
    }
