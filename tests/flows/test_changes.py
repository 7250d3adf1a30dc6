"""What happens when things change: each row of the design's table."""

import pytest

from tests.fakes.twilio_state import ACCOUNT_SID, AUTH_TOKEN, KEY_SECRET, KEY_SID
from tests.flows.stage import CUSTOMER, OTHER_CUSTOMER, SALES, SUPPORT, Agent, Stage

SUPPORT_ROUTE = {"address": SUPPORT, "display_name": "Support", "skill_queue": "SUPPORT"}
SALES_ROUTE = {"address": SALES, "display_name": "Sales", "skill_queue": "SALES"}

# ── a mapping is modified with conversations open ──────────────────────────────────────────────


def test_chat_control_stays_as_the_conversation_began(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Under the old rules")
    stage.modify(chat_control={"idle_timeout_minutes": 1, "idle_timeout_message": "New."})
    stage.text(OTHER_CUSTOMER, "Under the new ones")
    stage.pass_minutes(1)
    assert stage.conversation(OTHER_CUSTOMER)["state"] == "ended"
    assert stage.conversation(CUSTOMER)["state"] == "assigned"
    stage.pass_minutes(9)
    assert stage.conversation(CUSTOMER)["state"] == "ended"
    assert stage.ledger() == ["New."]


def test_the_delivery_provider_stays_as_the_conversation_began(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Hello")
    stage.admin.post("/connections", {"code": "CONNECT", "name": "Connect", "region": "us-east-1"})
    flow = {"address": SUPPORT, "display_name": "Support", "contact_flow": "flow"}
    stage.modify(delivery_provider="amazon", connection="CONNECT", routes=[flow])
    ana.reply(stage.conversation(), "Still here")
    assert stage.conversation()["delivery_provider"] == "symbee"
    assert stage.ledger() == ["Still here"]


def test_credentials_take_effect_at_once(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Hello")
    stage.modify(credentials={"user_name": ACCOUNT_SID, "password": "revoked"})
    refused = ana.reply(stage.conversation(), "with a wrong token")
    assert stage.message(refused)["status"] == "rejected"
    keys = {"access_key": KEY_SID, "access_secret": KEY_SECRET}
    stage.modify(credentials={"user_name": ACCOUNT_SID, "password": AUTH_TOKEN} | keys)
    ana.reply(stage.conversation(), "with an API key")
    assert stage.ledger() == ["with an API key"]


def test_the_rate_takes_effect_at_once(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Hello")
    stage.modify(options={"segments_per_second": 1})
    for text in ("one", "two"):
        ana.reply(stage.conversation(), text)
    assert stage.ledger() == ["one"]
    stage.modify(options={"segments_per_second": 100})
    assert stage.ledger() == ["one", "two"]


def test_a_display_name_takes_effect_at_once(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Hello")
    stage.modify(routes=[SUPPORT_ROUTE | {"display_name": "Help desk"}, SALES_ROUTE])
    assert stage.conversation()["display_name"] == "Help desk"
    assert ana.get("/desk")["conversations"][0]["display_name"] == "Help desk"


def test_a_route_in_use_cannot_be_removed(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Hello")
    stage.text(OTHER_CUSTOMER, "Hello")
    problem = stage.modify(expect=409, routes=[SALES_ROUTE])
    assert (problem["errors"][0]["field"], f"{SUPPORT} has 2 conversations open" in problem["detail"]) == (
        "routes",
        True,
    )
    for customer in (CUSTOMER, OTHER_CUSTOMER):
        ana.end(stage.conversation(customer))
    stage.modify(routes=[SALES_ROUTE])


def test_who_read_an_older_version_is_refused(stage: Stage) -> None:
    read = stage.admin.get("/mappings/TW")
    stage.modify(description="somebody else's change")
    document = {name: value for name, value in read.items() if name not in ("version", "webhook_url")}
    version = f'"{read["version"]}"'
    problem = stage.admin.put("/mappings/TW", document, expect=412, If_Match=version)
    assert problem["errors"][0]["field"] == "If-Match"
    assert stage.admin.get("/mappings/TW")["description"] == "somebody else's change"


# ── a mapping is deleted ───────────────────────────────────────────────────────────────────────


def test_a_mapping_is_deleted_only_when_none_is_open_and_pausing_drains_it(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Hello")
    problem = stage.admin.delete("/mappings/TW", expect=409, If_Match="*")
    assert problem["detail"].startswith("1 conversation open on TW")
    stage.modify(status="paused")
    stage.text(OTHER_CUSTOMER, "too late")
    stage.text(CUSTOMER, "still mine")
    reply = ana.reply(stage.conversation(), "Goodbye")
    assert stage.conversations(OTHER_CUSTOMER) == []
    assert stage.said() == [("customer", "Hello"), ("customer", "still mine"), ("agent", "Goodbye")]
    ana.end(stage.conversation())
    stage.admin.delete("/mappings/TW", If_Match="*")
    stage.receipt(stage.sid("Goodbye"), "delivered")  # late receipts are still taken
    assert stage.message(reply)["status"] == "delivered"
    stage.admin.get("/mappings/TW", expect=404)
    stage.add_mapping("NEXT")  # the numbers are free again


def test_paused_it_lets_agents_start_nothing(stage: Stage, ana: Agent) -> None:
    stage.modify(status="paused")
    problem = ana.start(CUSTOMER, "Hello", expect=409, our_address=SUPPORT)
    assert "paused" in problem["detail"]
    assert stage.ledger() == []


# ── a number moves ─────────────────────────────────────────────────────────────────────────────


def test_a_number_moves_in_one_step_and_its_threads_survive(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Hello")
    stage.text(OTHER_CUSTOMER, "STOP")
    stage.add_mapping("NEXT", routes=[], status="draft")
    stage.admin.post(f"/mappings/TW/routes/{SUPPORT}/move", {"to": "NEXT"}, expect=200)
    stage.modify("NEXT", status="active")
    assert [each["address"] for each in stage.admin.get("/mappings/TW")["routes"]] == [SALES]
    stage.text(CUSTOMER, "By the new mapping", mapping="NEXT")
    ana.reply(stage.conversation(), "Still the same conversation")
    assert len(stage.conversations()) == 1
    assert stage.ledger() == ["Still the same conversation"]
    ana.start(OTHER_CUSTOMER, "Hello?", expect=409)  # consent survives too
    ana.end(stage.conversation())
    stage.text(CUSTOMER, "Another", mapping="NEXT")
    assert stage.conversation()["mapping"] == "NEXT"


def test_an_address_claimed_twice_is_refused_naming_its_owner(stage: Stage) -> None:
    document = stage.admin.get("/mappings/TW")
    fields = {name: document[name] for name in ("kind", "status", "default_country", "provider", "options")}
    credentials = {"user_name": ACCOUNT_SID, "password": AUTH_TOKEN}
    problem = stage.admin.post(
        "/mappings",
        fields | {"code": "OTHER", "credentials": credentials, "routes": [SALES_ROUTE, SUPPORT_ROUTE]},
        expect=409,
    )
    assert (problem["errors"][0]["field"], "TW" in problem["detail"]) == ("routes[0].address", True)


# ── a text to a number that no route has ───────────────────────────────────────────────────────


def test_an_unrouted_text_is_kept_shown_and_replayed_after_the_fix(stage: Stage, ana: Agent) -> None:
    stage.modify(routes=[SALES_ROUTE])
    stage.text(CUSTOMER, "Is anybody there?")
    (unrouted,) = stage.admin.get("/unrouted")["items"]
    assert (unrouted["text"], unrouted["status"]) == ("Is anybody there?", "unrouted")
    assert SUPPORT in unrouted["reason"]
    stage.admin.post(f"/unrouted/{unrouted['id']}/route", expect=409)
    stage.pass_minutes(30)
    stage.modify(routes=[SUPPORT_ROUTE, SALES_ROUTE])
    stage.admin.post(f"/unrouted/{unrouted['id']}/route", expect=200)
    assert stage.admin.get("/unrouted")["items"] == []
    assert ana.hand() == [CUSTOMER]
    ana.reply(stage.conversation(), "Yes!")
    assert stage.said() == [("customer", "Is anybody there?"), ("agent", "Yes!")]
    assert stage.ledger() == ["Yes!"]
    stage.admin.post(f"/unrouted/{unrouted['id']}/route", expect=409)


def test_two_unrouted_texts_of_one_customer_come_to_one_conversation(stage: Stage, ana: Agent) -> None:
    stage.modify(routes=[SALES_ROUTE])
    for text in ("first", "second"):
        stage.text(CUSTOMER, text)
    stage.modify(routes=[SUPPORT_ROUTE, SALES_ROUTE])
    for each in stage.admin.get("/unrouted")["items"]:
        stage.admin.post(f"/unrouted/{each['id']}/route", expect=200)
    assert len(stage.conversations()) == 1
    assert stage.said() == [("customer", "first"), ("customer", "second")]


# ── a duplicate ────────────────────────────────────────────────────────────────────────────────


def test_a_duplicate_is_a_draft_with_everything_but_code_description_and_addresses(stage: Stage) -> None:
    stage.modify(description="The original", chat_control={"idle_timeout_message": "Closed."})
    original = stage.admin.get("/mappings/TW")
    copy = stage.admin.post("/mappings/TW/duplicate", {"code": "COPY"}, expect=201)
    changed = {"code", "description", "status", "routes", "version", "webhook_url"}
    assert {name: copy[name] for name in copy.keys() - changed} == {
        name: original[name] for name in original.keys() - changed
    }
    assert (copy["status"], copy["description"], copy["routes"]) == ("draft", "", [])
    stage.admin.post("/mappings/TW/duplicate", {"code": "COPY"}, expect=409)


def test_a_duplicate_works_with_the_secrets_it_copied(stage: Stage, ana: Agent) -> None:
    third = "+15005550011"
    stage.twilio.numbers.add(third)
    stage.admin.post("/mappings/TW/duplicate", {"code": "COPY"}, expect=201)
    route = {"address": third, "display_name": "Third", "skill_queue": "SUPPORT"}
    stage.modify("COPY", status="active", routes=[route])
    stage.text(CUSTOMER, "Hello", to=third, mapping="COPY")
    ana.reply(stage.conversation(), "Hi from the copy")
    assert stage.ledger() == ["Hi from the copy"]


# ── queues and agents ──────────────────────────────────────────────────────────────────────────


def test_a_queue_in_use_is_not_removed_and_its_users_are_named(stage: Stage, ana: Agent) -> None:
    problem = stage.admin.delete("/queues/SUPPORT", expect=409)
    assert "mapping TW" in problem["detail"]
    assert "agent ana" in problem["detail"]


def test_a_queue_in_which_somebody_waits_is_not_removed(stage: Stage, ana: Agent) -> None:
    stage.admin.post("/queues", {"code": "LATER", "name": "Later"})
    stage.text(CUSTOMER, "Hello")
    ana.transfer(stage.conversation(), queue="LATER")
    assert "1 conversation waiting" in stage.admin.delete("/queues/LATER", expect=409)["detail"]
    stage.pass_minutes(10)
    stage.admin.delete("/queues/LATER")


def test_an_agent_with_work_in_hand_is_not_removed(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Hello")
    assert "1 conversation in hand" in stage.admin.delete("/agents/ana", expect=409)["detail"]
    ana.end(stage.conversation())
    stage.admin.delete("/agents/ana")
    stage.text(CUSTOMER, "Hello again")
    assert stage.conversation()["state"] == "waiting"


def test_a_route_to_an_unknown_queue_is_refused_naming_the_field(stage: Stage) -> None:
    routes = [SUPPORT_ROUTE, SALES_ROUTE | {"skill_queue": "NOWHERE"}]
    problem = stage.modify(expect=422, routes=routes)
    assert [each["field"] for each in problem["errors"]] == ["routes[1].skill_queue"]


# ── delivery by eum_connect ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("setting", ["skill_queue", "contact_flow"])
def test_where_connect_owns_the_number_a_route_has_neither_queue_nor_flow(stage: Stage, setting: str) -> None:
    route = {"address": "+15005550077", "display_name": "Connect", setting: "SUPPORT"}
    document = {"kind": "aws_eum", "mode": "eum_connect", "code": "AWS", "delivery_provider": "amazon"}
    problem = stage.admin.post("/mappings", document | {"routes": [route]}, expect=422)
    assert [each["field"] for each in problem["errors"]] == [f"routes[0].{setting}"]
    del route[setting]
    stage.admin.post("/mappings", document | {"routes": [route]}, expect=201)
