"""Mappings over HTTP."""

from typing import Any

import pytest

from adapters.providers.twilio import TwilioProvider
from domain.errors import FieldError
from domain.providers import Account, Carrier, NotTaken
from tests.api.conftest import TWILIO, Caller, fields_of, rest_mapping
from tests.fakes.platform import Platform

SECRET = TWILIO["password"]


@pytest.fixture(autouse=True)
def queue(admin: Caller) -> None:
    admin.post("/queues", {"code": "SUPPORT", "name": "Support"})


@pytest.fixture
def mapping(admin: Caller) -> dict[str, Any]:
    answer = admin.post("/mappings", rest_mapping())
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json  # type: ignore[assignment]
    return document


def stored(platform: Platform, name: str = "password", code: str = "TW-SUPPORT") -> str | None:
    """A mapping's credential in clear."""
    accounts = platform.services.accounts
    return accounts.of(accounts.mapping(code)).credentials.get(name)


# ── adding and reading ─────────────────────────────────────────────────────────────────────────


def test_adding_one(admin: Caller) -> None:
    answer = admin.post("/mappings", rest_mapping(default_country="uk"))
    assert answer.status_code == 201
    assert answer.headers["ETag"] == '"1"'
    assert answer.headers["Location"] == "https://sms.example.com/api/v1/mappings/TW-SUPPORT"
    shown = admin.get(f"/mappings/TW-SUPPORT?after={answer.headers['Parley-Position']}")
    assert shown.json == answer.json
    assert shown.headers["ETag"] == '"1"'
    document: Any = shown.json
    assert document["default_country"] == "GB"
    assert document["webhook_url"] == "https://sms.example.com/ingress/rest/TW-SUPPORT"
    assert document["credentials"] == {
        "user_name": TWILIO["user_name"],
        "password": {"set": True},
        "previous_password": {"set": False},
        "access_secret": {"set": False},
        "signing_secret": {"set": False},
    }
    assert {"host", "port", "user", "mode", "project_id", "connection"}.isdisjoint(document)
    assert "contact_flow" not in document["routes"][0]


