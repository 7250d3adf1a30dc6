"""Events as rows: Avro, with customers' texts and numbers encrypted in it."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from eventsourcing.domain import AggregateEvent, DomainEventProtocol
from eventsourcing.persistence import Mapper, StoredEvent
from eventsourcing.utils import get_topic

from adapters import avro_codec
from adapters.event_store.converter import Plan, plan_for
from adapters.keys.customers import CustomerKey, Keyring
from adapters.keys.sealing import seal, unseal
from adapters.keys.vault import ID_LENGTH
from domain.errors import Unreadable
from domain.values import ERASED

VERSION = 1
_VERSION_OCTET = bytes((VERSION,))
PREFIX_LENGTH = 1 + ID_LENGTH
"""Of an encrypted value: the version's octet and the key's id, then nonce and ciphertext."""


@dataclass(frozen=True)
class Encoded:
    """Events as rows, and for each customer key that encrypted some of them, in which streams."""

    stored: list[StoredEvent]
    streams_by_key: Mapping[bytes, Collection[UUID]]


@dataclass(frozen=True)
class _Opened:
    """A row on its way back to an event, its encrypted fields still closed."""

    stored: StoredEvent
    plan: Plan
    record: dict[str, Any]


class AvroMapper(Mapper[UUID]):
    """The library's mapper with Avro bodies. Stream, version and topic are the row's and not in the body.

    A field that the schema names as encrypted is text in Python and octets in Avro, under the key of the
    customer that the event's field `customer_id` names, bound to stream, version, topic and field.
    """

    def __init__(self, keyring: Keyring) -> None:
        # The base class's own needs a transcoder, which cannot know the event's class.
        self._keyring = keyring

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredEvent:
        return self.encode([domain_event]).stored[0]

    def to_domain_event(self, stored_event: StoredEvent) -> AggregateEvent:
        return self.decode([stored_event])[0]

    def encode(self, events: Sequence[DomainEventProtocol[UUID]]) -> Encoded:
        """The rows of many events, with the customers' keys by one query. Raises AvroError."""
        plans = [plan_for(get_topic(type(event))) for event in events]
        owners = [_owner(event, plan) for event, plan in zip(events, plans, strict=True)]
        customers = {owner for owner in owners if owner is not None}
        keys = self._keyring.keys_for(customers) if customers else {}
        stored = []
        streams_by_key: defaultdict[bytes, set[UUID]] = defaultdict(set)
        for event, plan, owner in zip(events, plans, owners, strict=True):
            key = None if owner is None else keys[owner]
            if key is not None:
                streams_by_key[key.key_id].add(event.originator_id)
            stored.append(_encode(event, plan, key))
        return Encoded(stored, streams_by_key)

    def decode(self, stored: Sequence[StoredEvent]) -> list[AggregateEvent]:
        """The events of many rows, with the customers' keys by one query.

        A field whose key was destroyed reads `ERASED`. Raises Unreadable or AvroError when anything was
        altered.
        """
        opened = [_open(each) for each in stored]
        key_ids = {
            _key_id(each.record[name])
            for each in opened
            for name, _ in each.plan.encrypted
            if each.record[name] is not None
        }
        keys = self._keyring.by_key_ids(key_ids) if key_ids else {}
        return [_decode(each, keys) for each in opened]


def _owner(event: DomainEventProtocol[UUID], plan: Plan) -> UUID | None:
    """The customer whose key encrypts something in this event."""
    if any(getattr(event, name) is not None for name, _ in plan.encrypted):
        return cast(UUID, event.customer_id)  # type: ignore[attr-defined]  # `plan_for` made sure
    return None


def _encode(event: DomainEventProtocol[UUID], plan: Plan, key: CustomerKey | None) -> StoredEvent:
    record = dict(vars(event))
    stream_id = record.pop("originator_id")
    version = record.pop("originator_version")
    for name, hook in plan.unstructure:
        record[name] = hook(record[name])
    if key is not None:
        prefix = _VERSION_OCTET + key.key_id
        place = _place(stream_id, version)
        for name, what in plan.encrypted:
            if record[name] is not None:
                record[name] = seal(prefix, key.key, record[name].encode(), place + what)
    if plan.class_version > 1:
        record["class_version"] = plan.class_version
    return StoredEvent(stream_id, version, plan.topic, avro_codec.encode(plan.topic, record))


def _open(stored: StoredEvent) -> _Opened:
    topic, record = avro_codec.decode(stored.state)
    if topic != stored.topic:
        raise Unreadable(f"{_where(stored)} holds a {topic}: it was altered.")
    return _Opened(stored, plan_for(topic), record)


def _decode(opened: _Opened, keys: Mapping[bytes, bytes | None]) -> AggregateEvent:
    stored, plan, record = opened.stored, opened.plan, opened.record
    stream_id = cast(UUID, stored.originator_id)
    if plan.encrypted:
        place = _place(stream_id, stored.originator_version)
        for name, what in plan.encrypted:
            if record[name] is not None:
                record[name] = _reveal(record[name], keys, place + what, stored)
    record["originator_id"] = stream_id
    record["originator_version"] = stored.originator_version
    from_version = record.pop("class_version", 1)
    while from_version < plan.class_version:
        getattr(plan.event_class, f"upcast_v{from_version}_v{from_version + 1}")(record)
        from_version += 1
    for name, hint, hook in plan.structure:
        record[name] = hook(record[name], hint)
    # As the library does: what is stored was checked when it happened, and old shapes have been upcast.
    event: AggregateEvent = object.__new__(plan.event_class)
    object.__setattr__(event, "__dict__", record)
    return event


def _reveal(sealed: bytes, keys: Mapping[bytes, bytes | None], context: bytes, stored: StoredEvent) -> str:
    key = keys[_key_id(sealed)]
    if key is None:
        return ERASED
    try:
        return unseal(sealed, PREFIX_LENGTH, key, context).decode()
    except Unreadable as error:
        raise Unreadable(f"{_where(stored)}: {error}") from None


def _key_id(sealed: bytes) -> bytes:
    if len(sealed) < PREFIX_LENGTH or sealed[0] != VERSION:
        raise Unreadable("A customer's text or number was altered: it does not begin as one.")
    return sealed[1:PREFIX_LENGTH]


def _place(stream_id: UUID, version: int) -> bytes:
    return stream_id.bytes + version.to_bytes(8)


def _where(stored: StoredEvent) -> str:
    return f"Event {stored.originator_version} of stream {stored.originator_id} ({stored.topic})"
