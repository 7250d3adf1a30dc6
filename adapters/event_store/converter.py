"""Between the values in events and what Avro can write.

Avro itself knows text, numbers, octets, UUIDs and moments; enumerations, tuples, sets and frozen
dataclasses are turned into those and back. The functions for that are made once per event class.
"""

import collections.abc
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from cattrs import Converter
from eventsourcing.utils import resolve_topic

from adapters.avro_codec import schema_for

_PRIMITIVES = (str, int, float, bool, bytes, UUID, datetime, NoneType)
_OUTSIDE_THE_BODY = ("originator_id", "originator_version")


@dataclass(frozen=True)
class Plan:
    """How events of one topic are written and read."""

    event_class: Any
    topic: str
    class_version: int
    encrypted: tuple[tuple[str, bytes], ...]  # field, and topic and field as part of what it is bound to
    unstructure: tuple[tuple[str, Callable[[Any], Any]], ...]  # fields that need it, and how
    structure: tuple[tuple[str, Any, Callable[[Any, Any], Any]], ...]  # the same with the type to make


@cache
def plan_for(topic: str) -> Plan:
    """The plan for a topic, old ones included. Raises TypeError when class and schema do not go together."""
    event_class = resolve_topic(topic)
    types = {
        name: hint
        for name, hint in get_type_hints(event_class).items()
        if name in {field.name for field in fields(event_class)} and name not in _OUTSIDE_THE_BODY
    }
    encrypted = [field["name"] for field in schema_for(topic)["fields"] if field.get("encrypted")]
    if encrypted and "customer_id" not in types:
        raise TypeError(f"{topic} has encrypted fields and so needs a field customer_id.")
    special = [(name, hint) for name, hint in types.items() if not _is_plain(hint)]
    return Plan(
        event_class=event_class,
        topic=topic,
        class_version=getattr(event_class, "class_version", 1),
        encrypted=tuple((name, f"{topic}:{name}".encode()) for name in encrypted),
        unstructure=tuple((name, _CONVERTER.get_unstructure_hook(hint)) for name, hint in special),
        structure=tuple((name, hint, _CONVERTER.get_structure_hook(hint)) for name, hint in special),
    )


def _is_plain(hint: Any) -> bool:
    """Whether Avro writes and reads values of this type just as they are."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return all(_is_plain(part) for part in get_args(hint))
    if origin in (dict, collections.abc.Mapping):
        return all(_is_plain(part) for part in get_args(hint))
    return hint in _PRIMITIVES


def _converter() -> Converter:
    converter = Converter(
        detailed_validation=False, unstruct_collection_overrides={tuple: list, frozenset: list}
    )
    converter.register_unstructure_hook_factory(_is_plain, lambda _: _unchanged)
    converter.register_structure_hook_factory(_is_plain, lambda _: _as_it_is)
    return converter


def _unchanged(value: Any) -> Any:
    return value


def _as_it_is(value: Any, _: Any) -> Any:
    return value


_CONVERTER = _converter()
