"""The desk's live stream: what it tells to whom, going on after a break, coming and going, its end."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask_openapi3.openapi import OpenAPI
from werkzeug.test import TestResponse

from adapters.accounts import Role
from api import stream_hub
from api.stream import hub_of
from api.stream_hub import StreamHub
from domain.agents import Agent
from tests.api.conftest import Caller, fields_of
from tests.api.scene import OTHER, Person, Scene
from tests.fakes.platform import GRACE, Platform

PATIENCE = 10.0  # seconds


@pytest.fixture
def scene(
    platform: Platform, app: OpenAPI, admin: Caller, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Scene]:
    monkeypatch.setattr(stream_hub, "HEARTBEAT", 0.02)
    monkeypatch.setattr(stream_hub, "_LOOK", 0.02)
    yield Scene(platform, app, admin)
    hub_of(app).close()


@dataclass
class Told:
    """An event of a stream."""

    event: str
    data: Any
    id: int | None


class Listener:
    """A tab: a stream, read in a thread that serves it as a server does."""

    def __init__(self, person: Person, path: str = "/api/v1/desk/stream", **headers: str) -> None:
        self.answer = _open(person, path, **headers)
        assert self.answer.status_code == 200, self.answer.text
        self._chunks = self.answer.iter_encoded()
        assert next(self._chunks) == b"retry: 1000\n\n"
        self._told: list[Told] = []
        self._news = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        person.platform.catch_up()

    def _read(self) -> None:
        for chunk in self._chunks:
            with self._news:
                if self._closing:  # the client is gone: writing to it fails
                    break
                self._told += [_parsed(each) for each in chunk.decode().strip("\n").split("\n\n")]
                self._news.notify_all()
        self.answer.close()

    def until(self, enough: Callable[[list[Told]], bool]) -> list[Told]:
        """What has been told but for heartbeats, as soon as that is enough."""
        with self._news:
            assert self._news.wait_for(lambda: enough(self._news_told()), PATIENCE), self._told
            return self._news_told()

    def until_position(self, position: int) -> list[Told]:
        """What has been told, as soon as it reaches a position."""
        return self.until(lambda told: any((each.id or 0) >= position for each in self._told))

    def heartbeats(self, count: int) -> list[Told]:
        """So many heartbeats, as soon as there are."""
        with self._news:
            assert self._news.wait_for(lambda: len(self._beats()) >= count, PATIENCE), self._told
            return self._beats()

    def wait_for_end(self) -> None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def close(self) -> None:
        """The tab is closed, and the server notices when it next writes."""
        with self._news:
            self._closing = True
        self.wait_for_end()

    def _news_told(self) -> list[Told]:
        return [each for each in self._told if each.event != "heartbeat"]

    def _beats(self) -> list[Told]:
        return [each for each in self._told if each.event == "heartbeat"]


def _open(person: Person, path: str = "/api/v1/desk/stream", **headers: str) -> TestResponse:
    return person.client.get(path, headers={name.replace("_", "-"): each for name, each in headers.items()})


def _parsed(text: str) -> Told:
    fields = dict(line.split(": ", 1) for line in text.split("\n"))
    return Told(fields["event"], json.loads(fields["data"]), int(fields["id"]) if "id" in fields else None)


def shape(told: list[Told]) -> list[tuple[str, str]]:
    """What the events are about, in short."""
    names = {"conversation": "state", "message": "text", "agent": "in_hand", "heartbeat": "none"}
    return [(each.event, str(each.data.get(names[each.event], ""))) for each in told]


def agent(scene: Scene, login: str) -> Agent:
    found = scene.store.load({scene.ids.agent(login)})[scene.ids.agent(login)]
    assert isinstance(found, Agent)
    return found


# ── what is told ───────────────────────────────────────────────────────────────────────────────


def test_an_agent_is_told_of_the_conversation_its_texts_and_the_own_state(scene: Scene) -> None:
    listener = Listener(scene.ana)
    assert listener.answer.mimetype == "text/event-stream"
    conversation_id = scene.in_hand("ana")
    told = listener.until_position(scene.store.head())
    assert ("conversation", "assigned") in shape(told)
    assert [each for each in shape(told) if each[0] == "message"] == [
        ("message", "hello"),
        ("message", "Ana has joined the conversation."),
    ]
    assert shape(told)[-1] == ("agent", "1")
    conversations = [each for each in told if each.event == "conversation"]
    assert conversations[0].data["id"] == str(conversation_id)
    scene.text("are you there?")
    told = listener.until(lambda told: shape(told)[-1] == ("message", "are you there?"))
    assert told[-1].id == scene.store.head()


def test_nobody_is_told_of_others_conversations(scene: Scene) -> None:
    listener = Listener(scene.ben)
    scene.in_hand("ana")
    scene.in_hand("ben", "for Ben", OTHER)
    told = listener.until(lambda told: ("message", "for Ben") in shape(told))
    assert ("message", "hello") not in shape(told)
    assert {each.data["agent"] for each in told if each.event == "conversation"} == {"ben"}


def test_a_conversation_that_leaves_the_hands_is_told_once_more(scene: Scene) -> None:
    conversation_id = scene.in_hand("ana")
    listener = Listener(scene.ana)
    scene.ana.post(f"/conversations/{conversation_id}/transfer", {"agent": "ben"})
    told = listener.until_position(scene.store.head())
    assert [each.data["agent"] for each in told if each.event == "conversation"] == ["ben"]
    scene.text("private to Ben")
    scene.in_hand("ana", "new", OTHER)
    told = listener.until(lambda told: ("message", "new") in shape(told))
    assert ("message", "private to Ben") not in shape(told)


def test_a_stream_goes_on_where_the_last_one_broke_off(scene: Scene) -> None:
    conversation_id = scene.in_hand("ana")
    first = Listener(scene.ana)
    scene.text("one")
    broke_off = first.until(lambda told: ("message", "one") in shape(told))[-1].id
    first.close()
    scene.text("two")
    scene.ana.post(f"/conversations/{conversation_id}/messages", {"text": "three"}, Idempotency_Key="k")
    resumed = Listener(scene.ana, Last_Event_ID=str(broke_off))
    scene.text("four")
    told = resumed.until(lambda told: ("message", "four") in shape(told))
    assert [each[1] for each in shape(told) if each[0] == "message"] == ["two", "three", "four"]


def test_a_stream_begins_where_the_desk_was_read(scene: Scene) -> None:
    scene.in_hand("ana")
    desk = scene.ana.get("/desk").json
    assert desk
    scene.text("since then")
    listener = Listener(scene.ana, f"/api/v1/desk/stream?after={desk['position']}")
    told = listener.until(lambda told: any(each.event == "message" for each in told))
    assert [each[1] for each in shape(told) if each[0] == "message"] == ["since then"]


def test_nothing_is_lost_or_doubled_while_many_texts_come_and_streams_break(scene: Scene) -> None:
    scene.in_hand("ana")
    position, texts = scene.store.head(), [f"text {number}" for number in range(30)]
    writer = threading.Thread(target=lambda: [scene.text(each) for each in texts])
    writer.start()
    seen: list[str] = []
    while len(seen) < len(texts):
        listener = Listener(scene.ana, Last_Event_ID=str(position))
        told = listener.until(lambda told: any(each.event == "message" for each in told))
        listener.close()
        complete = max(number for number, each in enumerate(told) if each.id is not None)
        position = told[complete].id or position
        seen += [text for event, text in shape(told[: complete + 1]) if event == "message"]
    writer.join()
    assert seen == texts


@pytest.mark.parametrize("given", ["x", "-1", "9" * 30])
def test_a_wrong_place_to_go_on_from(scene: Scene, given: str) -> None:
    answer = _open(scene.ana, Last_Event_ID=given)
    assert (answer.status_code, fields_of(answer)) == (422, ["Last-Event-ID"])


def test_silence_is_broken_by_heartbeats_that_name_the_position(scene: Scene) -> None:
    listener = Listener(scene.ana)
    listener.until_position(scene.store.head())
    assert listener.heartbeats(3)[-1].id == scene.store.head()


# ── coming and going ───────────────────────────────────────────────────────────────────────────


def test_an_agent_is_connected_as_long_as_one_tab_is_open(scene: Scene) -> None:
    assert not agent(scene, "ana").connected
    first, second = Listener(scene.ana), Listener(scene.ana)
    assert agent(scene, "ana").connected
    first.close()
    first.close()
    assert agent(scene, "ana").connected
    second.close()
    gone = agent(scene, "ana")
    assert not gone.connected
    assert gone.lost_at == scene.platform.clock.now() + GRACE
    Listener(scene.ana)
    assert agent(scene, "ana").connected


def test_no_more_streams_than_there_may_be(scene: Scene) -> None:
    most = scene.platform.services.streams
    open_ones = [Listener(scene.ana) for _ in range(most)]
    refused = _open(scene.ben)
    assert (refused.status_code, fields_of(refused)) == (503, [])
    assert refused.headers["Retry-After"]
    assert not agent(scene, "ben").connected
    open_ones[0].close()
    Listener(scene.ben)


def test_who_has_no_stream(scene: Scene) -> None:
    assert _open(scene.analyst).status_code == 403
    newcomer = scene.person("nora", Role.AGENT)
    assert _open(newcomer).status_code == 404
    assert hub_of(scene.app).open_streams == 0


def test_streams_end_at_once_with_the_application(scene: Scene) -> None:
    listeners = [Listener(scene.ana), Listener(scene.ben)]
    hub_of(scene.app).close()
    for listener in listeners:
        listener.wait_for_end()
    assert not agent(scene, "ana").connected
    assert _open(scene.ana).status_code == 503


def test_a_failing_watch_loses_nothing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_hub, "_PAUSE", 0.01)
    hub = hub_of(scene.app)
    concerned, failures = hub.queries.concerned, [OSError("disk"), OSError("disk")]

    def fails_twice(after_position: int) -> tuple[set[str], int]:
        if failures:
            raise failures.pop()
        return concerned(after_position)

    monkeypatch.setattr(hub.queries, "concerned", fails_twice)
    listener = Listener(scene.ana)
    scene.in_hand("ana")
    told = listener.until_position(scene.store.head())
    assert ("message", "hello") in shape(told)
    assert not failures


# ── cost ───────────────────────────────────────────────────────────────────────────────────────


def test_only_those_concerned_look(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    services = scene.platform.services
    hub = StreamHub(services.views, services.presence, 50)
    looks: list[str] = []
    changes = hub.queries.changes

    def counted(login: str, after_position: int, limit: int) -> Any:
        looks.append(login)
        return changes(login, after_position, limit)

    monkeypatch.setattr(hub.queries, "changes", counted)
    monkeypatch.setattr(stream_hub, "HEARTBEAT", PATIENCE)
    streams = [hub.open("ben", None) for _ in range(20)]
    streams.append(hub.open("ana", None))
    scene.platform.catch_up()
    _wait_until(lambda: all(each.wake.is_set() for each in streams))
    threads = [threading.Thread(target=list, args=(each,), daemon=True) for each in streams]
    for thread in threads:
        thread.start()
    _wait_until(lambda: len(looks) == 2 * len(streams))  # each tells of the connecting, and looks again
    looks.clear()
    scene.in_hand("ana")
    _wait_until(lambda: "ana" in looks)
    hub.close()
    for thread in threads:
        thread.join(PATIENCE)
    assert set(looks) == {"ana"}


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.001)
