"""Reading what the store keeps sealed, by the documented formats alone.

docs/events-topic.md says how a customer's text lies in an event; the keys are in the table `vault`, each
under the master key: nonce (12 octets) and AES-256-GCM ciphertext, bound to `id:kind:name`.
"""

import io
import json
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fastavro import parse_schema, schemaless_reader

SCHEMAS = Path(__file__).parents[1] / "avro_schemas"
FINGERPRINT = 10  # octets before an Avro body
NONCE = 12
KEY_ID = 17  # octets of a sealed text: the version and the key's id
FORGOTTEN = None
"""What a text is whose key was destroyed."""


def unwrap(master: bytes, sealed: bytes, item: str, kind: str, name: str) -> bytes:
    """A value of the vault."""
    return AESGCM(master).decrypt(sealed[:NONCE], sealed[NONCE:], f"{item}:{kind}:{name}".encode())


def read_event(
    topic: str, stream: UUID, version: int, state: bytes, keys: dict[bytes, bytes]
) -> dict[str, Any]:
    """The fields of an event: times as seconds since 1970, ids as 32 digits, sealed texts opened."""
    source, parsed = _schema(topic)
    record: Any = schemaless_reader(io.BytesIO(state[FINGERPRINT:]), parsed, None)
    for field in source["fields"]:
        name = field["name"]
        if field.get("encrypted") and record[name] is not None:
            place = stream.bytes + version.to_bytes(8) + f"{topic}:{name}".encode()
            record[name] = _open(record[name], place, keys)
    plain: dict[str, Any] = _plain(record)
    return plain


def _open(sealed: bytes, place: bytes, keys: dict[bytes, bytes]) -> str | None:
    key = keys.get(sealed[1:KEY_ID])
    if key is None:
        return FORGOTTEN
    nonce, text = sealed[KEY_ID : KEY_ID + NONCE], sealed[KEY_ID + NONCE :]
    return AESGCM(key).decrypt(nonce, text, sealed[:KEY_ID] + place).decode()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, UUID):
        return value.hex
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return value


@cache
def _schema(topic: str) -> tuple[dict[str, Any], Any]:
    source = json.loads((SCHEMAS / f"{topic}.avsc").read_text("utf-8"))
    return source, parse_schema(source)
