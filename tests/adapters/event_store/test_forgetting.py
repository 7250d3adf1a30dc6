"""Forgetting, down to the bytes: what was destroyed is in no file, and what was altered is not believed."""

import random
from collections.abc import Callable, Collection
from uuid import UUID, uuid4

import pytest

from adapters.event_store.mapper import PREFIX_LENGTH
from adapters.event_store.media import MediaStore
from adapters.keys.customers import CustomerKey, Keyring
from database.sqlite import SQLiteDatabase
from domain.errors import Conflict, ParleyError, Unreadable
from domain.ports import Media, Parked, Unit
from domain.values import ERASED
from tests.adapters.event_store.worlds import StoredWorld
from tests.contracts.event_store_contract import ALL, chat, saved_chat
from tests.contracts.samples import Chat
from tests.fakes.databases import FilePlace, Opened, Place

TEXT = "My card number is 4929 1234 5678 9012"
NUMBER = "+15005550006"


def octets(place: Place) -> bytes:
    """Everything that is kept of the store."""
    if isinstance(place, FilePlace):
        return b"".join(file.read_bytes() for file in place.path.parent.iterdir())
    database = place.open()
    return b"".join(
        bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
        for table in sorted(database.tables())
        for row in database.rows(f'SELECT * FROM "{table}"')  # noqa: S608 - the database's own name
        for value in row.values()
    )


def wrapped_keys(database: Opened, customer_ids: list[UUID]) -> list[bytes]:
    names = [customer_id.hex for customer_id in customer_ids]
    rows = database.rows("SELECT name, sealed FROM vault WHERE name IN :names", {"names": names})
    found = {row["name"]: bytes(row["sealed"]) for row in rows}
    return [found[name] for name in names]


def test_texts_and_numbers_are_in_no_file_at_any_time(world: StoredWorld, place: Place) -> None:
    customer_id = uuid4()
    stream_id = saved_chat(world.store, customer_id, TEXT)
    key = world.keys.keys_for([customer_id])[customer_id].key
    assert chat(world.store, stream_id).texts == [TEXT]
    for secret in (TEXT.encode(), NUMBER.encode(), key):
        assert secret not in octets(place)


def test_a_destroyed_key_is_in_no_file(opened: Callable[[], StoredWorld], place: Place) -> None:
    world, other = opened(), opened()
    customer_id = uuid4()
    saved_chat(world.store, customer_id, TEXT)
    other.store.read(0, ALL)
    [wrapped] = wrapped_keys(world.database, [customer_id])
    assert wrapped in octets(place)
    world.keys.destroy(customer_id)
    assert wrapped not in octets(place)


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_destroyed_keys_leave_no_copies_when_pages_split_and_merge(world: StoredWorld, place: Place) -> None:
    chance = random.Random(4)
    customers = [UUID(int=chance.getrandbits(128)) for _ in range(1_500)]
    for start in range(0, len(customers), 100):
        world.keys.keys_for(customers[start : start + 100])
    gone = chance.sample(customers, 300)
    wrapped = wrapped_keys(world.database, gone)
    world.vault.erase("customer", [stream_id.hex for stream_id in gone])
    world.keys.keys_for([uuid4() for _ in range(200)])
    contents = octets(place)
    assert [key for key in wrapped if key in contents] == []
    assert all(key in contents for key in wrapped_keys(world.database, sorted(set(customers) - set(gone))))


def test_a_tombstone_names_customer_moment_and_keys(world: StoredWorld) -> None:
    customer_id = uuid4()
    key_id = world.keys.keys_for([customer_id])[customer_id].key_id
    world.keys.destroy(customer_id)
    [tombstone] = world.keys.tombstones()
    assert (tombstone.id, tombstone.name, tombstone.erased_at) == (
        key_id,
        customer_id.hex,
        world.clock.time,
    )


def test_the_master_key_alone_does_not_bring_a_customer_back(
    opened: Callable[[], StoredWorld],
) -> None:
    world = opened()
    customer_id = uuid4()
    stream_id = saved_chat(world.store, customer_id, TEXT)
    world.keys.destroy(customer_id)
    world.keys.keys_for([customer_id])  # the customer returned
    assert chat(opened().store, stream_id).texts == [ERASED]


# ── what was altered ───────────────────────────────────────────────────────────────────────────


def alter(world: StoredWorld, version: int, state: bytes) -> None:
    with world.database.writing() as c:
        if isinstance(world.database, SQLiteDatabase):
            c.run("DROP TRIGGER IF EXISTS event_is_fixed")
        c.run(
            "UPDATE stored_events SET state = :state WHERE originator_version = :version",
            {"state": state, "version": version},
        )


def state(world: StoredWorld, version: int) -> bytes:
    statement = "SELECT state FROM stored_events WHERE originator_version = :version"
    [row] = world.database.rows(statement, {"version": version})
    return bytes(row["state"])


