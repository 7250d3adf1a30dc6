"""Every event class of the domain, what its annotations ask of a schema, and a filled example of each."""

import dataclasses
import importlib
import itertools
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from adapters.event_store.mapper import AvroMapper
from adapters.keys.customers import CustomerKey
from domain import __path__ as domain_path
from domain.aggregate import Aggregate
from domain.messages import Message

NEVER_RECORDED = {Message.Created.TOPIC}  # only Received and Requested are, which it is the base of
OUTSIDE_THE_BODY = ("originator_id", "originator_version")

Shape = Any
"""A type as annotations and schemas both can say it: a word, or a tuple that begins with one."""

_WORDS: dict[Any, str] = {
    str: "string", int: "long", float: "double", bool: "boolean", NoneType: "null",
    UUID: "uuid", datetime: "time",
}  # fmt: skip


def event_classes() -> dict[str, type[Any]]:
    """The events that can be recorded, by topic."""
    modules = [importlib.import_module(f"domain.{each.name}") for each in pkgutil.iter_modules(domain_path)]
    found = {
        event.TOPIC: event
        for module in modules
        for aggregate in _classes(module)
        if issubclass(aggregate, Aggregate) and aggregate.__module__ == module.__name__
        for event in _classes(aggregate)
        if getattr(event, "TOPIC", aggregate.TOPIC) != aggregate.TOPIC
    }
    return {topic: event for topic, event in found.items() if topic not in NEVER_RECORDED}


def _classes(namespace: Any) -> Iterator[Any]:
    return (each for each in vars(namespace).values() if isinstance(each, type) and hasattr(each, "TOPIC"))


def body(event_class: type[Any]) -> dict[str, Any]:
    """The annotations of the fields that an event's body holds."""
    hints = get_type_hints(event_class)
    names = [field.name for field in dataclasses.fields(event_class)]
    return {name: hints[name] for name in names if name not in OUTSIDE_THE_BODY}


def shape(hint: Any) -> Shape:
    """What an annotation asks of a schema."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return ("union", frozenset(shape(part) for part in parts))
    if origin is tuple:
        return ("array", shape(parts[0]))
    if origin in (dict, Mapping):
        return ("map", shape(parts[1]))
    if dataclasses.is_dataclass(hint):
        hints = get_type_hints(hint)
        return ("record", tuple((field.name, shape(hints[field.name])) for field in dataclasses.fields(hint)))
    return "string" if issubclass(hint, StrEnum) else _WORDS[hint]


def sealed(text: Shape) -> Shape:
    """What a text, or one that may be absent, asks of a schema that has it encrypted."""
    return {
        "string": "bytes",
        ("union", frozenset({"string", "null"})): ("union", frozenset({"bytes", "null"})),
    }[text]


def schema_shape(node: Any, named: dict[str, Shape]) -> Shape:
    """What a schema says. `named` collects the records it has met, which later are meant by name."""
    if isinstance(node, list):
        return ("union", frozenset(schema_shape(branch, named) for branch in node))
    if isinstance(node, str):
        return named.get(node, node)
    kind = node["type"]
    if kind == "record":
        fields = tuple((field["name"], schema_shape(field["type"], named)) for field in node["fields"])
        return named.setdefault(f"{node['namespace']}.{node['name']}", ("record", fields))
    if kind == "array":
        return ("array", schema_shape(node["items"], named))
    if kind == "map":
        return ("map", schema_shape(node["values"], named))
    return {"uuid": "uuid", "timestamp-micros": "time"}[node["logicalType"]]


def example(event_class: type[Any]) -> Any:
    """An event of this class with every field filled, the optional ones too; always the same one."""
    numbers = itertools.count(1)
    values = {name: _value(hint, numbers) for name, hint in body(event_class).items()}
    return event_class(originator_id=UUID(int=1 << 64), originator_version=3, **values)


def _value(hint: Any, numbers: Iterator[int]) -> Any:
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _value(next(part for part in parts if part is not NoneType), numbers)
    if origin is tuple:
        return (_value(parts[0], numbers), _value(parts[0], numbers))
    if origin in (dict, Mapping):
        # An option's value is of several types: one of each.
        kinds = get_args(parts[1]) or (parts[1],)
        return {f"key {next(numbers)}": _value(kind, numbers) for kind in kinds}
    if dataclasses.is_dataclass(hint):
        return _filled(hint, numbers)
    return list(hint)[-1] if issubclass(hint, StrEnum) else _LEAVES[hint](next(numbers))


def _filled(kind: Any, numbers: Iterator[int]) -> Any:
    hints = get_type_hints(kind)
    return kind(**{field.name: _value(hints[field.name], numbers) for field in dataclasses.fields(kind)})


_LEAVES: dict[Any, Callable[[int], Any]] = {
    str: lambda number: f"żółw 👋 {number}",
    int: lambda number: number << 33,
    float: lambda number: number + 0.5,
    bool: lambda number: True,
    UUID: lambda number: UUID(int=number << 64 | number),
    datetime: lambda number: datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC) + timedelta(hours=number),
}


def plain(value: Any) -> Any:
    """A value as JSON can hold it, for people to read."""
    if dataclasses.is_dataclass(value):
        return {name: plain(each) for name, each in vars(value).items()}
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    return value if value is None or isinstance(value, bool | int | float) else str(value)


class OneKey:
    """A keyring whose customers all have the same key, which never changes: the stored samples need it."""

    ID, KEY = bytes(range(16)), bytes(range(32))

    def keys_for(self, customer_ids: Any) -> dict[UUID, CustomerKey]:
        return {each: CustomerKey(self.ID, self.KEY) for each in customer_ids}

    def by_key_ids(self, key_ids: Any) -> dict[bytes, bytes | None]:
        return dict.fromkeys(key_ids, self.KEY)


def mapper() -> AvroMapper:
    """The store's mapper, with that key."""
    return AvroMapper(OneKey())  # type: ignore[arg-type]  # a part of `Keyring` is all that it uses
