"""Records to and from Kafka's form."""

from datetime import UTC, datetime, timedelta
from typing import Any

from domain.ports import NewRecord, Record

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


def to_millis(moment: datetime) -> int:
    """Whole milliseconds since 1970: what Kafka's timestamps hold."""
    return (moment - EPOCH) // MILLISECOND


def to_moment(millis: int) -> datetime:
    """The moment of a Kafka timestamp."""
    return EPOCH + millis * MILLISECOND


def to_headers(record: NewRecord) -> list[tuple[str, bytes]]:
    """Headers as kafka-python takes them."""
    return [(name, value.encode()) for name, value in record.headers.items()]


def size_of(record: NewRecord) -> int:
    """About how many bytes a record has."""
    return len(record.key) + len(record.value) + sum(len(k) + len(v) for k, v in record.headers.items())


def to_record(found: Any) -> Record:
    """A record as kafka-python reads it. Others may have written it: what they left out is empty."""
    headers = {name: (value or b"").decode("utf-8", "replace") for name, value in found.headers}
    return Record(
        found.partition,
        found.offset,
        found.key or b"",
        found.value or b"",
        headers,
        to_moment(found.timestamp),
    )
