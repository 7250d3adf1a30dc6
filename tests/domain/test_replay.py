"""Replay: what a timeline tells, in what order, and the state as of any moment."""

import inspect
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from domain import replay_words
from domain.aggregate import Aggregate
from domain.consent import Consent
from domain.conversations import Conversation, State
from domain.desk import Start
from domain.errors import NotFound
from domain.facts import MediaFetched, Outcome, ReceiptStatus
from domain.mapping_settings import KeywordAnswers, Status
from domain.mappings import Mapping
from domain.message_values import MessageStatus, Resolution
from domain.messages import Message
from domain.replay import Replay, Timeline
from domain.replay_words import tell
from tests.domain.given import ADMIN, ANA, BEN, CUSTOMER, MAPPING, OURS, SCOPE, Stage
from tests.fakes.clock import START


class Scene(Stage):
    """Two agents; every step happens a second after the last."""

    def __init__(self, **control: Any) -> None:
        settings = replace(MAPPING.chat_control, keyword_answers=KeywordAnswers.PARLEY, **control)
        super().__init__(replace(MAPPING, chat_control=settings))
        self.agent("ana")
        self.agent("ben")

    def tick(self, seconds: float = 1) -> datetime:
        return self.clock.advance(timedelta(seconds=seconds))

    def comes(self, text: str, at: datetime | None = None) -> UUID:
        """A customer's text, accepted now or at another moment; the message's id."""
        now = self.tick()
        self.clock.time = at or now
        self.text(text)
        self.clock.time = now
        return self.ids.inbound(SCOPE, f"SM{self.texts}")

    def begun(self) -> UUID:
        """A conversation that the customer began and Ana has."""
        message_id = self.comes("hello")
        self.tick()
        self.route()
        return self.conversation_of(message_id)

    def conversation_of(self, message_id: UUID) -> UUID:
        found = self.message(message_id).conversation_id
        assert found
        return found

    def messages(self) -> list[UUID]:
        begun = (each.event for each in self.store.read(0, self.store.head()))
        return [each.originator_id for each in begun if _begins_message(each)]

    def end_idle(self, conversation_id: UUID) -> None:
        self.tick(3600)
        self.idle(conversation_id)

    def replay(self, conversation_id: UUID) -> Timeline:
        of_it = [each for each in self.messages() if self.message(each).conversation_id == conversation_id]
        return Replay(self.store, self.ids).timeline(conversation_id, of_it)


def _begins_message(event: object) -> bool:
    return isinstance(event, Message.Received | Message.Requested)


def told(timeline: Timeline) -> list[tuple[str, str, str]]:
    return [(entry.kind.value, entry.who, entry.sentence) for entry in timeline.entries]


def kinds(timeline: Timeline) -> list[str]:
    return [entry.kind.value for entry in timeline.entries]


def test_a_conversation_is_told_from_first_text_to_idle_end() -> None:
    scene = Scene()
    conversation_id = scene.begun()
    reply = scene.desk.reply(ANA, conversation_id, "good day", (), "k1").result
    scene.attempt(reply)
    scene.settled(reply, Outcome.ACCEPTED)
    scene.receipt(ReceiptStatus.DELIVERED)
    scene.end_idle(conversation_id)

    timeline = scene.replay(conversation_id)

    assert told(timeline) == [
        ("started", "customer", "The customer began the conversation on +15005550006, under version 1 of TW"),
        ("text", "customer", "“hello”"),
        ("queued", "Parley", "Waits in queue SUPPORT, as a new conversation"),
        ("assigned", "router", "Routed to ana after 1 s of waiting: idle the longest"),
        ("notice", "Parley", "Notice (agent joined): “Ana has joined the conversation.”"),
        ("text", "ana", "“good day”"),
        ("attempt", "Parley", "Attempt 1 on lane, to leave within 60 s"),
        ("outcome", "provider", "The provider took attempt 1 as OUT1"),
        ("receipt", "provider", "Receipt for attempt 1: delivered (“DELIVERED”)"),
        ("ended", "Parley", "Ended as handled: nobody wrote for the set time"),
        ("notice", "Parley", "Notice (idle timeout): “Bye for now”"),
    ]
    assert timeline.configuration == scene.get(Mapping, scene.ids.mapping("TW")).settings
    considered = timeline.entries[3].data["considered"]
    assert [each["verdict"] for each in considered] == ["idle the longest", "idle for a shorter time"]
    assert [entry.at for entry in timeline.entries] == sorted(entry.at for entry in timeline.entries)
    assert timeline.entries[5].message_id == reply
    assert timeline.entries[5].type == "parley.message.requested.v1"


