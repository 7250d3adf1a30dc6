"""Facts on the log and back."""

import dataclasses
import types
import typing
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.avro_codec import AvroError, encode, schema_for
from adapters.ingress import LogIngress
from adapters.sqlite_log import SQLiteLog
from domain.alphabets import Alphabet
from domain.errors import OffsetOutOfRange, Unreadable
from domain.facts import (
    FACTS,
    DeadlineFell,
    DeadlineKind,
    Fact,
    MediaFetched,
    MediaLink,
    Outcome,
    PartReceived,
    ReceiptReceived,
    ReceiptStatus,
    SendSettled,
    TextReceived,
    TextWithoutId,
)
from domain.ports import Accepted, Appended, NewRecord, Record

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
KEY, ID = UUID(int=1), UUID(int=2)
OURS, THEIRS = "+15005550006", "+15005550009"
TEXT = TextReceived(
    key=KEY,
    mapping_id=ID,
    scope="twilio/AC1",
    provider_message_id="SM1",
    our_address=OURS,
    customer_address=THEIRS,
    text="Guten Tag 👋",
    media=(MediaLink("https://example.com/1", "image/png"),),
    keyword=None,
    raw="Body=Guten+Tag",
)
SAMPLES: list[Fact] = [
    TEXT,
    dataclasses.replace(TEXT, media=(), keyword="STOP"),
    TextWithoutId(KEY, ID, "smpp:A", OURS, THEIRS, "Hé", "raw", "d1", ID, NOW, 2),
    TextWithoutId(KEY, ID, "smpp:A", OURS, THEIRS, "Hé", "raw", "d2", ID, None, 0),
    PartReceived(KEY, ID, "smpp:A", OURS, THEIRS, "raw", 65535, 3, 1, Alphabet.GSM, b"\x1be\x00\xff"),
    ReceiptReceived(KEY, ID, "s", "SM1", ID, 1, ReceiptStatus.DELIVERED, "delivered", None, "raw"),
    ReceiptReceived(KEY, ID, "s", "SM1", None, None, ReceiptStatus.FAILED, "failed", "30003", "raw"),
    SendSettled(KEY, ID, 1, Outcome.ACCEPTED, "s", "SM1", None, "", None, reconciled=False),
    SendSettled(KEY, ID, 2, Outcome.POSTPONED, "s", None, "429", "busy", NOW, reconciled=True),
    DeadlineFell(KEY, DeadlineKind.AGENT_LOST, ID, NOW),
    MediaFetched(KEY, ID, 0, ID, "image/png", 5_000_000_000, ""),
    MediaFetched(KEY, ID, 1, None, "image/png", 0, "404"),
]


class FakeClock:
    def now(self) -> datetime:
        return NOW


class FakeCipher:
    """Hides nothing, but notices another context and knows when its key is gone."""

    def __init__(self) -> None:
        self.gone = False

    def seal(self, plain: bytes, context: bytes) -> bytes:
        return b"sealed" + context + plain[::-1]

    def open(self, sealed: bytes, context: bytes) -> bytes:
        prefix = b"sealed" + context
        if self.gone or not sealed.startswith(prefix):
            raise Unreadable("the key of the period is gone")
        return sealed[len(prefix) :][::-1]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SQLiteLog]:
    log = SQLiteLog(tmp_path / "ingress.db", "parley.ingress", 4, FakeClock())
    yield log
    log.close()


@pytest.fixture
def cipher() -> FakeCipher:
    return FakeCipher()


@pytest.fixture
def ingress(log: SQLiteLog, cipher: FakeCipher) -> LogIngress:
    return LogIngress(log, cipher)


def everything(ingress: LogIngress) -> list[Accepted]:
    return [each for partition in range(ingress.partitions) for each in ingress.read(partition, -1, 100)]


def appended(log: SQLiteLog) -> list[Record]:
    return [record for partition in range(log.partitions) for record in log.read(partition, -1, 100)]


def test_facts_come_back_as_they_were_in_order(ingress: LogIngress) -> None:
    ingress.accept(SAMPLES)
    found = everything(ingress)
    assert [each.fact for each in found] == SAMPLES
    assert {(each.problem, each.accepted_at) for each in found} == {("", NOW)}
    assert {type(each.fact) for each in found} == set(FACTS)


def test_values_come_back_as_their_own_types(ingress: LogIngress) -> None:
    ingress.accept(SAMPLES)
    for each, sample in zip(everything(ingress), SAMPLES, strict=True):
        for field in dataclasses.fields(sample):
            assert type(getattr(each.fact, field.name)) is type(getattr(sample, field.name))


