"""Schemas agree with the events; a released one never changes; what was stored once can be read for ever."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from eventsourcing.persistence import StoredEvent
from eventsourcing.utils import resolve_topic
from fastavro.schema import fingerprint, to_parsing_canonical_form

from adapters.avro_codec import schema_for
from domain.facts import FACTS
from tests.avro.events import (
    NEVER_RECORDED,
    body,
    event_classes,
    example,
    mapper,
    plain,
    schema_shape,
    sealed,
    shape,
)

HERE = Path(__file__).parent
FILES = {path.name.removesuffix(".avsc") for path in (HERE.parents[1] / "avro_schemas").glob("*.avsc")}
EVENTS = event_classes()
FACT_TOPICS = {fact.TOPIC for fact in FACTS}
RELEASED: dict[str, str] = json.loads((HERE / "released.json").read_text("utf-8"))
SAMPLES: dict[str, dict[str, Any]] = json.loads((HERE / "samples.json").read_text("utf-8"))

ENCRYPTED = {
    "parley.conversation.created.v1": {"customer_address"},
    "parley.long-text.part-received.v1": {"customer_address", "data"},
    "parley.message.received.v1": {"customer_address", "text", "media_urls"},
    "parley.message.requested.v1": {"customer_address", "text"},
    "parley.message.resolved.v1": {"why"},
}


def crc(topic: str) -> str:
    return fingerprint(to_parsing_canonical_form(schema_for(topic)), "CRC-64-AVRO")


def sample(topic: str) -> dict[str, Any]:
    event = example(EVENTS[topic])
    return {"state": mapper().to_stored_event(event).state.hex(), "event": plain(event)}


# ── schemas and classes ────────────────────────────────────────────────────────────────────────────


def test_every_event_and_fact_has_a_schema() -> None:
    assert (set(EVENTS) | FACT_TOPICS) - FILES == set()
    assert set(EVENTS) & NEVER_RECORDED == set()


def test_every_schema_is_of_an_event_or_a_fact() -> None:
    strangers = [
        topic for topic in FILES - FACT_TOPICS if getattr(resolve_topic(topic), "TOPIC", topic) not in EVENTS
    ]
    assert strangers == []


@pytest.mark.parametrize("topic", sorted(EVENTS))
def test_a_schema_says_what_the_annotations_say(topic: str) -> None:
    schema = schema_for(topic)
    encrypted = {field["name"] for field in schema["fields"] if field.get("encrypted")}
    assert encrypted == ENCRYPTED.get(topic, set())
    assert not encrypted or shape(body(EVENTS[topic])["customer_id"]) == "uuid"
    expected = {
        name: sealed(shape(hint)) if name in encrypted else shape(hint)
        for name, hint in body(EVENTS[topic]).items()
    }
    assert dict(schema_shape(schema, {})[1]) == expected


@pytest.mark.parametrize("topic", sorted(EVENTS))
def test_a_schema_is_named_by_its_topic_and_documented(topic: str) -> None:
    schema = schema_for(topic)
    *words, version = topic.removeprefix("parley.").replace("-", ".").split(".")
    assert (schema["namespace"], schema["name"]) == (
        "parley.event",
        "".join(word.capitalize() for word in words) + version.upper(),
    )
    assert schema["doc"].endswith((".", ").")), "say what happened: the event's docstring"


@pytest.mark.parametrize("topic", sorted(EVENTS))
def test_an_event_comes_back_as_it_was(topic: str) -> None:
    event = example(EVENTS[topic])
    stored = mapper().to_stored_event(event)
    assert stored.topic == topic
    assert mapper().to_domain_event(stored) == event
    assert all(secret.encode() not in stored.state for secret in _secrets(topic, event))


def _secrets(topic: str, event: Any) -> list[str]:
    return [getattr(event, name) for name in ENCRYPTED.get(topic, set())]


# ── what is released ───────────────────────────────────────────────────────────────────────────────


def test_a_released_schema_never_changes() -> None:
    """Add a new version beside it (`….v2`) instead, with an upcast in the event class."""
    assert {topic: crc(topic) for topic in RELEASED} == RELEASED


def test_every_schema_is_listed_as_released() -> None:
    """Add what this shows to released.json; nothing is ever taken out of it."""
    assert {topic: crc(topic) for topic in sorted(FILES - set(RELEASED))} == {}


def test_every_event_has_a_stored_sample() -> None:
    """Add what this shows to samples.json; nothing is ever taken out of it."""
    assert {topic: sample(topic) for topic in sorted(set(RELEASED) - FACT_TOPICS - set(SAMPLES))} == {}


@pytest.mark.parametrize("topic", sorted(SAMPLES))
def test_a_stored_sample_can_still_be_read(topic: str) -> None:
    stored = StoredEvent(UUID(int=1 << 64), 3, topic, bytes.fromhex(SAMPLES[topic]["state"]))
    event = mapper().to_domain_event(stored)
    assert type(event) is resolve_topic(topic)
    assert plain(event) == SAMPLES[topic]["event"]
    # Texts and identities that only look alike would not survive another writing.
    assert mapper().to_domain_event(mapper().to_stored_event(event)) == event
