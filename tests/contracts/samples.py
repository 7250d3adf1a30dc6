"""Aggregates for tests of event stores: every kind of value, encrypted fields, an event of two versions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Self
from uuid import UUID, uuid4

from eventsourcing.domain import CanInitAggregate
from eventsourcing.utils import register_topic

from adapters import avro_codec
from domain.aggregate import Aggregate

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


class Mood(StrEnum):
    GOOD = "good"
    BAD = "bad"


@dataclass(frozen=True)
class Rule:
    name: str
    mood: Mood | None = None
    owner: UUID | None = None


@dataclass(frozen=True)
class Terms:
    rules: tuple[Rule, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    until: datetime | None = None


TERMS = Terms(
    (Rule("first", Mood.BAD, UUID(int=7)), Rule("second")),
    {"hello": "żółw", "empty": ""},
    {"a": "x", "b": 2, "c": 0.5, "d": True},
    AT + timedelta(days=1),
)


class Chat(Aggregate):
    TOPIC = "test.chat.v1"

    class Created(Aggregate.Created):
        TOPIC = "test.chat.created.v1"
        customer_id: UUID
        address: str
        mood: Mood
        tags: tuple[str, ...]
        moods: frozenset[Mood]
        terms: Terms

        def apply(self, aggregate: "Chat") -> None:
            aggregate.customer_id = self.customer_id
            aggregate.address = self.address
            aggregate.texts = []

    class Wrote(Aggregate.Event):
        TOPIC = "test.chat.wrote.v1"
        customer_id: UUID
        text: str
        note: str | None

        def apply(self, aggregate: "Chat") -> None:
            aggregate.texts.append(self.text)

    def __init__(self) -> None:
        self.customer_id: UUID
        self.address: str
        self.texts: list[str]

    @classmethod
    def start(cls, customer_id: UUID, chat_id: UUID | None = None) -> Self:
        fields = {"mood": Mood.GOOD, "tags": ("a", "b"), "moods": frozenset(Mood), "terms": TERMS}
        created: type[CanInitAggregate[UUID]] = cls.Created
        return cls._begin(
            created, chat_id or uuid4(), AT, customer_id=customer_id, address="+15005550006", **fields
        )

    def write(self, text: str, note: str | None = None) -> None:
        self._record(self.Wrote, AT, customer_id=self.customer_id, text=text, note=note)


class Counter(Aggregate):
    """Has nothing to hide."""

    TOPIC = "test.counter.v1"

    class Created(Aggregate.Created):
        TOPIC = "test.counter.created.v1"

        def apply(self, aggregate: "Counter") -> None:
            aggregate.total = 0

    class Counted(Aggregate.Event):
        """In its first version it had only `one`, which said whether that was the number."""

        TOPIC = "test.counter.counted.v2"
        class_version: ClassVar[int] = 2
        number: int

        def apply(self, aggregate: "Counter") -> None:
            aggregate.total += self.number

        @staticmethod
        def upcast_v1_v2(state: dict[str, Any]) -> None:
            state["number"] = 1 if state.pop("one") else 0

    def __init__(self) -> None:
        self.total: int

    @classmethod
    def start(cls, counter_id: UUID | None = None) -> Self:
        return cls._begin(cls.Created, counter_id or uuid4(), AT)

    def count(self, number: int = 1) -> None:
        self._record(self.Counted, AT, number=number)


register_topic("test.counter.counted.v1", Counter.Counted)

_UUID = {"type": "string", "logicalType": "uuid"}
_MOMENT = {"type": "long", "logicalType": "timestamp-micros"}
_MOOD = {"type": "enum", "name": "Mood", "symbols": ["good", "bad"]}
_RULE = {
    "type": "record",
    "name": "Rule",
    "fields": [
        {"name": "name", "type": "string"},
        {"name": "mood", "type": ["null", "Mood"]},
        {"name": "owner", "type": ["null", _UUID]},
    ],
}
_TERMS = {
    "type": "record",
    "name": "Terms",
    "fields": [
        {"name": "rules", "type": {"type": "array", "items": _RULE}},
        {"name": "texts", "type": {"type": "map", "values": "string"}},
        {"name": "options", "type": {"type": "map", "values": ["string", "boolean", "long", "double"]}},
        {"name": "until", "type": ["null", _MOMENT]},
    ],
}
_TIMESTAMP = {"timestamp": _MOMENT}
_CREATED = {"timestamp": _MOMENT, "originator_topic": "string"}
_CHAT_CREATED = {
    **_CREATED,
    "customer_id": _UUID,
    "address": "bytes",
    "mood": _MOOD,
    "tags": {"type": "array", "items": "string"},
    "moods": {"type": "array", "items": "Mood"},
    "terms": _TERMS,
}
_CHAT_WROTE = {**_TIMESTAMP, "customer_id": _UUID, "text": "bytes", "note": ["null", "bytes"]}


def _register(topic: str, types: Mapping[str, Any], encrypted: tuple[str, ...] = ()) -> None:
    fields = [{"name": name, "type": type_} for name, type_ in types.items()]
    for each in fields:
        if each["name"] in encrypted:
            each["encrypted"] = True
    name = topic.replace(".", "_").replace("-", "_")
    avro_codec.register(topic, {"type": "record", "name": name, "fields": fields})


_register("test.chat.created.v1", _CHAT_CREATED, ("address",))
_register("test.chat.wrote.v1", _CHAT_WROTE, ("text", "note"))
_register("test.counter.created.v1", _CREATED)
_register("test.counter.counted.v1", {**_TIMESTAMP, "one": "boolean"})
_register("test.counter.counted.v2", {**_TIMESTAMP, "number": "long", "class_version": "int"})
