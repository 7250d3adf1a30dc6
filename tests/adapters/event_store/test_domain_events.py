"""Every event of the domain can be stored, and comes back as it was."""

import collections.abc
import dataclasses
import importlib
import pkgutil
from collections.abc import Iterator
from datetime import datetime
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import pytest
from eventsourcing.domain import AggregateEvent
from eventsourcing.utils import resolve_topic

import domain
from adapters.avro_codec import AvroError, schema_for
from adapters.event_store.mapper import AvroMapper
from tests.adapters.event_store.worlds import StoredWorld
from tests.contracts.samples import AT

NEVER_RECORDED = {"parley.message.created.v1"}  # what two events have in common

SAMPLES = {str: "żółw", int: 3, float: 0.5, bool: True, bytes: b"\x00", UUID: UUID(int=5), datetime: AT}


def topics() -> set[str]:
    for module in pkgutil.iter_modules(domain.__path__):
        importlib.import_module(f"domain.{module.name}")
    found = [each for each in subclasses(AggregateEvent) if each.__module__.startswith("domain.")]
    return {each.TOPIC for each in found if "TOPIC" in vars(each)}


def subclasses(of: type[Any]) -> Iterator[Any]:
    for each in of.__subclasses__():
        yield each
        yield from subclasses(each)


def sample(hint: Any, number: int) -> Any:
    """A value of this type. Unions take turns by number, so that each of their types has one."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return sample(parts[number % len(parts)], number)
    if origin in (tuple, frozenset):
        return origin([sample(parts[0], number)] * (number % 3))
    if origin in (dict, collections.abc.Mapping):
        return {"key": sample(parts[1], number)}
    if hint is NoneType:
        return None
    if issubclass(hint, Enum):
        members = list(hint)
        return members[number % len(members)]
    if dataclasses.is_dataclass(hint):
        return build(hint, number)
    return SAMPLES[hint]


def build(cls: Any, number: int) -> Any:
    hints = get_type_hints(cls) | {"originator_id": UUID}
    return cls(**{field.name: sample(hints[field.name], number) for field in dataclasses.fields(cls)})


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)  # as good as any
@pytest.mark.parametrize("topic", sorted(topics() - NEVER_RECORDED))
def test_an_event_comes_back_as_it_was(world: StoredWorld, topic: str) -> None:
    event_class = resolve_topic(topic)  # the library replaces some classes by others of the same name
    mapper = AvroMapper(world.keys)
    for number in range(12):
        event = build(event_class, number)
        found = mapper.to_domain_event(mapper.to_stored_event(event))
        assert found == event
        assert repr(found) == repr(event)  # 1, 1.0 and True are equal; a list is no tuple


@pytest.mark.parametrize("topic", sorted(NEVER_RECORDED))
def test_what_is_never_recorded_has_no_schema(topic: str) -> None:
    with pytest.raises(AvroError, match=topic):
        schema_for(topic)