def test_every_event_of_the_conversation_and_its_messages_is_told_once() -> None:
    scene = Scene()
    conversation_id = scene.begun()
    scene.desk.reply(ANA, conversation_id, "good day", (), "k1")
    timeline = scene.replay(conversation_id)
    of_it = {conversation_id, *scene.messages()}
    events = [each for each in scene.store.read(0, 1000) if each.event.originator_id in of_it]
    begun = sum(_begins_message(each.event) for each in events)
    notices = kinds(timeline).count("notice")
    assert len(timeline.entries) == len(events) - (begun - notices)


def test_a_message_in_doubt_and_what_was_decided() -> None:
    scene = Scene()
    conversation_id = scene.begun()
    reply = scene.desk.reply(ANA, conversation_id, "good day", (), "k1").result
    scene.attempt(reply)
    scene.settled(reply, Outcome.IN_DOUBT, detail="timed out")
    in_doubt_at = scene.clock.time
    scene.tick()
    scene.attention.resolve(ANA, reply, Resolution.RESEND, "the customer has nothing")
    timeline = scene.replay(conversation_id)
    assert told(timeline)[-2:] == [
        (
            "in_doubt",
            "Parley",
            "Nobody knows whether attempt 1 went: the message is in doubt (timed out)",
        ),
        ("resolved", "ana", "Decided to send it again: the customer has nothing"),
    ]
    then = {each.id: each.status for each in timeline.state_at(in_doubt_at).messages}
    assert then[reply] is MessageStatus.IN_DOUBT
    now = {each.id: each.status for each in timeline.state_at(scene.clock.time).messages}
    assert now[reply] is MessageStatus.REQUESTED


def test_suppressed_notices_are_told_as_withheld() -> None:
    scene = Scene(suppress_system_messages=True)
    conversation_id = scene.begun()
    timeline = scene.replay(conversation_id)
    sentence = "Notice withheld (agent joined): “Ana has joined the conversation.”"
    assert told(timeline)[-1] == ("withheld", "Parley", sentence)


def test_transfers_name_who_did_them() -> None:
    scene = Scene()
    conversation_id = scene.begun()
    scene.tick()
    scene.desk.transfer_to_agent(ANA, conversation_id, "ben")
    scene.tick()
    scene.desk.transfer_to_queue(BEN, conversation_id, "SUPPORT")
    transfers = [each for each in told(scene.replay(conversation_id)) if each[0] == "transferred"]
    assert transfers == [
        ("transferred", "ana", "Handed over to ben"),
        ("transferred", "ben", "Waits in queue SUPPORT, transferred there"),
    ]


def test_a_single_message_is_told_in_the_order_in_which_it_makes_sense() -> None:
    scene = Scene()
    scene.tick()
    started = scene.desk.start(ANA, Start(OURS, CUSTOMER, "your parcel is here", single=True), "k1").result
    timeline = scene.replay(started.conversation_id)
    assert told(timeline) == [
        (
            "started",
            "agent",
            "An agent sent a single message on +15005550006, under version 1 of TW",
        ),
        ("text", "ana", "“your parcel is here”"),
        ("ended", "ana", "Ended as single: it was a single message"),
    ]


def test_consent_and_configuration_count_only_while_the_conversation_lasts() -> None:
    scene = Scene()
    scene.comes("STOP")
    scene.comes("START")
    conversation_id = scene.conversation_of(scene.comes("hello"))
    scene.change(description="Second")
    scene.comes("STOP")
    scene.end_idle(conversation_id)
    scene.comes("START")
    scene.change(description="Third")

    timeline = scene.replay(conversation_id)

    around = [each for each in told(timeline) if each[0] in ("consent", "configuration")]
    assert around == [
        (
            "configuration",
            "root",
            "TW modified to version 2; this conversation keeps its chat control and delivery",
        ),
        ("consent", "customer", "Opted out, known from the customer's text"),
    ]
    assert timeline.configuration
    assert timeline.configuration.description == MAPPING.description
    started, ended = timeline.entries[0].at, timeline.entries[-1].at
    assert not timeline.state_at(started).opted_out
    assert timeline.state_at(ended).opted_out
    assert not timeline.state_at(scene.clock.time).opted_out


