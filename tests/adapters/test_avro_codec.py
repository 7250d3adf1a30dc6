"""Avro: single-object encoding, and hostile bytes."""

import json
import tracemalloc
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from fastavro.schema import fingerprint
from hypothesis import given
from hypothesis import strategies as st

from adapters.avro_codec import MAX_BODY, PREFIX_LENGTH, AvroError, decode, encode, index, schema_for
from domain.facts import FACTS, TextReceived

TOPIC = TextReceived.TOPIC
ID = UUID("6f1f7d5e-6df2-4d0e-9d53-0f6c2a8b7c11")
TEXT: dict[str, Any] = {
    "key": ID,
    "mapping_id": ID,
    "scope": "twilio/AC1",
    "provider_message_id": "SM1",
    "our_address": "+15005550006",
    "customer_address": "+15005550009",
    "text": "Guten Tag 👋",
    "media": [{"url": "https://example.com/1", "content_type": "image/png"}],
    "keyword": None,
    "raw": "Body=Guten+Tag",
}
DEADLINE: dict[str, Any] = {
    "key": ID,
    "kind": "idle",
    "subject_id": ID,
    "due_at": datetime(2026, 11, 22, 12, 0, 0, 1, tzinfo=UTC),
}
SAMPLES = {TOPIC: TEXT, "parley.fact.deadline-fell.v1": DEADLINE}
ENCODED = [encode(topic, record) for topic, record in SAMPLES.items()]
PREFIXES = [encoded[:PREFIX_LENGTH] for encoded in ENCODED]


def record_schema(*types: Any, name: str = "R") -> dict[str, Any]:
    return {
        "type": "record",
        "name": name,
        "fields": [{"name": f"f{n}", "type": t} for n, t in enumerate(types)],
    }


@pytest.mark.parametrize("topic", SAMPLES)
def test_a_record_comes_back_as_it_was(topic: str) -> None:
    assert decode(encode(topic, SAMPLES[topic])) == (topic, SAMPLES[topic])


# The Avro project's own: share/test/data/schema-tests.txt
@pytest.mark.parametrize(
    ("schema", "number"), [('"null"', 7195948357588979594), ('"int"', 8247732601305521295)]
)
def test_fingerprints_are_avros_and_little_endian(schema: str, number: int) -> None:
    assert fingerprint(schema, "CRC-64-AVRO") == number.to_bytes(8, "little").hex()


def test_bytes_begin_with_the_marker_and_the_fingerprint_of_the_schema() -> None:
    encoded = encode("parley.fact.deadline-fell.v1", DEADLINE)
    canonical = (
        '{"name":"parley.fact.DeadlineFellV1","type":"record","fields":[{"name":"key","type":"string"},'
        '{"name":"kind","type":"string"},{"name":"subject_id","type":"string"},{"name":"due_at","type":"long"}]}'
    )
    assert encoded[:10] == b"\xc3\x01" + bytes.fromhex(fingerprint(canonical, "CRC-64-AVRO"))
    assert encoded[10:47] == b"\x48" + str(ID).encode()


def test_attributes_of_our_own_stay_in_the_schema() -> None:
    schema = record_schema("string") | {"doc": "d"}
    schema["fields"][0]["encrypted"] = True
    by_topic, _ = index({"t": schema})
    assert by_topic["t"].source["fields"][0]["encrypted"] is True
    assert schema_for(TOPIC)["fields"][6] == {"name": "text", "type": "string"}


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("text", None),
        ("text", 5),
        ("text", "\ud83d"),
        ("key", None),
        ("media", [{"url": "u"}]),
        ("unknown", "x"),
    ],
)
def test_a_record_that_does_not_fit_is_refused_without_quoting_it(change: str, value: object) -> None:
    with pytest.raises(
        AvroError, match=r"^parley\.fact\.text-received\.v1: the record does not fit"
    ) as caught:
        encode(TOPIC, TEXT | {change: value})
    assert "Guten" not in str(caught.value)


def test_a_missing_field_is_refused() -> None:
    with pytest.raises(AvroError, match="does not fit"):
        encode(TOPIC, {name: value for name, value in TEXT.items() if name != "raw"})


def test_a_topic_without_a_schema_is_refused() -> None:
    for use in (lambda: encode("parley.fact.nope.v1", {}), lambda: schema_for("parley.fact.nope.v1")):
        with pytest.raises(AvroError, match=r"no schema avro_schemas/parley\.fact\.nope\.v1\.avsc"):
            use()


def test_size_is_capped_both_ways() -> None:
    room = MAX_BODY - (
        len(encode(TOPIC, TEXT | {"raw": "x" * MAX_BODY_LESS})) - PREFIX_LENGTH - MAX_BODY_LESS
    )
    biggest = encode(TOPIC, TEXT | {"raw": "x" * room})
    assert len(biggest) == PREFIX_LENGTH + MAX_BODY
    assert decode(biggest)[1]["raw"] == "x" * room
    with pytest.raises(AvroError, match="at most 1048576"):
        encode(TOPIC, TEXT | {"raw": "x" * (room + 1)})
    with pytest.raises(AvroError, match="too many"):
        decode(biggest + b"\0")