def test_a_record_has_the_facts_key_and_cloudevents_headers(ingress: LogIngress, log: SQLiteLog) -> None:
    ingress.accept([TEXT, TEXT])
    first, second = appended(log)
    assert first.key == TEXT.key.bytes
    headers = dict(first.headers)
    assert UUID(headers.pop("ce_id")) != UUID(second.headers["ce_id"])
    assert headers == {
        "ce_specversion": "1.0",
        "ce_type": "parley.fact.text-received.v1",
        "ce_source": "parley/ingress",
    }


def test_a_record_is_sealed_with_its_key_as_context(ingress: LogIngress, log: SQLiteLog) -> None:
    ingress.accept([TEXT])
    [record] = appended(log)
    assert record.value.startswith(b"sealed" + TEXT.key.bytes)
    assert b"Guten" not in record.value


def test_it_is_as_long_and_as_partitioned_as_its_log(ingress: LogIngress, log: SQLiteLog) -> None:
    ingress.accept([TEXT])
    assert ingress.partitions == 4
    assert [ingress.end(n) for n in range(4)] == [log.end(n) for n in range(4)]
    ingress.wait(0)


def test_times_of_other_zones_are_the_same_moments(ingress: LogIngress) -> None:
    due = NOW.astimezone(timezone(timedelta(hours=-5)))
    ingress.accept([DeadlineFell(KEY, DeadlineKind.IDLE, ID, due)])
    [each] = everything(ingress)
    assert isinstance(each.fact, DeadlineFell)
    assert each.fact.due_at == NOW
    assert each.fact.due_at.tzinfo is UTC


@given(st.text(alphabet=st.characters()))
def test_any_text_is_accepted(text: str) -> None:
    ingress = LogIngress(ListLog(), FakeCipher())
    ingress.accept([dataclasses.replace(TEXT, text=text)])
    [each] = ingress.read(0, -1, 1)
    assert isinstance(each.fact, TextReceived)
    assert each.fact.text == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def test_half_a_character_becomes_the_replacement_character(ingress: LogIngress) -> None:
    ingress.accept([dataclasses.replace(TEXT, text="cut \ud83d", media=(MediaLink("\udc4b", "é"),))])
    [each] = everything(ingress)
    assert each.fact == dataclasses.replace(TEXT, text="cut \ufffd", media=(MediaLink("\ufffd", "é"),))


def test_a_fact_that_is_too_large_keeps_all_out(ingress: LogIngress) -> None:
    with pytest.raises(AvroError, match="at most"):
        ingress.accept([TEXT, dataclasses.replace(TEXT, raw="x" * (1 << 20))])
    assert everything(ingress) == []


def test_a_destroyed_key_is_a_problem_not_an_exception(ingress: LogIngress, cipher: FakeCipher) -> None:
    ingress.accept([TEXT])
    cipher.gone = True
    [each] = everything(ingress)
    assert each.fact is None
    assert each.problem == "It cannot be decrypted: the key of the period is gone"
    assert each.accepted_at == NOW


PLAIN = {"key": KEY, "kind": "idle", "subject_id": ID, "due_at": NOW}


@pytest.mark.parametrize(
    ("plain", "problem"),
    [
        (b"", "cannot be decoded"),
        (b"\xc3\x01" + bytes(100), "cannot be decoded"),
        (encode(DeadlineFell.TOPIC, PLAIN)[:-1], "cannot be decoded"),
        (encode(DeadlineFell.TOPIC, PLAIN | {"kind": "whim"}), "not a fact as this version knows them"),
        (encode(DeadlineFell.TOPIC, PLAIN | {"key": ID}), "not a fact as this version knows them"),
    ],
)
def test_what_is_no_fact_is_a_problem_among_good_ones(
    ingress: LogIngress, log: SQLiteLog, cipher: FakeCipher, plain: bytes, problem: str
) -> None:
    ingress.accept([TEXT])
    log.append([NewRecord(KEY.bytes, cipher.seal(plain, KEY.bytes))])
    ingress.accept([TEXT])
    good, bad, good_again = everything(ingress)
    assert (good.fact, bad.fact, good_again.fact) == (TEXT, None, TEXT)
    assert problem in bad.problem
    assert "whim" not in bad.problem


