"""What admins keep lists of, and forgetting customers."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from domain.agents import Agent, AgentSettings, AgentStatus
from domain.canned_replies import CannedReply
from domain.connections import Connection, ConnectionSettings
from domain.conversations import Conversation
from domain.customers import Customer
from domain.errors import Clash, Invalid, NotFound
from domain.facts import MediaLink, Outcome
from domain.message_values import Resolution
from domain.messages import Message
from domain.queues import SkillQueue
from domain.threads import Thread
from domain.values import ERASED
from domain.work_codes import WorkCode
from tests.domain.given import ADMIN, ANA, CUSTOMER, MINUTE, OTHER, Stage, one, then

AWS = ConnectionSettings("AWS", "us-east-1")
ANA_SETTINGS = AgentSettings("Ana", ("SUPPORT",), 2, 0)
Put = Callable[[Stage, str, str, bool], object]
Remove = Callable[[Stage, str], object]

LISTS: dict[str, tuple[Put, Remove, type[object], str]] = {
    "queue": (
        lambda stage, code, name, new: stage.catalogue.put_queue(ADMIN, code, name, new=new),
        lambda stage, code: stage.catalogue.remove_queue(ADMIN, code),
        SkillQueue,
        "code",
    ),
    "work code": (
        lambda stage, code, name, new: stage.catalogue.put_work_code(ADMIN, code, name, new=new),
        lambda stage, code: stage.catalogue.remove_work_code(ADMIN, code),
        WorkCode,
        "code",
    ),
    "canned reply": (
        lambda stage, code, name, new: stage.catalogue.put_canned_reply(ADMIN, code, name, "Hi", new=new),
        lambda stage, code: stage.catalogue.remove_canned_reply(ADMIN, code),
        CannedReply,
        "code",
    ),
    "connection": (
        lambda stage, code, name, new: stage.catalogue.put_connection(
            ADMIN, code, replace(AWS, name=name), new=new
        ),
        lambda stage, code: stage.catalogue.remove_connection(ADMIN, code),
        Connection,
        "code",
    ),
    "agent": (
        lambda stage, code, name, new: stage.catalogue.put_agent(
            ADMIN, code.lower(), replace(ANA_SETTINGS, name=name, skills=()), new=new
        ),
        lambda stage, code: stage.catalogue.remove_agent(ADMIN, code.lower()),
        Agent,
        "login",
    ),
}


# ── what all lists have in common ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("what", LISTS)
def test_a_thing_is_added_modified_removed_and_added_again(stage: Stage, what: str) -> None:
    put, remove, kind, _ = LISTS[what]
    created, modified, removed = (getattr(kind, name) for name in ("Created", "Modified", "Removed"))
    then(stage.when(lambda: put(stage, "X1", "One", True)), created)
    then(stage.when(lambda: put(stage, "X1", "One", False)))
    then(stage.when(lambda: put(stage, "X1", "Two", False)), modified)
    then(stage.when(lambda: remove(stage, "X1")), removed)
    then(stage.when(lambda: put(stage, "X1", "Two", True)), modified)
    then(stage.when(lambda: remove(stage, "X1")), removed)


@pytest.mark.parametrize("what", LISTS)
def test_what_is_there_is_not_added_and_what_is_not_is_not_changed(stage: Stage, what: str) -> None:
    put, remove, _, field = LISTS[what]
    name = f"{what} x1" if what == "agent" else f"{what} X1"
    with pytest.raises(NotFound, match=f"there is no {name}"):
        put(stage, "X1", "One", False)
    with pytest.raises(NotFound, match=f"there is no {name}"):
        remove(stage, "X1")
    put(stage, "X1", "One", True)
    with pytest.raises(Clash, match=f"there is a {name} already") as caught:
        put(stage, "X1", "One", True)
    assert caught.value.field == field
    remove(stage, "X1")
    with pytest.raises(NotFound):
        remove(stage, "X1")


@pytest.mark.parametrize("what", LISTS)
@pytest.mark.parametrize(
    ("code", "name", "wrong"), [("É", "One", "code"), ("X1", " ", "name"), ("X1", "x" * 61, "name")]
)
def test_codes_and_names_are_checked(stage: Stage, what: str, code: str, name: str, wrong: str) -> None:
    put, _, _, field = LISTS[what]
    with pytest.raises(Invalid) as caught:
        put(stage, code, name, True)
    assert [error.field for error in caught.value.errors] == [field if wrong == "code" else wrong]


# ── queues in use ──────────────────────────────────────────────────────────────────────────────────


def test_a_queue_in_use_is_not_removed_naming_the_users(stage: Stage) -> None:
    stage.agent("ana")
    with pytest.raises(Clash, match="queue SUPPORT is used by agent ana, mapping TW"):
        stage.catalogue.remove_queue(ADMIN, "SUPPORT")
    stage.catalogue.remove_agent(ADMIN, "ana")
    stage.administration.delete(ADMIN, "TW", None)
    stage.catalogue.remove_queue(ADMIN, "SUPPORT")


def test_a_queue_where_somebody_waits_is_not_removed(stage: Stage) -> None:
    stage.text()
    stage.desk.transfer_to_queue(ADMIN, stage.conversation().id, "SALES")
    with pytest.raises(Clash, match="1 conversation waiting in queue SALES"):
        stage.catalogue.remove_queue(ADMIN, "SALES")
    stage.clock.advance(10 * MINUTE)
    stage.idle()
    stage.catalogue.remove_queue(ADMIN, "SALES")


# ── agents ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("login", ["a", "ana.b-c_d@example.com", "0" * 60])
def test_logins(stage: Stage, login: str) -> None:
    stage.catalogue.put_agent(ADMIN, login, ANA_SETTINGS, new=True)
    assert stage.agent_now(login).login == login


@pytest.mark.parametrize("login", ["", "Ana", ".ana", "a b", "x" * 61, "ana\n"])
def test_what_is_no_login(stage: Stage, login: str) -> None:
    with pytest.raises(Invalid, match="login: use 1 to 60 small letters"):
        stage.catalogue.put_agent(ADMIN, login, ANA_SETTINGS, new=True)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        (replace(ANA_SETTINGS, room=0), "room"),
        (replace(ANA_SETTINGS, room=51), "room"),
        (replace(ANA_SETTINGS, wrap_up_seconds=-1), "wrap_up_seconds"),
        (replace(ANA_SETTINGS, wrap_up_seconds=3601), "wrap_up_seconds"),
        (replace(ANA_SETTINGS, skills=("SUPPORT", "SUPPORT")), "skills"),
        (replace(ANA_SETTINGS, skills=("NOPE",)), "skills"),
    ],
)
def test_an_agents_settings_are_checked(stage: Stage, settings: AgentSettings, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        stage.catalogue.put_agent(ADMIN, "ana", settings, new=True)
    assert [error.field for error in caught.value.errors] == [field]


def test_skills_follow_the_settings(stage: Stage) -> None:
    stage.agent("ana")
    moved = replace(ANA_SETTINGS, skills=("SALES",))
    then(
        stage.when(lambda: stage.catalogue.put_agent(ADMIN, "ana", moved, new=False)),
        Agent.Modified,
        SkillQueue.UserAdded,
        SkillQueue.UserRemoved,
    )
    assert stage.get(SkillQueue, stage.ids.queue("SALES")).users == {"agent ana"}


def test_an_agent_with_work_in_hand_is_not_removed(stage: Stage) -> None:
    stage.agent("ana")
    stage.text()
    stage.route()
    with pytest.raises(Clash, match="agent ana has 1 conversation in hand"):
        stage.catalogue.remove_agent(ADMIN, "ana")
    stage.desk.end(ANA, stage.conversation().id, None)
    stage.catalogue.remove_agent(ADMIN, "ana")
    assert stage.agent_now().why_busy(stage.now()) == "is offline"


def test_an_agent_who_comes_back_is_offline_with_the_skills_asked_for(stage: Stage) -> None:
    stage.agent("ana")
    stage.catalogue.remove_agent(ADMIN, "ana")
    stage.catalogue.put_agent(ADMIN, "ana", replace(ANA_SETTINGS, skills=("SALES",)), new=True)
    agent = stage.agent_now()
    assert (agent.status, agent.settings.skills, agent.removed) == (AgentStatus.OFFLINE, ("SALES",), False)
    assert "agent ana" in stage.get(SkillQueue, stage.ids.queue("SALES")).users


# ── connections and canned replies ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        (replace(AWS, region=" "), "region"),
        (replace(AWS, role="admin"), "role"),
        (replace(AWS, streaming_topic="topic"), "streaming_topic"),
        (replace(AWS, topics=("arn:aws:sns:x", "topic")), "topics"),
        (replace(AWS, queues=("http://sqs.example.com/1",)), "queues"),
    ],
)
def test_a_connections_settings_are_checked(stage: Stage, settings: ConnectionSettings, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        stage.catalogue.put_connection(ADMIN, "AWS", settings, new=True)
    assert [error.field for error in caught.value.errors] == [field]


@pytest.mark.parametrize("text", ["", " ", "x" * 1601])
def test_a_canned_reply_has_words_within_bounds(stage: Stage, text: str) -> None:
    with pytest.raises(Invalid, match="text: "):
        stage.catalogue.put_canned_reply(ADMIN, "HI", "Hi", text, new=True)


# ── forgetting: rule 13 ────────────────────────────────────────────────────────────────────────────


def test_a_forgotten_customers_texts_and_number_are_gone_and_consent_stays(stage: Stage) -> None:
    message_id = one(stage.text("my secret"), Message.Received).originator_id
    stage.text("STOP")
    stage.desk.end(ADMIN, stage.conversation().id, None)
    stage.text("someone else's", OTHER)
    events = stage.when(lambda: stage.catalogue.forget(ADMIN, CUSTOMER))
    then(events, Customer.Created)
    assert one(events, Customer.Created).customer_id == stage.ids.customer(CUSTOMER)
    message = stage.message(message_id)
    assert (message.text, message.customer_address) == (ERASED, ERASED)
    found = repr(stage.store.read(0, 1000))
    assert "my secret" not in found
    assert CUSTOMER not in found
    assert "someone else's" in found
    assert stage.thread().open_conversation is None
    assert stage.opted_out()


def test_who_returns_has_a_new_key_and_can_be_forgotten_again(stage: Stage) -> None:
    stage.text("before")
    assert stage.forget() == 1
    assert stage.forget() == 0
    after = one(stage.text("after"), Message.Received).originator_id
    assert stage.message(after).text == "after"
    stage.desk.end(ADMIN, stage.conversation().id, None)
    then(stage.when(stage.forget), Customer.Forgotten)
    assert stage.message(after).text == ERASED


def test_nobody_is_forgotten_while_a_conversation_with_them_is_open(stage: Stage) -> None:
    message_id = one(stage.text("still here"), Message.Received).originator_id
    with pytest.raises(Clash, match="a conversation with this customer is open; end it first"):
        stage.catalogue.forget(ADMIN, CUSTOMER)
    assert stage.message(message_id).text == "still here"
    assert stage.catalogue.forget(ADMIN, OTHER).result == 0


def test_where_the_pictures_of_the_forgotten_were_is_gone_too(stage: Stage) -> None:
    link = MediaLink("https://example.com/1", "image/png")
    message_id = one(stage.text(media=(link,)), Message.Received).originator_id
    assert stage.message(message_id).media == (link,)
    stage.forget()
    assert stage.message(message_id).media == (MediaLink(ERASED, "image/png"),)
    assert link.url not in repr(stage.store.read(0, 1000))


def test_why_somebody_decided_about_their_message_is_gone_too(stage: Stage) -> None:
    stage.agent("ana")
    stage.text()
    stage.route()
    sent = stage.reply()
    stage.attempt(sent)
    stage.settled(sent, Outcome.IN_DOUBT)
    stage.attention.resolve(ANA, sent, Resolution.DROP, f"{CUSTOMER} said so")
    stage.forget()
    assert CUSTOMER not in repr(stage.store.read(0, 1000))


def test_a_forgotten_customers_conversation_still_ends_and_says_nothing_to_nobody(stage: Stage) -> None:
    stage.text()
    conversation_id = stage.conversation().id
    stage.forget_meanwhile()
    stage.clock.advance(10 * MINUTE)
    then(stage.idle(conversation_id), Conversation.Ended, Thread.ConversationEnded)


def test_nobody_can_reply_to_a_forgotten_customer(stage: Stage) -> None:
    stage.agent("ana")
    stage.text()
    stage.route()
    conversation_id = stage.conversation().id
    stage.forget_meanwhile()
    with pytest.raises(Clash, match="has been forgotten"):
        stage.desk.reply(ANA, conversation_id, "Hello?", (), "k1")