MAX_BODY_LESS = MAX_BODY - 10_000  # long enough that the length's own prefix has its final size


@pytest.mark.parametrize("data", [b"", b"\xc3", b"\xc3\x01", b"\xc3\x01" + bytes(8), b"{}" * 50])
def test_an_unknown_fingerprint_is_refused(data: bytes) -> None:
    with pytest.raises(AvroError, match="No schema of ours"):
        decode(data)


def test_the_body_must_be_consumed_exactly() -> None:
    for encoded in ENCODED:
        with pytest.raises(AvroError, match="1 octets follow the record"):
            decode(encoded + b"\0")
        for length in range(PREFIX_LENGTH, len(encoded)):
            with pytest.raises(AvroError):
                decode(encoded[:length])


@given(st.sampled_from(ENCODED), st.data())
def test_altered_bytes_give_a_record_or_the_documented_error(encoded: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(encoded)))
    end = data.draw(st.integers(start, min(len(encoded), start + 12)))
    decode_or_refuse(encoded[:start] + data.draw(st.binary(max_size=12)) + encoded[end:])


@given(st.sampled_from(PREFIXES), st.binary(max_size=200))
def test_any_body_gives_a_record_or_the_documented_error(prefix: bytes, body: bytes) -> None:
    decode_or_refuse(prefix + body)


@given(st.binary(max_size=60))
def test_any_bytes_give_the_documented_error(data: bytes) -> None:
    with pytest.raises(AvroError):
        decode(data)


LARGEST = b"\xfe" + b"\xff" * 8 + b"\x01"  # 2**63 - 1 as a zigzag number
SMALLEST = b"\xff" * 9 + b"\x01"  # -2**63


@pytest.mark.parametrize("number", [LARGEST, SMALLEST, b"\x01", b"\xff" * 64, b"\x80" * 1_000_000])
@pytest.mark.parametrize("position", [0, 1])
def test_claimed_sizes_reserve_nothing(number: bytes, position: int) -> None:
    """A length of a text (position 0) and a number of media (position 1) that are not true."""
    before_media = encode(TOPIC, TEXT | {"media": []})
    start = (PREFIX_LENGTH, before_media.index("👋".encode()) + 4)[position]
    data = before_media[:start] + number + before_media[start + 1 :]
    tracemalloc.start()
    decode_or_refuse(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * MAX_BODY


def decode_or_refuse(data: bytes) -> None:
    try:
        topic, record = decode(data)
    except AvroError:
        return
    assert set(record) == {field["name"] for field in schema_for(topic)["fields"]}


def test_two_schemas_with_one_fingerprint_are_refused() -> None:
    one, other = record_schema("string"), record_schema({"type": "string", "logicalType": "uuid"})
    with pytest.raises(AvroError, match="b and a have one fingerprint"):
        index({"a": one, "b": other})
    assert len(index({"a": one, "b": other | {"name": "Other"}})[1]) == 2


@pytest.mark.parametrize(
    "recursive",
    [
        record_schema("string", ["null", "R"]),
        record_schema({"type": "array", "items": "R"}),
        record_schema({"type": "map", "values": "R"}),
        record_schema(record_schema(["null", "R"], name="Inner")),
        record_schema(["null", record_schema(["null", "Inner"], name="Inner")]),
    ],
    ids=json.dumps,
)
def test_recursive_types_are_refused(recursive: dict[str, Any]) -> None:
    with pytest.raises(AvroError, match="contains itself"):
        index({"t": recursive})


@pytest.mark.parametrize(
    "items",
    [
        "null",
        record_schema(name="Empty"),
        record_schema("null", name="Nulls"),
        {"type": "fixed", "name": "F", "size": 0},
    ],
    ids=json.dumps,
)
def test_lists_of_nothing_are_refused(items: Any) -> None:
    with pytest.raises(AvroError, match="at least one octet"):
        index({"t": record_schema({"type": "array", "items": items})})


def test_a_type_used_twice_is_not_recursive() -> None:
    inner = record_schema("string", name="Inner")
    fixed = {"type": "fixed", "name": "F", "size": 2}
    enum = {"type": "enum", "name": "E", "symbols": ["A"]}
    several = record_schema(
        inner,
        "Inner",
        {"type": "array", "items": "Inner"},
        fixed,
        enum,
        {"type": "array", "items": ["null", "F"]},
    )
    assert list(index({"t": several})[0]) == ["t"]


def test_only_records_are_schemas() -> None:
    with pytest.raises(AvroError, match="must be of a record"):
        index({"t": {"type": "string"}})


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.__name__)
def test_a_schema_is_named_after_its_topic(fact: type) -> None:
    topic: str = fact.TOPIC  # type: ignore[attr-defined]
    namespace, name, version = topic.rsplit(".", 2)
    camel = "".join(word.capitalize() for word in name.split("-"))
    schema = schema_for(topic)
    assert (schema["namespace"], schema["name"]) == (namespace, camel + version.upper())
    assert schema["doc"]
