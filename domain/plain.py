"""Values of the domain as plain data: what JSON has a word for, and nothing else."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from eventsourcing.domain import AggregateEvent

_NOT_DATA = frozenset(
    {"originator_id", "originator_version", "originator_topic", "timestamp", "class_version"}
)


def moment(at: datetime) -> str:
    """A moment as RFC 3339 in UTC, to the microsecond."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def plain(value: Any) -> Any:
    """Text, numbers, lists and objects for what the domain keeps in values of its own."""
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, UUID | str):  # an enumeration's member too
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, tuple | list | frozenset):
        each_plain = [plain(each) for each in value]
        return sorted(each_plain, key=str) if isinstance(value, frozenset) else each_plain
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    return value


def event_type(event: AggregateEvent) -> str:
    """The event's type, the same for ever: its topic."""
    return str(getattr(type(event), "TOPIC"))  # noqa: B009 - the library's base class declares none


def event_data(event: AggregateEvent) -> dict[str, Any]:
    """What an event says, without what every event says."""
    return {
        each.name: plain(getattr(event, each.name)) for each in fields(event) if each.name not in _NOT_DATA
    }
