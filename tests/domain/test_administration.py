"""What admins do with mappings: claims, queues, connections, versions, secrets, moves."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from domain.administration import MappingDraft, VersionMismatch
from domain.connections import Connection, ConnectionSettings
from domain.conversations import Conversation
from domain.errors import Clash, Invalid, NotFound
from domain.facts import Outcome, ReceiptStatus
from domain.mapping_settings import ChatControl, Kind, MappingSettings, Route, Status
from domain.mappings import Claim, Mapping
from domain.messages import Message
from domain.queues import SkillQueue
from domain.values import DeliveryProvider
from tests.domain.given import ADMIN, ANA, CUSTOMER, MAPPING, MINUTE, OTHER, OURS, OURS_TOO, Stage, one, then

SUPPORT = Route(OURS, "Support", "SUPPORT")
SALES = Route(OURS_TOO, "Sales", "SALES")
SECOND_MAPPING = replace(MAPPING, code="TW-2", description="Second", routes=(SALES,))
SECRETS = {"password": "secret"}


def mapping(stage: Stage, code: str = "TW") -> Mapping:
    return stage.get(Mapping, stage.ids.mapping(code))


def owner(stage: Stage, address: str) -> str | None:
    return stage.get(Claim, stage.ids.claim(address)).owner


def users(stage: Stage, queue: str) -> frozenset[str]:
    return stage.get(SkillQueue, stage.ids.queue(queue)).users


def fields(error: pytest.ExceptionInfo[Invalid]) -> list[str]:
    return [each.field for each in error.value.errors]


@pytest.fixture
def empty() -> Stage:
    """No mapping yet."""
    return Stage(mapping=None)


@pytest.fixture
def two(stage: Stage) -> Stage:
    """A second mapping, with another number."""
    stage.administration.add(ADMIN, MappingDraft(SECOND_MAPPING, SECRETS))
    return stage


# ── add ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_mapping_takes_up_its_numbers_and_queues(empty: Stage) -> None:
    events = empty.when(lambda: empty.administration.add(ADMIN, MappingDraft(MAPPING, SECRETS)))
    then(events, Mapping.Created, Claim.Created, SkillQueue.UserAdded)
    assert one(events, Mapping.Created).by == "root"
    assert owner(empty, OURS) == "TW"
    assert users(empty, "SUPPORT") == {"mapping TW"}


def test_numbers_and_country_are_kept_in_canonical_form(empty: Stage) -> None:
    route = Route("(500) 555-0006", "Support", "SUPPORT")
    draft = MappingDraft(replace(MAPPING, default_country="us", routes=(route,)), SECRETS)
    assert empty.administration.add(ADMIN, draft).result == 1
    assert mapping(empty).settings.routes[0].address == OURS
    assert mapping(empty).settings.default_country == "US"


def test_a_code_is_used_once(stage: Stage) -> None:
    with pytest.raises(Clash, match="TW belongs to another mapping") as caught:
        stage.administration.add(ADMIN, MappingDraft(replace(MAPPING, routes=(SALES,)), SECRETS))
    assert caught.value.field == "code"


def test_a_taken_number_is_refused_naming_its_owner(stage: Stage) -> None:
    draft = MappingDraft(replace(SECOND_MAPPING, routes=(SALES, SUPPORT)), SECRETS)
    with pytest.raises(Clash, match=f"\\{OURS} belongs to mapping TW; remove or move it") as caught:
        stage.administration.add(ADMIN, draft)
    assert caught.value.field == "routes[1].address"
    assert stage.find(Claim, stage.ids.claim(OURS_TOO)) is None, "nothing was saved"


@pytest.mark.parametrize("queue", ["NOPE", "OLD"])
def test_a_queue_has_to_exist(empty: Stage, queue: str) -> None:
    empty.catalogue.put_queue(ADMIN, "OLD", "Old", new=True)
    empty.catalogue.remove_queue(ADMIN, "OLD")
    draft = MappingDraft(replace(MAPPING, routes=(Route(OURS, "Support", queue),)), SECRETS)
    with pytest.raises(Invalid, match=f"there is no queue {queue}") as caught:
        empty.administration.add(ADMIN, draft)
    assert fields(caught) == ["routes[0].skill_queue"]


def test_everything_wrong_is_said_at_once_and_nothing_kept(empty: Stage) -> None:
    control = ChatControl(idle_timeout_minutes=0)
    wrong = replace(MAPPING, code="bad", chat_control=control, credentials={})
    with pytest.raises(Invalid) as caught:
        empty.administration.add(ADMIN, MappingDraft(wrong, SECRETS))
    assert set(fields(caught)) == {"code", "chat_control.idle_timeout_minutes", "credentials.user_name"}
    assert empty.secrets.kept == {}
    assert empty.find(Mapping, empty.ids.mapping("bad")) is None


def test_the_provider_has_its_say(empty: Stage) -> None:
    with pytest.raises(Invalid) as caught:
        empty.administration.add(ADMIN, MappingDraft(MAPPING, {"password": "wrong"}))
    assert fields(caught) == ["credentials.password"]
    draft = replace(MAPPING, status=Status.DRAFT)
    empty.administration.add(ADMIN, MappingDraft(draft, {"password": "wrong"}))


def test_a_draft_without_a_country_can_be_kept(empty: Stage) -> None:
    draft = MappingSettings(kind=Kind.REST, code="NEW", routes=(Route(OURS),))
    empty.administration.add(ADMIN, MappingDraft(draft))
    assert owner(empty, OURS) == "NEW"


# ── modify ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_modification_frees_what_it_no_longer_names(stage: Stage) -> None:
    events = stage.when(lambda: stage.change(routes=(SALES,)))
    then(
        events,
        Mapping.Modified,
        Claim.Created,
        Claim.Released,
        SkillQueue.UserAdded,
        SkillQueue.UserRemoved,
    )
    assert (owner(stage, OURS), owner(stage, OURS_TOO)) == (None, "TW")
    assert users(stage, "SUPPORT") == frozenset()
    assert users(stage, "SALES") == {"mapping TW"}
    then(
        stage.when(lambda: stage.change(routes=(SUPPORT, SALES))),
        Mapping.Modified,
        Claim.Taken,
        SkillQueue.UserAdded,
    )


def test_the_same_again_changes_nothing(stage: Stage) -> None:
    then(stage.when(stage.change))
    assert mapping(stage).version == 1


def test_versions_guard_against_overwriting(stage: Stage) -> None:
    draft = MappingDraft(replace(MAPPING, description="changed"))
    assert stage.administration.modify(ADMIN, draft, 1).result == 2
    with pytest.raises(VersionMismatch, match="it is at version 2"):
        stage.administration.modify(ADMIN, draft, 1)
    with pytest.raises(VersionMismatch):
        stage.administration.delete(ADMIN, "TW", 1)
    stage.administration.delete(ADMIN, "TW", 2)


def test_a_mapping_that_is_not_there(stage: Stage) -> None:
    with pytest.raises(NotFound, match="no mapping TW-2"):
        stage.administration.modify(ADMIN, MappingDraft(SECOND_MAPPING, SECRETS), None)
    assert list(stage.secrets.kept.values()) == ["secret"]
    with pytest.raises(NotFound):
        stage.administration.delete(ADMIN, "TW-2", None)
    with pytest.raises(NotFound):
        stage.administration.duplicate(ADMIN, "TW-2", "TW-3")


def test_the_kind_stays(stage: Stage) -> None:
    other = MappingSettings(kind=Kind.SMPP, code="TW")
    with pytest.raises(Invalid, match="cannot be changed; it is rest") as caught:
        stage.administration.modify(ADMIN, MappingDraft(other, dict.fromkeys(SECRETS)), None)
    assert fields(caught) == ["kind"]


def test_a_route_in_use_is_not_removed(stage: Stage) -> None:
    stage.change(routes=(SUPPORT, SALES))
    stage.text()
    stage.text(customer=OTHER)
    with pytest.raises(Clash, match=f"\\{OURS} has 2 conversations open") as caught:
        stage.change(routes=(SALES,))
    assert caught.value.field == "routes"
    stage.change(routes=(SUPPORT,))  # the other one is free
    stage.change(routes=(replace(SUPPORT, display_name="Help", skill_queue="SALES"),))
    stage.clock.advance(10 * MINUTE)
    for customer in (CUSTOMER, OTHER):
        stage.idle(stage.conversation(customer).id)
    stage.change(routes=(SALES,))


def test_a_modification_takes_effect_for_what_begins_after_it(stage: Stage) -> None:
    stage.text()
    stage.change(routes=(replace(SUPPORT, skill_queue="SALES"),))
    stage.text(customer=OTHER)
    assert stage.conversation().terms.queue == "SUPPORT"
    assert stage.conversation(OTHER).terms.queue == "SALES"
    assert (stage.conversation().terms.mapping_version, stage.conversation(OTHER).terms.mapping_version) == (
        1,
        2,
    )


# ── connections ────────────────────────────────────────────────────────────────────────────────────


def test_a_connection_knows_its_mappings(stage: Stage) -> None:
    for code in ("AWS", "AWS-2"):
        stage.catalogue.put_connection(ADMIN, code, ConnectionSettings(code, "us-east-1"), new=True)
    amazon: dict[str, Any] = {
        "delivery_provider": DeliveryProvider.AMAZON,
        "routes": (Route(OURS, "Support", contact_flow="flow"),),
    }
    with pytest.raises(Invalid, match="connection: there is no connection NOPE"):
        stage.change(**amazon, connection="NOPE")
    then(
        stage.when(lambda: stage.change(**amazon, connection="AWS")),
        Mapping.Modified,
        Connection.UserAdded,
        SkillQueue.UserRemoved,
    )
    with pytest.raises(Clash, match="connection AWS is used by mapping TW"):
        stage.catalogue.remove_connection(ADMIN, "AWS")
    then(
        stage.when(lambda: stage.change(connection="AWS-2")),
        Mapping.Modified,
        Connection.UserAdded,
        Connection.UserRemoved,
    )
    stage.catalogue.remove_connection(ADMIN, "AWS")
    stage.administration.delete(ADMIN, "TW", None)
    stage.catalogue.remove_connection(ADMIN, "AWS-2")


# ── delete ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_mapping_with_open_conversations_is_not_deleted(stage: Stage) -> None:
    stage.text()
    with pytest.raises(Clash, match="1 conversation open on TW; pause it"):
        stage.administration.delete(ADMIN, "TW", None)
    stage.clock.advance(10 * MINUTE)
    stage.idle()
    then(
        stage.when(lambda: stage.administration.delete(ADMIN, "TW", None)),
        Mapping.Deleted,
        Claim.Released,
        SkillQueue.UserRemoved,
    )
    with pytest.raises(NotFound):
        stage.administration.delete(ADMIN, "TW", None)


def test_late_receipts_are_still_taken(stage: Stage) -> None:
    message_id = stage.start(ADMIN, single=True).message_id
    stage.attempt(message_id)
    stage.administration.delete(ADMIN, "TW", None)
    then(stage.settled(message_id, Outcome.ACCEPTED), Message.Accepted)
    then(stage.receipt(ReceiptStatus.DELIVERED), Message.Receipted)


def test_a_deleted_code_may_be_used_again(stage: Stage) -> None:
    stage.administration.delete(ADMIN, "TW", None)
    events = stage.when(lambda: stage.administration.add(ADMIN, MappingDraft(MAPPING, SECRETS)))
    then(events, Mapping.Modified, Claim.Taken, SkillQueue.UserAdded)
    assert not mapping(stage).deleted
    stage.text()
    assert stage.conversation().is_open


# ── duplicate ──────────────────────────────────────────────────────────────────────────────────────


def test_a_duplicate_is_a_draft_without_code_description_and_addresses(stage: Stage) -> None:
    stage.control(max_chats=5)
    stage.change(options={"window": 3})
    stage.administration.duplicate(ADMIN, "TW", "TW-2")
    original, copy = mapping(stage).settings, mapping(stage, "TW-2").settings
    expected = replace(
        original, code="TW-2", description="", status=Status.DRAFT, routes=(), secrets=copy.secrets
    )
    assert copy == expected
    assert owner(stage, OURS) == "TW"


def test_a_duplicate_copies_the_secrets(stage: Stage) -> None:
    stage.administration.duplicate(ADMIN, "TW", "TW-2")
    first, second = (mapping(stage, code).settings.secrets["password"] for code in ("TW", "TW-2"))
    assert first != second
    assert stage.secrets.get(first) == stage.secrets.get(second) == "secret"


@pytest.mark.parametrize(("code", "error"), [("TW", Clash), ("bad", Invalid)])
def test_a_duplicate_needs_a_code_of_its_own(stage: Stage, code: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        stage.administration.duplicate(ADMIN, "TW", code)


# ── secrets: rule 12 ───────────────────────────────────────────────────────────────────────────────


def change_secrets(stage: Stage, secrets: dict[str, str | None]) -> dict[str, str]:
    bare = replace(MAPPING, secrets={})
    stage.administration.modify(ADMIN, MappingDraft(bare, secrets), None)
    return {name: stage.secrets.get(ref) for name, ref in mapping(stage).settings.secrets.items()}


def test_a_secret_left_out_stays_a_text_replaces_it_null_clears_it(stage: Stage) -> None:
    assert change_secrets(stage, {}) == {"password": "secret"}
    assert mapping(stage).version == 1
    assert change_secrets(stage, {"access_secret": "a"}) == {"password": "secret", "access_secret": "a"}
    assert change_secrets(stage, {"password": "new"}) == {"password": "new", "access_secret": "a"}
    assert change_secrets(stage, {"access_secret": None}) == {"password": "new"}
    with pytest.raises(Invalid, match=r"credentials\.password: is needed"):
        change_secrets(stage, {"password": None})


def test_secrets_are_never_in_events(stage: Stage) -> None:
    change_secrets(stage, {"access_secret": "hidden-one"})
    told = repr(stage.store.read(0, 1000))
    assert "hidden-one" not in told
    assert "secret'" not in told.replace("access_secret'", "")


def test_an_unknown_secret_is_refused_and_not_kept(stage: Stage) -> None:
    with pytest.raises(Invalid, match=r"credentials\.pin: unknown"):
        change_secrets(stage, {"pin": "1234"})
    assert list(stage.secrets.kept.values()) == ["secret"]


# ── move ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_number_moves_with_its_route_at_once(two: Stage) -> None:
    events = two.when(lambda: two.administration.move_address(ADMIN, OURS, "TW-2"))
    then(
        events, Claim.Taken, Mapping.Modified, Mapping.Modified, SkillQueue.UserAdded, SkillQueue.UserRemoved
    )
    assert owner(two, OURS) == "TW-2"
    assert mapping(two, "TW-2").settings.routes == (SALES, SUPPORT)
    left = mapping(two).settings
    assert (left.routes, left.status) == ((), Status.DRAFT)
    assert users(two, "SUPPORT") == {"mapping TW-2"}


def test_threads_survive_a_move(two: Stage) -> None:
    two.text()
    first = two.conversation().id
    two.administration.move_address(ADMIN, OURS, "TW-2")
    events = two.text(mapping_id=two.ids.mapping("TW-2"))
    then(events, Message.Received, Conversation.CustomerWrote)
    two.clock.advance(10 * MINUTE)
    two.idle(first)
    two.text(mapping_id=two.ids.mapping("TW-2"))
    assert two.conversation().terms.mapping_code == "TW-2"
    # What still comes to the old one's webhook is kept and can be replayed on the new one.
    stray: UUID = one(two.text(customer=OTHER), Message.Received).originator_id
    two.attention.route_again(ADMIN, stray)
    assert two.conversation(OTHER).terms.mapping_code == "TW-2"


def test_a_move_that_the_other_mapping_cannot_take_is_refused(two: Stage) -> None:
    more = tuple(Route(f"+1500555{number:04}", f"N{number}", "SALES") for number in range(100, 115))
    bare = replace(mapping(two, "TW-2").settings, routes=more)
    two.administration.modify(ADMIN, MappingDraft(bare), None)
    with pytest.raises(Invalid, match="at most 15"):
        two.administration.move_address(ADMIN, OURS, "TW-2")
    assert owner(two, OURS) == "TW"


def test_moves_of_nothing_to_nowhere(two: Stage) -> None:
    then(two.when(lambda: two.administration.move_address(ADMIN, OURS, "TW")))
    with pytest.raises(NotFound, match="no mapping NOPE"):
        two.administration.move_address(ADMIN, OURS, "NOPE")
    with pytest.raises(NotFound, match="no mapping has the address"):
        two.administration.move_address(ADMIN, "+15005550099", "TW")
    assert ANA.login not in users(two, "SUPPORT")


# ── what is installed ──────────────────────────────────────────────────────────────────────────────


def test_what_nothing_here_delivers_can_only_be_a_draft() -> None:
    stage = Stage(mapping=None, deliveries=frozenset({DeliveryProvider.SYMBEE}))
    stage.catalogue.put_connection(ADMIN, "AWS", ConnectionSettings("Connect", "us-east-1"), new=True)
    flow = Route(OURS, "Support", contact_flow="flow")
    settings = replace(MAPPING, delivery_provider=DeliveryProvider.AMAZON, connection="AWS", routes=(flow,))
    with pytest.raises(Invalid, match="can only be a draft") as caught:
        stage.administration.add(ADMIN, MappingDraft(settings, SECRETS))
    assert fields(caught) == ["delivery_provider"]
    stage.administration.add(ADMIN, MappingDraft(replace(settings, status=Status.DRAFT), SECRETS))
