"""A number, two queues, two agents at their desks, an analyst; and what providers and the router do."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from flask_openapi3.openapi import OpenAPI
from werkzeug.test import TestResponse

from adapters.accounts import Role, UserDraft
from domain.agents import Agent
from domain.commands import Commands
from domain.facts import (
    DeadlineFell,
    DeadlineKind,
    Fact,
    MediaFetched,
    MediaLink,
    Outcome,
    SendSettled,
    TextReceived,
)
from domain.intake import Effects, Intake, Known
from domain.messages import Message
from domain.ports import Unit
from domain.routing import Routing, Waiting, choose
from domain.sittings import Sittings
from domain.world import World
from tests.api.conftest import Caller, rest_mapping
from tests.fakes.platform import Platform

OURS, CUSTOMER, OTHER = "+15005550006", "+14155550123", "+14155550124"
PASSWORD = "correct horse"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


@dataclass
class Person(Caller):
    """Somebody who has signed in, in a browser of their own."""

    csrf: str = ""

    def ask(self, method: str, path: str, document: Any = None, **headers: str) -> TestResponse:
        return super().ask(method, path, document, **{"X_CSRFToken": self.csrf, **headers})


class Scene:
    """Everything is a second after what was before it."""

    def __init__(self, platform: Platform, app: OpenAPI, admin: Caller) -> None:
        self.platform, self.app, self.admin = platform, app, admin
        services = platform.services
        self.ids, self.store = services.ids, services.store
        sittings = Sittings(self.ids, dict(services.providers))
        self._intake = Intake(self.ids, sittings)
        self._routing = Routing(Commands(self.store, services.clock), sittings)
        self._texts = 0
        for code in ("SUPPORT", "SALES"):
            admin.post("/queues", {"code": code, "name": code.title()})
        assert admin.post("/mappings", rest_mapping()).status_code == 201
        self.ana = self.agent("ana", "SUPPORT")
        self.ben = self.agent("ben", "SUPPORT", "SALES")
        self.analyst = self.person("vera", Role.ANALYST)

    def agent(self, login: str, *skills: str) -> Person:
        """Add an agent, who becomes available."""
        self.admin.post("/agents", {"login": login, "name": login.title(), "skills": list(skills)})
        person = self.person(login, Role.AGENT)
        assert person.post(f"/agents/{login}/status", {"status": "available"}).status_code == 204
        return person

    def person(self, login: str, *roles: Role) -> Person:
        """Add a user, who signs in."""
        draft = UserDraft(login, login.title(), frozenset(roles), PASSWORD)
        self.platform.services.people.add_user(draft)
        client = self.app.test_client()
        answer = client.post("/api/v1/session", json={"login": login, "password": PASSWORD})
        assert answer.json is not None
        return Person(self.platform, client, None, csrf=answer.json["csrf_token"])

    # ── the world outside ──────────────────────────────────────────────────────────────────────

    def take_in(self, fact: Fact) -> None:
        """Ingest a fact, and let the views see it."""
        self.platform.clock.move(timedelta(seconds=1))
        world = World(self.store)
        world.load(self._intake.first_look(fact))
        world.load(self._intake.second_look(fact, world))
        self._intake.decide(fact, self.platform.clock.now(), world, Effects(), Known())
        self.store.save(Unit(world.changed()))
        self.platform.catch_up()

    def text(
        self, text: str, customer: str = CUSTOMER, ours: str = OURS, media: tuple[MediaLink, ...] = ()
    ) -> UUID:
        """A customer's text comes in; the message's id."""
        self._texts += 1
        name = f"SM{self._texts}"
        thread, mapping = self.ids.thread(ours, customer), self.ids.mapping("TW-SUPPORT")
        self.take_in(TextReceived(thread, mapping, "twilio", name, ours, customer, text, media, None, raw=""))
        return self.ids.inbound("twilio", name)

    def fetched(self, message_id: UUID, content: bytes, content_type: str = "image/png") -> UUID:
        """The first picture or file of a customer's text has been copied."""
        media_id = self.ids.caused(message_id, "media:0")
        message = self.message(message_id)
        self.platform.services.media.put(media_id, message.customer_id, content_type, content)
        self.take_in(
            MediaFetched(message.thread_id, message_id, 0, media_id, content_type, len(content), problem="")
        )
        return media_id

    def route(self, conversation_id: UUID, login: str) -> None:
        """The router gives the conversation to this agent."""
        found = self.store.load({self.ids.agent(login)})[self.ids.agent(login)]
        assert isinstance(found, Agent)
        now = self.platform.clock.now()
        match = choose(Waiting(conversation_id, "SUPPORT", now, None), [found], now)
        assert match
        assert self._routing.assign(match).result
        self.platform.catch_up()

    def doubt(self, message_id: UUID) -> None:
        """An attempt at sending the message ends in doubt."""
        message, now = self.message(message_id), self.platform.clock.now()
        message.attempt_sending("lane", now + timedelta(seconds=10), now)
        self.store.save(Unit([message]))
        outcome = Outcome.IN_DOUBT
        self.take_in(
            SendSettled(message.thread_id, message_id, 1, outcome, "twilio", None, None, "slow", None, False)
        )

    def idle(self, conversation_id: UUID) -> None:
        """Nobody writes until the idle timeout."""
        self.platform.clock.move(timedelta(hours=1))
        now = self.platform.clock.now()
        self.take_in(DeadlineFell(conversation_id, DeadlineKind.IDLE, conversation_id, now))

    # ── looking ────────────────────────────────────────────────────────────────────────────────

    def message(self, message_id: UUID) -> Message:
        found = self.store.load({message_id})[message_id]
        assert isinstance(found, Message)
        return found

    def conversation_of(self, message_id: UUID) -> UUID:
        found = self.message(message_id).conversation_id
        assert found
        return found

    def in_hand(self, login: str, text: str = "hello", customer: str = CUSTOMER) -> UUID:
        """A conversation that a customer began and this agent has."""
        conversation_id = self.conversation_of(self.text(text, customer))
        self.route(conversation_id, login)
        return conversation_id


def shown(answer: TestResponse, status: int = 200) -> Any:
    """The document of an answer that has this status."""
    assert answer.status_code == status, answer.text
    return answer.json


def reply(person: Person, conversation_id: UUID, text: str = "good day", key: str = "k1") -> TestResponse:
    return person.post(f"/conversations/{conversation_id}/messages", {"text": text}, Idempotency_Key=key)
