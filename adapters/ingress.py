"""Ingress: facts on the log, each sealed with the period key of its days."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID, uuid4

from cattrs import Converter

from adapters.avro_codec import AvroError, decode, encode
from domain.errors import Unreadable
from domain.facts import FACTS, Fact
from domain.ports import Accepted, Cipher, Log, NewRecord, Record

TYPES: dict[str, type[Fact]] = {fact.TOPIC: fact for fact in FACTS}


class Records(Protocol):
    """Where records are read: a log, or a member of a group that reads one together."""

    def read(self, partition: int, after: int, limit: int) -> list[Record]:
        """At most `limit` records beyond an offset, in order."""

    def wait(self, timeout: float) -> None:
        """Return as soon as there may be more, at the latest after `timeout` seconds."""


class LoggedFacts:
    """A `FactSource` on any log."""

    def __init__(self, records: Records, cipher: Cipher) -> None:
        self._records = records
        self._cipher = cipher

    def read(self, partition: int, after: int, limit: int) -> list[Accepted]:
        """Raises OffsetOutOfRange as the log does."""
        return [self._accepted(record) for record in self._records.read(partition, after, limit)]

    def wait(self, timeout: float) -> None:
        self._records.wait(timeout)

    def _accepted(self, record: Record) -> Accepted:
        fact, problem = None, ""
        try:
            fact = self._fact(record)
        except Unreadable as error:
            problem = f"It cannot be decrypted: {error}"
        except AvroError as error:
            problem = f"It cannot be decoded: {error}"
        except (LookupError, TypeError, ValueError) as error:  # not its text, which may quote a customer
            problem = f"It is not a fact as this version knows them ({type(error).__name__})."
        return Accepted(record.partition, record.offset, record.accepted_at, fact, problem)

    def _fact(self, record: Record) -> Fact:
        topic, plain = decode(self._cipher.open(record.value, record.key))
        fact = _plain.structure(plain, TYPES[topic])
        if fact.key.bytes != record.key:
            raise ValueError("key: the fact's is not the record's.")
        return fact


class LogIngress(LoggedFacts):
    """An `Ingress` on any log.

    A fact's record has the fact's key and, as headers, the attributes of the CloudEvents Kafka protocol
    binding (1.0.2), without the time: it is the record's `accepted_at`.
    """

    def __init__(self, log: Log, cipher: Cipher) -> None:
        super().__init__(log, cipher)
        self._log = log

    @property
    def partitions(self) -> int:
        return self._log.partitions

    def accept(self, facts: Sequence[Fact]) -> None:
        """Raises LogUnavailable, or AvroError for a fact of more than a mebibyte; then none was kept."""
        self._log.append([self._record(fact) for fact in facts])

    def end(self, partition: int) -> int:
        return self._log.end(partition)

    def _record(self, fact: Fact) -> NewRecord:
        key = fact.key.bytes
        value = self._cipher.seal(encode(fact.TOPIC, _plain.unstructure(fact)), key)
        headers = {
            "ce_specversion": "1.0",
            "ce_id": str(uuid4()),
            "ce_type": fact.TOPIC,
            "ce_source": "parley/ingress",
        }
        return NewRecord(key, value, headers)


def _whole_characters(text: str) -> str:
    """Text that UTF-8 can hold: halves of a character, as cut messages bring them, become U+FFFD.

    What a customer sent is never a reason to refuse it.
    """
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _facts_to_plain() -> Converter:
    """Facts to what Avro's logical types take and give: ids and times stay as they are."""
    converter = Converter(detailed_validation=False, unstruct_collection_overrides={tuple: list})
    converter.register_unstructure_hook(str, _whole_characters)
    for kept in (UUID, datetime):
        converter.register_structure_hook(kept, _as_it_is)
    return converter


def _as_it_is(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{kind.__name__} expected")
    return value


_plain = _facts_to_plain()
