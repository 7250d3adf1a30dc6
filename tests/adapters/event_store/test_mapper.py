"""Events to rows and back."""

from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import StoredEvent

from adapters import avro_codec
from adapters.avro_codec import AvroError
from adapters.event_store.mapper import AvroMapper
from domain.aggregate import Aggregate
from domain.ports import Unit
from tests.adapters.event_store.worlds import StoredWorld
from tests.contracts.samples import AT, Chat, Counter


@pytest.fixture
def mapper(world: StoredWorld) -> AvroMapper:
    return AvroMapper(world.keys)


def test_one_event_as_the_library_maps_it(mapper: AvroMapper) -> None:
    for event in Chat.start(uuid4()).pending_events:
        assert mapper.to_domain_event(mapper.to_stored_event(event)) == event


def test_stream_and_version_are_not_in_the_body(mapper: AvroMapper) -> None:
    new = Counter.start()
    new.count()
    row = mapper.to_stored_event(new.pending_events[1])
    assert (row.originator_id, row.originator_version, row.topic) == (new.id, 2, "test.counter.counted.v2")
    assert avro_codec.decode(row.state) == (row.topic, {"timestamp": AT, "number": 1, "class_version": 2})


def test_an_old_event_reads_as_the_present_version(mapper: AvroMapper) -> None:
    stream_id = uuid4()
    topic = "test.counter.counted.v1"
    state = avro_codec.encode(topic, {"timestamp": AT, "one": True})
    old = mapper.to_domain_event(StoredEvent(stream_id, 2, topic, state))
    new = Counter.start(stream_id)
    new.count(1)
    assert old == new.pending_events[1]


def test_one_text_encrypts_to_other_bytes_each_time(mapper: AvroMapper) -> None:
    [event] = Chat.start(uuid4()).pending_events
    assert mapper.to_stored_event(event).state != mapper.to_stored_event(event).state


def test_an_event_without_texts_needs_no_key(world: StoredWorld) -> None:
    world.store.save(Unit([Counter.start()]))
    assert world.vault.names("customer") == []


class Loose(Aggregate):
    TOPIC = "test.loose.v1"

    class Created(Aggregate.Created):
        TOPIC = "test.loose.created.v1"
        text: str

    class Unknown(Aggregate.Created):
        TOPIC = "test.loose.unknown.v1"

    @classmethod
    def start(cls, text: str) -> "Loose":
        return cls._begin(cls.Created, UUID(int=1), AT, text=text)

    @classmethod
    def start_unknown(cls) -> "Loose":
        return cls._begin(cls.Unknown, UUID(int=1), AT)


def test_an_encrypted_field_needs_a_customer(mapper: AvroMapper) -> None:
    fields = [
        {"name": "timestamp", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "originator_topic", "type": "string"},
        {"name": "text", "type": "bytes", "encrypted": True},
    ]
    avro_codec.register(Loose.Created.TOPIC, {"type": "record", "name": "loose", "fields": fields})
    with pytest.raises(TypeError, match="customer_id"):
        mapper.encode(list(Loose.start("x").pending_events))


def test_an_event_without_a_schema_is_refused(mapper: AvroMapper) -> None:
    with pytest.raises(AvroError, match=r"test\.loose\.unknown\.v1"):
        mapper.encode(list(Loose.start_unknown().pending_events))