def test_every_octet_of_an_encrypted_text_is_protected(opened: Callable[[], StoredWorld]) -> None:
    world, other = opened(), opened()
    customer_id = uuid4()
    stream_id = saved_chat(world.store, customer_id, "hello")
    original = state(world, 2)
    key_id = world.keys.keys_for([customer_id])[customer_id].key_id
    start = original.index(key_id) - 1  # the version's octet
    end = start + PREFIX_LENGTH + 12 + len("hello") + 16
    for place in range(start, end):
        altered = bytearray(original)
        altered[place] ^= 1
        alter(world, 2, bytes(altered))
        with pytest.raises(Unreadable):
            world.store.stream(stream_id)
        with pytest.raises(Unreadable):
            other.store.load([stream_id])
    alter(world, 2, original)
    assert chat(world.store, stream_id).texts == ["hello"]


def test_altered_bytes_are_an_error_of_parleys_or_show(world: StoredWorld) -> None:
    stream_id = saved_chat(world.store, uuid4(), "hello")
    original = state(world, 2)
    event = world.store.stream(stream_id)[1].event
    for place in range(len(original)):
        altered = bytearray(original)
        altered[place] ^= 0x40
        alter(world, 2, bytes(altered))
        try:
            assert world.store.stream(stream_id)[1].event != event
        except ParleyError:
            continue


def test_a_text_cannot_be_moved_to_another_event(world: StoredWorld) -> None:
    stream_id = saved_chat(world.store, uuid4(), "yes", "no")
    yes, no = state(world, 2), state(world, 3)
    alter(world, 2, no)
    alter(world, 3, yes)
    with pytest.raises(Unreadable, match=f"Event 2 of stream {stream_id}"):
        world.store.stream(stream_id)


def test_a_text_cannot_be_moved_to_another_field(world: StoredWorld) -> None:
    new = Chat.start(uuid4())
    new.write("text", "note")
    [_, row] = world.store._mapper.encode(list(new.pending_events)).stored
    # Both are four octets long, so that the sealed values are as long as each other.
    size = PREFIX_LENGTH + 12 + 4 + 16
    key_id = world.keys.keys_for([new.customer_id])[new.customer_id].key_id
    first = row.state.index(key_id) - 1
    second = row.state.index(key_id, first + PREFIX_LENGTH) - 1
    text, note = row.state[first : first + size], row.state[second : second + size]
    between = row.state[first + size : second]
    swapped = row.state[:first] + note + between + text + row.state[second + size :]
    assert len(swapped) == len(row.state)
    with pytest.raises(Unreadable):
        world.store._mapper.to_domain_event(type(row)(row.originator_id, 2, row.topic, swapped))


def test_an_event_whose_bytes_are_another_events_is_refused(world: StoredWorld) -> None:
    stream_id = saved_chat(world.store, uuid4(), "hello")
    alter(world, 2, state(world, 1))
    with pytest.raises(Unreadable, match=r"holds a test\.chat\.created\.v1"):
        world.store.stream(stream_id)


# ── what is kept beside the events ─────────────────────────────────────────────────────────────


def test_the_reason_of_a_parked_fact_is_encrypted_for_some_days(world: StoredWorld, place: Place) -> None:
    world.store.save(Unit(parked=[Parked(0, 1, f"{NUMBER} is not a number"), Parked(1, 0, "no")]))
    assert world.parking.parked() == [Parked(0, 1, f"{NUMBER} is not a number"), Parked(1, 0, "no")]
    assert NUMBER.encode() not in octets(place)
    world.clock.time = world.clock.time.replace(day=9)
    world.periods.destroy_before(world.clock.time)
    assert world.parking.parked_at(0, 1) == Parked(0, 1, ERASED)


def test_media_are_gone_with_their_customer(opened: Callable[[], StoredWorld], place: Place) -> None:
    world, other = opened(), opened()
    customer_id, media_id = uuid4(), uuid4()
    picture = b"a picture of a cat" * 10
    media: Media = world.media
    media.put(media_id, customer_id, "image/png", picture)
    world.media.put(media_id, customer_id, "image/gif", b"again")
    assert other.media.get(media_id) == ("image/png", picture)
    assert b"a cat" not in octets(place)
    world.keys.destroy(customer_id)
    for each in (world, other):
        with pytest.raises(KeyError):
            each.media.get(media_id)


class Meddling(Keyring):
    """Destroys a key just after handing it out."""

    def keys_for(self, customer_ids: Collection[UUID]) -> dict[UUID, CustomerKey]:
        keys = super().keys_for(customer_ids)
        for customer_id in customer_ids:
            self.destroy(customer_id)
        return keys


def test_media_are_not_kept_under_a_key_that_was_destroyed_meanwhile(world: StoredWorld) -> None:
    media_id = uuid4()
    with pytest.raises(Conflict):
        MediaStore(world.database, Meddling(world.vault)).put(media_id, uuid4(), "image/png", b"content")
    assert world.database.rows("SELECT * FROM media") == []


def test_media_that_are_not_there_are_a_key_error(world: StoredWorld) -> None:
    with pytest.raises(KeyError):
        world.media.get(uuid4())


@pytest.mark.parametrize("column", ["sealed", "content_type"])
def test_altered_media_are_refused(world: StoredWorld, column: str) -> None:
    media_id = uuid4()
    world.media.put(media_id, uuid4(), "image/png", b"content")
    value = b"\x01" + bytes(100) if column == "sealed" else "text/html"
    with world.database.writing() as c:
        c.run(f"UPDATE media SET {column} = :value", {"value": value})  # noqa: S608
    with pytest.raises(Unreadable):
        world.media.get(media_id)
