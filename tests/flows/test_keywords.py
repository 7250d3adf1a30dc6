"""STOP, START and HELP, with a conversation and without one (rule 8)."""

import pytest

from tests.flows.stage import CUSTOMER, OTHER_CUSTOMER, SALES, Agent, Stage

STOPPED = (
    "You have been unsubscribed and will get no more messages from this number. Reply START to resubscribe."
)
STARTED = (
    "You have been resubscribed and will get messages from this number again. Reply STOP to unsubscribe."
)
HELPED = "Text us your question and an agent will answer. Reply STOP to unsubscribe."


@pytest.fixture
def parley_answers(stage: Stage) -> None:
    stage.modify(chat_control={"keyword_answers": "parley"})


@pytest.mark.parametrize("word", ["STOP", "stop.", "Unsubscribe", "QUIT", "opt-out"])
def test_without_a_conversation_stop_opts_out_and_starts_none(stage: Stage, ana: Agent, word: str) -> None:
    stage.text(CUSTOMER, word, OptOutType="STOP")
    assert stage.conversations() == []
    problem = ana.start(CUSTOMER, "Hello?", expect=409)
    assert "opted out" in problem["detail"]
    assert stage.ledger() == []


def test_where_the_provider_answers_parley_says_nothing(stage: Stage, ana: Agent) -> None:
    for word, kind in (("STOP", "STOP"), ("START", "START"), ("HELP", "HELP")):
        stage.text(CUSTOMER, word, OptOutType=kind)
    stage.pass_minutes(5)
    assert stage.ledger() == []
    assert stage.conversations() == []