def test_a_record_moved_to_another_key_is_a_problem(ingress: LogIngress, log: SQLiteLog) -> None:
    ingress.accept([TEXT])
    [record] = appended(log)
    log.append([NewRecord(ID.bytes, record.value)])
    assert sorted(each.fact is None for each in everything(ingress)) == [False, True]


@given(st.binary(max_size=100), st.binary(max_size=20))
def test_any_record_is_read_without_an_exception(value: bytes, key: bytes) -> None:
    log = ListLog()
    log.append([NewRecord(key, value), NewRecord(key, FakeCipher().seal(value, key))])
    assert [each.fact for each in LogIngress(log, FakeCipher()).read(0, -1, 2)] == [None, None]


def test_facts_removed_unread_are_still_an_alarm(ingress: LogIngress, log: SQLiteLog) -> None:
    ingress.accept([TEXT])
    [record] = appended(log)
    log.trim(NOW + timedelta(seconds=1))
    with pytest.raises(OffsetOutOfRange):
        ingress.read(record.partition, -1, 1)


class ListLog:
    """One partition in memory."""

    partitions = 1

    def __init__(self) -> None:
        self.records: list[Record] = []

    def append(self, records: typing.Sequence[NewRecord]) -> list[Appended]:
        first = len(self.records)
        for offset, new in enumerate(records, first):
            self.records.append(Record(0, offset, new.key, new.value, new.headers, NOW))
        return [Appended(0, offset, NOW) for offset in range(first, len(self.records))]

    def read(self, partition: int, after: int, limit: int) -> list[Record]:
        return self.records[after + 1 :][:limit]

    def end(self, partition: int) -> int:
        return len(self.records) - 1

    def wait(self, timeout: float) -> None:
        """Never: there is one thread."""

    def trim(self, before: datetime) -> int:
        return 0


# ── schemas and dataclasses agree ──────────────────────────────────────────────────────────────

MICROS = {"type": "long", "logicalType": "timestamp-micros"}
AVRO_TYPES: dict[Any, list[Any]] = {
    str: ["string"],
    bool: ["boolean"],
    int: ["int", "long"],
    bytes: ["bytes"],
    UUID: [{"type": "string", "logicalType": "uuid"}],
    datetime: [MICROS],
}


def fits(avro: Any, kind: Any) -> bool:
    """Whether an Avro type holds exactly what a Python type says."""
    arguments = typing.get_args(kind)
    if isinstance(kind, types.UnionType):
        [wanted] = [each for each in arguments if each is not type(None)]
        return isinstance(avro, list) and avro[0] == "null" and len(avro) == 2 and fits(avro[1], wanted)
    if typing.get_origin(kind) is tuple:
        return bool(avro["type"] == "array" and arguments[1] is ... and fits(avro["items"], arguments[0]))
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        names = [field.name for field in dataclasses.fields(kind)]
        fields = avro["fields"]
        return [field["name"] for field in fields] == names and all(
            fits(field["type"], hints[field["name"]]) for field in fields
        )
    return avro in (["string"] if issubclass(kind, StrEnum) else AVRO_TYPES[kind])


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.__name__)
def test_schemas_and_facts_agree(fact: type[Fact]) -> None:
    assert fits(schema_for(fact.TOPIC), fact)


@pytest.mark.parametrize(
    ("field", "broken"),
    [
        (0, {"type": "string"}),
        (1, {"name": "mapping"}),
        (8, {"type": "string"}),
        (9, {"type": ["null", "string"]}),
    ],
)
def test_a_schema_that_disagrees_is_noticed(field: int, broken: dict[str, Any]) -> None:
    schema = schema_for(TextReceived.TOPIC)
    fields = [each | (broken if n == field else {}) for n, each in enumerate(schema["fields"])]
    assert not fits(schema | {"fields": fields}, TextReceived)


@pytest.mark.parametrize(
    ("fact", "field", "kind"),
    [
        (ReceiptReceived, "status", ReceiptStatus),
        (SendSettled, "outcome", Outcome),
        (DeadlineFell, "kind", DeadlineKind),
        (PartReceived, "alphabet", Alphabet),
    ],
)
def test_a_schema_documents_every_value_of_an_enumeration(
    fact: type[Fact], field: str, kind: type[StrEnum]
) -> None:
    [doc] = [each["doc"] for each in schema_for(fact.TOPIC)["fields"] if each["name"] == field]
    assert [member.value for member in kind] == doc.rstrip(".").replace(" or ", ", ").split(", ")