def test_keywords_are_answered_by_whoever_does_unless_it_is_said(
    admin: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answers(code: str, **control: str) -> Any:
        draft = rest_mapping(status="draft", routes=[], chat_control=control, code=code)
        document: Any = admin.post("/mappings", draft).json
        return document["chat_control"]["keyword_answers"]

    assert answers("TW-1") == "provider"
    monkeypatch.setattr(TwilioProvider, "answers_keywords", False)
    assert answers("TW-2") == "parley"
    assert answers("TW-3", keyword_answers="provider") == "provider"


def test_a_code_and_an_address_are_used_once(admin: Caller, mapping: dict[str, Any]) -> None:
    again = admin.post("/mappings", rest_mapping(routes=[]) | {"status": "draft"})
    assert (again.status_code, fields_of(again)) == (409, ["code"])
    thief = admin.post("/mappings", rest_mapping(code="OTHER"))
    assert (thief.status_code, fields_of(thief)) == (409, ["routes[0].address"])
    assert "TW-SUPPORT" in thief.text


def test_a_smpp_draft_has_user_and_password_on_top(admin: Caller) -> None:
    draft = {"kind": "smpp", "code": "SMSC", "host": "smsc.example.com", "port": 2775}
    assert admin.post("/mappings", draft).status_code == 201
    refused = admin.post("/mappings", draft | {"code": "SMSC-2", "credentials": {"user": "u"}})
    assert (refused.status_code, fields_of(refused)) == (422, ["credentials"])
    # No SMPP provider is installed here; what is said of its credentials has the document's names.
    refused = admin.post("/mappings", draft | {"code": "SMSC-2", "user": "u", "password": "p"})
    assert (refused.status_code, fields_of(refused)) == (422, ["user", "password"])


def test_an_aws_draft(admin: Caller) -> None:
    draft = {"kind": "aws_eum", "code": "AWS", "mode": "pinpoint_project", "project_id": "p"}
    answer = admin.post("/mappings", draft)
    assert answer.status_code == 201, answer.text
    assert "credentials" not in (answer.json or {})
    assert "webhook_url" not in (answer.json or {})
    refused = admin.post("/mappings", draft | {"code": "AWS-2", "configuration_set": "c"})
    assert fields_of(refused) == ["configuration_set"]


# ── lists ──────────────────────────────────────────────────────────────────────────────────────


def test_lists_filter_and_turn_pages(admin: Caller, mapping: dict[str, Any]) -> None:
    for number in range(3):
        admin.post("/mappings", {"kind": "rest", "code": f"DRAFT-{number}", "provider": "twilio"})
    admin.post("/mappings", {"kind": "smpp", "code": "SMSC"})

    def codes(query: str) -> list[str]:
        found: Any = admin.get(f"/mappings?{query}").json
        return [each["code"] for each in found["items"]]

    assert codes("") == ["DRAFT-0", "DRAFT-1", "DRAFT-2", "SMSC", "TW-SUPPORT"]
    assert codes("kind=smpp") == ["SMSC"]
    assert codes("status=active") == ["TW-SUPPORT"]
    assert codes("q=%2B1500555") == ["TW-SUPPORT"]
    assert codes("q=draft&limit=2") == ["DRAFT-0", "DRAFT-1"]
    page: Any = admin.get("/mappings?limit=4").json
    rest: Any = admin.get(f"/mappings?limit=4&cursor={page['next']}").json
    assert [len(page["items"]), len(rest["items"]), rest["next"]] == [4, 1, None]
    assert page["items"][3] == admin.get("/mappings/SMSC").json


# ── versions ───────────────────────────────────────────────────────────────────────────────────


def test_a_change_needs_the_version_that_was_read(admin: Caller, mapping: dict[str, Any]) -> None:
    changed = rest_mapping(description="Changed")
    missing = admin.put("/mappings/TW-SUPPORT", changed)
    assert missing.status_code == 428
    stale = admin.put("/mappings/TW-SUPPORT", changed, If_Match='"7"')
    assert (stale.status_code, fields_of(stale)) == (412, ["If-Match"])
    assert admin.put("/mappings/TW-SUPPORT", changed, If_Match="nonsense").status_code == 412
    done = admin.put("/mappings/TW-SUPPORT", changed, If_Match='"1"')
    assert (done.status_code, done.headers["ETag"]) == (200, '"2"')
    assert admin.put("/mappings/TW-SUPPORT", changed, If_Match='"1"').status_code == 412
    assert admin.delete("/mappings/TW-SUPPORT").status_code == 428
    assert admin.delete("/mappings/TW-SUPPORT", If_Match='"1"').status_code == 412
    assert admin.delete("/mappings/TW-SUPPORT", If_Match="*").status_code == 204
    assert admin.get("/mappings/TW-SUPPORT").status_code == 404
    assert admin.put("/mappings/TW-SUPPORT", changed, If_Match="*").status_code == 404


def test_the_code_and_the_kind_stay(admin: Caller, mapping: dict[str, Any]) -> None:
    other = admin.put("/mappings/TW-SUPPORT", rest_mapping(code="OTHER"), If_Match='"1"')
    assert (other.status_code, fields_of(other)) == (422, ["code"])
    kind = admin.put("/mappings/TW-SUPPORT", {"kind": "smpp", "code": "TW-SUPPORT"}, If_Match='"1"')
    assert (kind.status_code, fields_of(kind)) == (422, ["kind"])


def test_open_conversations_forbid_deletion_and_removing_their_route(
    admin: Caller, mapping: dict[str, Any]
) -> None:
    admin.platform.counts.open.update({"TW-SUPPORT": 3, "+15005550006": 2})
    refused = admin.delete("/mappings/TW-SUPPORT", If_Match='"1"')
    assert refused.status_code == 409
    assert "3" in refused.text
    other = [{"address": "+15005550009", "display_name": "New", "skill_queue": "SUPPORT"}]
    refused = admin.put("/mappings/TW-SUPPORT", rest_mapping(routes=other), If_Match='"1"')
    assert (refused.status_code, fields_of(refused)) == (409, ["routes"])


# ── secrets ────────────────────────────────────────────────────────────────────────────────────


def test_a_secret_stays_changes_and_goes(admin: Caller, mapping: dict[str, Any]) -> None:
    def put(**credentials: Any) -> None:
        etag = admin.get("/mappings/TW-SUPPORT").headers["ETag"]
        given = {"user_name": TWILIO["user_name"], **credentials}
        answer = admin.put("/mappings/TW-SUPPORT", rest_mapping(credentials=given), If_Match=etag)
        assert answer.status_code == 200, answer.text

    put(previous_password="an-old-one")
    assert stored(admin.platform) == SECRET
    put(password={"set": True}, previous_password={"set": True})
    assert stored(admin.platform, "previous_password") == "an-old-one"
    put(password="another-secret")
    assert stored(admin.platform) == "another-secret"
    put(previous_password=None)
    assert stored(admin.platform, "previous_password") is None


def test_an_answer_can_be_sent_back_without_what_is_only_answered(
    admin: Caller, mapping: dict[str, Any]
) -> None:
    document = {name: value for name, value in mapping.items() if name not in {"version", "webhook_url"}}
    answer = admin.put("/mappings/TW-SUPPORT", document, If_Match='"1"')
    assert answer.status_code == 200, answer.text
    assert answer.json == mapping  # nothing changed, so the version stayed
    assert stored(admin.platform) == SECRET


def test_no_answer_shows_a_secret(admin: Caller, mapping: dict[str, Any]) -> None:
    bad = rest_mapping(code="BAD", credentials={**TWILIO, "signing_secret": SECRET * 2}, status="asleep")
    shown = [
        admin.get("/mappings"),
        admin.get("/mappings/TW-SUPPORT"),
        admin.get("/mappings/TW-SUPPORT/history"),
        admin.get("/mappings/TW-SUPPORT/status"),
        admin.post("/mappings/TW-SUPPORT/duplicate", {"code": "COPY"}),
        admin.post("/mappings", bad),
        admin.post("/mappings", rest_mapping(credentials={**TWILIO, "access_secret": [SECRET]})),
    ]
    assert all(SECRET not in answer.text + str(answer.headers) for answer in shown)


# ── duplicate, move, history ───────────────────────────────────────────────────────────────────


def test_a_duplicate_is_a_draft_with_the_secrets(admin: Caller, mapping: dict[str, Any]) -> None:
    answer = admin.post("/mappings/TW-SUPPORT/duplicate", {"code": "TW-COPY"})
    assert answer.status_code == 201
    copy: Any = answer.json
    assert (copy["status"], copy["description"], copy["routes"]) == ("draft", "", [])
    assert copy["credentials"] == mapping["credentials"]
    assert stored(admin.platform, code="TW-COPY") == SECRET
    assert admin.post("/mappings/TW-SUPPORT/duplicate", {"code": "TW-COPY"}).status_code == 409
    assert admin.post("/mappings/NONE/duplicate", {"code": "TW-3"}).status_code == 404


def test_a_number_moves_with_its_route(admin: Caller, mapping: dict[str, Any]) -> None:
    admin.post("/mappings/TW-SUPPORT/duplicate", {"code": "TW-COPY"})
    answer = admin.post("/mappings/TW-SUPPORT/routes/+15005550006/move", {"to": "TW-COPY"})
    assert answer.status_code == 200, answer.text
    moved: Any = answer.json
    assert (moved["code"], moved["routes"]) == ("TW-COPY", mapping["routes"])
    assert admin.get("/mappings/TW-SUPPORT").json["routes"] == []  # type: ignore[index]
    assert admin.post("/mappings/TW-SUPPORT/routes/+15005550006/move", {"to": "TW-COPY"}).status_code == 404
    assert admin.post("/mappings/TW-COPY/routes/%2B15005550006/move", {"to": "NONE"}).status_code == 404


def test_the_history_says_who_changed_what(admin: Caller, mapping: dict[str, Any]) -> None:
    given = {"user_name": TWILIO["user_name"], "password": "another-secret"}
    control = {"idle_timeout_minutes": 20}
    changed = rest_mapping(credentials=given, chat_control=control)
    admin.put("/mappings/TW-SUPPORT", changed, If_Match="*")
    admin.delete("/mappings/TW-SUPPORT", If_Match="*")
    history: Any = admin.get("/mappings/TW-SUPPORT/history").json
    assert [each["what"] for each in history["items"]] == ["deleted", "modified", "created"]
    assert [each["version"] for each in history["items"]] == [3, 2, 1]
    assert history["items"][1]["changed"] == ["chat_control.idle_timeout_minutes", "credentials.password"]
    assert history["items"][2]["settings"] == mapping
    assert {each["by"] for each in history["items"]} == {"key:PARLEY_ADMIN_KEY"}


# ── status and test ────────────────────────────────────────────────────────────────────────────


def test_the_status_of_a_mapping_without_messages(admin: Caller, mapping: dict[str, Any]) -> None:
    assert admin.get("/mappings/TW-SUPPORT/status").json == {
        "status": "active",
        "open_conversations": 0,
        "last_text_in": None,
        "last_text_out": None,
        "problems": [],
    }


class Checked(Carrier):
    """A carrier whose check says what the test wants."""

    def __init__(self, found: list[FieldError] | NotTaken) -> None:
        self.found = found

    def send(self, message: Any) -> Any:
        raise AssertionError("a test sends nothing")

    def check(self) -> list[FieldError]:
        if isinstance(self.found, NotTaken):
            raise self.found
        return self.found


@pytest.mark.parametrize(
    ("found", "fields"),
    [
        ([], []),
        ([FieldError("credentials.password", "refused")], ["credentials.password"]),
        (NotTaken("connection refused"), ["provider"]),
    ],
)
def test_a_mapping_can_be_tested(
    admin: Caller, mapping: dict[str, Any], monkeypatch: pytest.MonkeyPatch, found: Any, fields: list[str]
) -> None:
    def opened(account: Account) -> Carrier:
        assert account.credentials["password"] == SECRET
        return Checked(found)

    monkeypatch.setattr(admin.platform.services.providers["twilio"], "open", opened)
    report: Any = admin.post("/mappings/TW-SUPPORT/test").json
    assert (report["ok"], [each["field"] for each in report["problems"]]) == (not fields, fields)


def test_testing_an_incomplete_draft_names_what_is_missing(admin: Caller) -> None:
    admin.post("/mappings", {"kind": "rest", "code": "DRAFT", "provider": "twilio"})
    report: Any = admin.post("/mappings/DRAFT/test").json
    assert {"default_country", "credentials.user_name", "routes"} <= {e["field"] for e in report["problems"]}
    assert admin.post("/mappings/NONE/test").status_code == 404