def test_with_a_conversation_stop_joins_it_and_blocks_its_agent(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Hello")
    stage.text(CUSTOMER, "STOP", OptOutType="STOP")
    conversation = stage.conversation()
    assert (conversation["state"], conversation["opted_out"]) == ("assigned", True)
    assert ana.get("/desk")["conversations"][0]["opted_out"] is True
    assert conversation["messages"][-1]["keyword"] == "STOP"
    assert "opted out" in ana.reply(conversation, "But…", expect=409)["detail"]
    stage.text(CUSTOMER, "START", OptOutType="START")
    assert stage.conversation()["opted_out"] is False
    ana.reply(conversation, "Welcome back")
    assert stage.ledger() == ["Welcome back"]


def test_stop_counts_when_only_its_text_says_so(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "STOP")
    ana.start(CUSTOMER, "Hello?", expect=409)


def test_a_sentence_with_stop_in_it_is_no_keyword(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Where is the next bus stop")
    assert stage.conversation()["opted_out"] is False
    assert stage.conversation()["state"] == "assigned"


@pytest.mark.usefixtures("parley_answers")
def test_parley_confirms_a_stop_once_and_then_is_silent(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "STOP")
    stage.text(CUSTOMER, "STOP")
    stage.text(CUSTOMER, "HELP")
    stage.pass_minutes(5)
    assert stage.ledger() == [STOPPED]
    assert stage.conversations() == []


@pytest.mark.usefixtures("parley_answers")
def test_parley_confirms_a_start_after_a_stop_only(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "START")
    assert stage.ledger() == []
    stage.text(CUSTOMER, "STOP")
    stage.text(CUSTOMER, "START")
    assert stage.ledger() == [STOPPED, STARTED]
    ana.start(CUSTOMER, "Hello again")
    assert stage.ledger()[-1] == "Hello again"


@pytest.mark.usefixtures("parley_answers")
def test_yes_opts_back_in_only_who_had_opted_out(stage: Stage, ana: Agent) -> None:
    stage.text(OTHER_CUSTOMER, "yes")
    assert stage.conversation(OTHER_CUSTOMER)["state"] == "assigned"
    stage.text(CUSTOMER, "STOP")
    stage.text(CUSTOMER, "Yes")
    assert stage.ledger(CUSTOMER) == [STOPPED, STARTED]
    assert stage.conversations(CUSTOMER) == []


@pytest.mark.usefixtures("parley_answers")
def test_help_is_answered_with_a_conversation_and_without(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "HELP")
    assert stage.ledger() == [HELPED]
    assert stage.conversations() == []
    stage.text(CUSTOMER, "My question is")
    stage.text(CUSTOMER, "help")
    assert stage.ledger() == [HELPED, HELPED]
    assert stage.said() == [("customer", "My question is"), ("customer", "help")]


@pytest.mark.usefixtures("parley_answers")
def test_in_a_conversation_parley_confirms_and_ends_it_without_another_word(stage: Stage, ana: Agent) -> None:
    stage.modify(chat_control={"suppress_system_messages": False, "notices": {"agent_joined": ""}})
    stage.text(CUSTOMER, "Hello")
    stage.text(CUSTOMER, "STOP")
    ana.end(stage.conversation())
    assert stage.ledger() == [STOPPED]


def test_the_providers_own_list_is_believed(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "Hello")
    stage.twilio.opted_out.add(("+15005550006", CUSTOMER))
    reply = stage.message(ana.reply(stage.conversation(), "Hi!"))
    assert (reply["status"], reply["error_code"]) == ("rejected", "21610")
    assert stage.conversation()["opted_out"] is True
    ana.reply(stage.conversation(), "Are you there?", expect=409)
    assert stage.ledger() == []


def test_consent_belongs_to_the_number(stage: Stage, ana: Agent) -> None:
    stage.text(CUSTOMER, "STOP")
    ana.start(CUSTOMER, "From sales", origin="Sales")
    assert stage.ledger() == ["From sales"]


def test_consent_belongs_to_the_messaging_service_where_there_is_one(stage: Stage, ana: Agent) -> None:
    service = "MG" + "0" * 32
    stage.twilio.services[service] = {"+15005550006", SALES}
    stage.modify(options={"messaging_service": service})
    stage.text(CUSTOMER, "STOP")
    ana.start(CUSTOMER, "From sales", origin="Sales", expect=409)
    assert stage.ledger() == []


def test_an_opt_out_of_the_number_outlives_its_messaging_service(stage: Stage, ana: Agent) -> None:
    for digit in ("0", "1"):
        service = "MG" + digit * 32
        stage.twilio.services[service] = {"+15005550006", SALES}
    stage.modify(options={"messaging_service": "MG" + "0" * 32})
    stage.text(CUSTOMER, "Hello")
    stage.modify(options={"messaging_service": "MG" + "1" * 32})
    stage.text(CUSTOMER, "STOP")
    conversation = stage.conversation()
    assert conversation["opted_out"] is True
    assert ana.get("/desk")["conversations"][0]["opted_out"] is True
    stage.pass_seconds(5)
    now = stage.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    assert ana.get(f"/conversations/{conversation['id']}?at={now}")["opted_out"] is True
    told = ana.get(f"/conversations/{conversation['id']}/replay")["entries"]
    assert [each["sentence"] for each in told if each["kind"] == "consent"] == [
        "Opted out, known from the customer's text"
    ]
    ana.reply(conversation, "But…", expect=409)
    stage.modify(options={"messaging_service": "MG" + "0" * 32})
    assert ana.end(conversation)["opted_out"] is True
    ana.start(CUSTOMER, "Hello?", expect=409)
    ana.start(CUSTOMER, "From sales", origin="Sales")


def test_stop_to_a_number_without_a_route_opts_out_all_the_same(stage: Stage, ana: Agent) -> None:
    stage.modify(routes=[{"address": SALES, "display_name": "Sales", "skill_queue": "SALES"}])
    stage.text(CUSTOMER, "STOP")
    stage.modify(
        routes=[
            {"address": SALES, "display_name": "Sales", "skill_queue": "SALES"},
            {"address": "+15005550006", "display_name": "Support", "skill_queue": "SUPPORT"},
        ]
    )
    ana.start(CUSTOMER, "Hello?", expect=409)
