"""Avro: the bytes of every fact and event, and the only module that knows the format.

A record is written in Avro's single-object encoding (Avro 1.11 specification, "Single-object encoding"):
the marker C3 01, the schema's CRC-64-AVRO fingerprint, little-endian, and the body. So bytes name their own
schema, and `avro_schemas/` holds every one that was ever used: a file `<topic>.avsc` each.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.schema import fingerprint, to_parsing_canonical_form

from domain.errors import ParleyError

MARKER = b"\xc3\x01"
PREFIX_LENGTH = len(MARKER) + 8
MAX_BODY = 1 << 20  # octets; a whole webhook fits many times

# What fastavro lets through when bytes or values make no sense: it has no error of its own.
NONSENSE = (ArithmeticError, AttributeError, EOFError, LookupError, TypeError, ValueError)


class AvroError(ParleyError):
    """A schema that is not allowed, a record that does not fit its schema, or bytes that are no record."""


@dataclass(frozen=True)
class _Schema:
    topic: str
    source: dict[str, Any]  # as in the file, with our own attributes
    parsed: Any  # as fastavro wants it
    prefix: bytes  # the marker and the fingerprint


def schema_for(topic: str) -> dict[str, Any]:
    """The schema of a topic as it stands in its file, custom attributes included; not to be altered.

    Raises AvroError when there is none.
    """
    return _by_topic(topic).source


def register(topic: str, source: dict[str, Any]) -> None:
    """Add a schema that is in no file of ours: that of somebody else's events, or of a test's.

    Raises AvroError as `index` does.
    """
    by_topic, by_prefix = _schemas()
    schema = _load(topic, source)
    other = by_prefix.setdefault(schema.prefix, schema)
    if other.topic != topic:
        raise AvroError(f"{topic} and {other.topic} have one fingerprint: give each its own name.")
    by_topic[topic] = schema


def encode(topic: str, record: Mapping[str, Any]) -> bytes:
    """A record of a topic as bytes. The fields must be exactly the schema's.

    Raises AvroError, which names no value, when it does not fit or is larger than `MAX_BODY`.
    """
    schema = _by_topic(topic)
    buffer = io.BytesIO()
    buffer.write(schema.prefix)
    try:
        schemaless_writer(buffer, schema.parsed, record, strict=True)
    except NONSENSE as error:
        raise AvroError(f"{topic}: the record does not fit the schema ({type(error).__name__}).") from error
    if buffer.tell() > PREFIX_LENGTH + MAX_BODY:
        raise AvroError(f"{topic}: the record takes {buffer.tell()} octets; at most {MAX_BODY} are allowed.")
    return buffer.getvalue()


def decode(data: bytes) -> tuple[str, dict[str, Any]]:
    """The topic and the record that `encode` made these bytes of.

    Raises AvroError, which names no value, when the schema is not ours or the body is not exactly a record.
    """
    if len(data) > PREFIX_LENGTH + MAX_BODY:
        raise AvroError(f"{len(data)} octets are too many for a record; at most {MAX_BODY} are allowed.")
    schema = _schemas()[1].get(data[:PREFIX_LENGTH])
    if schema is None:
        raise AvroError(
            f"No schema of ours goes with {data[:PREFIX_LENGTH].hex()}: not a record, or a newer version's."
        )
    body = io.BytesIO(data)
    body.seek(PREFIX_LENGTH)
    try:
        record = schemaless_reader(body, schema.parsed, None)
    except NONSENSE as error:
        raise AvroError(f"{schema.topic}: the body is damaged ({type(error).__name__}).") from error
    if body.tell() != len(data):
        raise AvroError(f"{schema.topic}: {len(data) - body.tell()} octets follow the record.")
    return schema.topic, record  # type: ignore[return-value]  # `index` takes only schemas of records


def _by_topic(topic: str) -> _Schema:
    schema = _schemas()[0].get(topic)
    if schema is None:
        raise AvroError(f"There is no schema avro_schemas/{topic}.avsc.")
    return schema


@cache
def _schemas() -> tuple[dict[str, _Schema], dict[bytes, _Schema]]:
    suffix = ".avsc"
    names = sorted(file.name for file in files("avro_schemas").iterdir() if file.name.endswith(suffix))
    return index({name.removesuffix(suffix): _source(name) for name in names})


def _source(name: str) -> dict[str, Any]:
    source: dict[str, Any] = json.loads(files("avro_schemas").joinpath(name).read_text("utf-8"))
    return source


def index(sources: Mapping[str, dict[str, Any]]) -> tuple[dict[str, _Schema], dict[bytes, _Schema]]:
    """The schemas of these topics, by topic and by prefix.

    Raises AvroError for one that is no record, that hostile bytes could make crash or swell, or whose bytes
    could not be told from another's.
    """
    by_topic = {topic: _load(topic, source) for topic, source in sources.items()}
    by_prefix: dict[bytes, _Schema] = {}
    for schema in by_topic.values():
        other = by_prefix.setdefault(schema.prefix, schema)
        if other is not schema:
            raise AvroError(f"{schema.topic} and {other.topic} have one fingerprint: give each its own name.")
    return by_topic, by_prefix


def _load(topic: str, source: dict[str, Any]) -> _Schema:
    if source.get("type") != "record":
        raise AvroError(f"{topic}: the schema must be of a record.")
    # The canonical form spells out every name in full, so that references are easy to follow.
    _refuse_dangerous(topic, json.loads(to_parsing_canonical_form(source)), {}, ())
    number = fingerprint(to_parsing_canonical_form(source), "CRC-64-AVRO")  # already little-endian
    return _Schema(topic, source, parse_schema(source), MARKER + bytes.fromhex(number))


def _refuse_dangerous(topic: str, node: Any, sizes: dict[str, bool], within: tuple[str, ...]) -> bool:
    """Refuse recursive types (deep nesting overflows the C stack) and lists of items that take no octets
    (a few octets claim millions of them). True when a value always takes at least one octet.

    `sizes` collects that answer for each named type; `within` are the types that surround this node.
    """
    if isinstance(node, list):  # a union: the number of the branch takes an octet
        for branch in node:
            _refuse_dangerous(topic, branch, sizes, within)
        return True
    if isinstance(node, str):
        if node in within:
            raise AvroError(f"{topic}: the type {node} contains itself.")
        return sizes.get(node, node != "null")
    kind = node["type"]
    if kind == "record":
        inside = [
            _refuse_dangerous(topic, each["type"], sizes, (*within, node["name"])) for each in node["fields"]
        ]
        sizes[node["name"]] = any(inside)
    elif kind == "fixed":
        sizes[node["name"]] = node["size"] > 0
    elif kind == "array":
        if not _refuse_dangerous(topic, node["items"], sizes, within):
            raise AvroError(f"{topic}: items of an array must take at least one octet each.")
    elif kind == "map":  # each key takes an octet
        _refuse_dangerous(topic, node["values"], sizes, within)
    return sizes.get(node.get("name", ""), True)
