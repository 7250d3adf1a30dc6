"""Aggregates as they were read last, so that only what came after them has to be read again."""

from copy import deepcopy
from dataclasses import is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import cache
from typing import Any, TypeVar
from uuid import UUID

from eventsourcing.domain import Aggregate

from adapters.event_store.lru import Lru

TAggregate = TypeVar("TAggregate", bound=Aggregate)


class AggregateCache(Lru[UUID, Aggregate]):
    """Holds only what was made of stored events. Whoever changes one of these takes a copy first, and nobody
    puts one back after changing it: a save that fails, or a command that is refused, leaves no trace here.
    """


def copy_of(aggregate: TAggregate) -> TAggregate:
    """An aggregate that can be changed without changing this one. Much quicker than `copy.deepcopy`, because
    the domain's values are immutable and shared.
    """
    twin = object.__new__(type(aggregate))
    twin.__dict__.update({name: _copy(value) for name, value in vars(aggregate).items()})
    return twin


def _copy(value: Any) -> Any:
    kind: Any = type(value)
    if _is_immutable(kind):
        return value
    if kind is list:
        return [_copy(item) for item in value]
    if kind is dict:
        return {key: _copy(item) for key, item in value.items()}
    return deepcopy(value)


@cache
def _is_immutable(kind: Any) -> bool:
    if issubclass(kind, (str, int, float, bytes, bool, type(None), UUID, datetime, timedelta, Enum)):
        return True
    if issubclass(kind, (tuple, frozenset)):  # of immutable values, as everywhere in the domain
        return True
    return is_dataclass(kind) and bool(vars(kind)["__dataclass_params__"].frozen)