def test_the_state_at_each_moment_is_what_only_the_events_until_then_make() -> None:
    scene = Scene()
    conversation_id = scene.begun()
    scene.desk.reply(ANA, conversation_id, "good day", (), "k1")
    scene.tick()
    scene.desk.end(ANA, conversation_id, None)
    timeline = scene.replay(conversation_id)

    assert timeline.state_at(START).conversation is None
    states = [_state(timeline, START + timedelta(seconds=second)) for second in range(1, 4)]
    assert states == [State.WAITING, State.ASSIGNED, State.ENDED]
    loaded = scene.store.load({conversation_id})[conversation_id]
    latest = timeline.state_at(scene.clock.time).conversation
    assert latest
    assert vars(latest) == vars(loaded)


def _state(timeline: Timeline, moment: datetime) -> State | None:
    found = timeline.state_at(moment).conversation
    return found.state if found else None


def test_a_text_ingested_late_stands_at_the_time_of_its_acceptance() -> None:
    scene = Scene()
    conversation_id = scene.begun()
    accepted_at = scene.tick()
    scene.tick()
    scene.desk.reply(ANA, conversation_id, "are you there", (), "k1")
    scene.comes("yes", at=accepted_at)
    timeline = scene.replay(conversation_id)
    texts = [entry.sentence for entry in timeline.entries if entry.kind.value == "text"]
    assert texts == ["“hello”", "“yes”", "“are you there”"]
    # The conversation heard of it only after the reply: until then its own state stays whole.
    between = timeline.state_at(accepted_at)
    assert [each.text for each in between.messages][-1] == "yes"
    assert between.conversation
    assert between.conversation.version < scene.store.load({conversation_id})[conversation_id].version


def test_media_and_texts_that_had_no_route_are_told() -> None:
    scene = Scene()
    message_id = scene.comes("hello")
    conversation_id = scene.conversation_of(message_id)
    media_id = UUID(int=5)
    key = scene.ids.thread(OURS, CUSTOMER)
    scene.ingest(MediaFetched(key, message_id, 0, media_id, "image/png", 12, ""))
    scene.ingest(MediaFetched(key, message_id, 1, None, "", 0, "it is too large"))
    assert [each[2] for each in told(scene.replay(conversation_id))[-2:]] == [
        "File 1 was copied (image/png, 12 octets)",
        "File 2 could not be copied: it is too large",
    ]


def test_an_unrouted_text_is_told_twice_when_it_came_and_when_it_was_routed() -> None:
    scene = Scene()
    scene.change(status=Status.PAUSED)
    message_id = scene.comes("hello")
    came_at = scene.clock.time
    scene.change(status=Status.ACTIVE)
    scene.tick()
    scene.attention.route_again(ADMIN, message_id)
    timeline = scene.replay(scene.conversation_of(message_id))
    assert timeline.entries[0].at == came_at
    assert told(timeline)[0] == ("unrouted", "customer", "“hello” found no route: mapping TW is paused")
    assert ("routed", "root", "Routed after the fix") in told(timeline)
    assert ("text", "customer", "The customer's text was taken up") in told(timeline)


def test_the_conversations_own_messages_are_found_without_the_view() -> None:
    scene = Scene()
    conversation_id = scene.conversation_of(scene.comes("hello"))
    timeline = Replay(scene.store, scene.ids).timeline(conversation_id, [])
    assert ("text", "customer", "“hello”") in told(timeline)


def test_what_is_no_conversation_is_not_found() -> None:
    scene = Scene()
    with pytest.raises(NotFound):
        Replay(scene.store, scene.ids).timeline(UUID(int=1), [])
    with pytest.raises(NotFound):
        Replay(scene.store, scene.ids).timeline(scene.ids.mapping("TW"), [])


@pytest.mark.parametrize("aggregate", [Conversation, Message, Consent, Mapping])
def test_every_event_that_can_stand_in_a_replay_has_words(aggregate: type[Aggregate]) -> None:
    words = inspect.getsource(replay_words)
    events = [each for each in vars(aggregate).values() if isinstance(each, type) and "TOPIC" in vars(each)]
    recorded = [each for each in events if each is not Message.Created]
    assert [each.__qualname__ for each in recorded if f"{each.__qualname__}(" not in words] == []


def test_an_event_that_has_no_part_in_a_conversation_is_refused() -> None:
    scene = Scene()
    with pytest.raises(LookupError, match="Agent"):
        tell(scene.store.stream(scene.ids.agent("ana"))[0].event)
