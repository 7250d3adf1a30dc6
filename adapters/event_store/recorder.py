"""What the event store asks of a recorder: rows of events, and whole units saved at once."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol
from uuid import UUID

from eventsourcing.persistence import Notification, StoredEvent

from database.sql import Cursor
from domain.ports import Source


class Recorder(Protocol):
    """The library's recorder on one kind of database, reading many streams and writing whole units."""

    def create_tables(self) -> None:
        """Create all tables of the store, or find them there: to be called once, before anything else.

        Raises ValueError when a newer Parley made them.
        """

    def select_streams(self, known: Mapping[UUID, int]) -> list[Notification]:
        """The events of many streams beyond a known version of each, stream by stream, by one query."""

    def select_after(self, position: int, limit: int) -> list[Notification]:
        """At most `limit` events beyond a position, in order."""

    def head(self) -> int:
        """The position of the newest event, 0 when there is none."""

    def ingested(self, partition: int) -> int:
        """How far a partition of the ingress log has been ingested, -1 for not at all."""

    def save(
        self, stored: Sequence[StoredEvent], source: Source | None, check: Callable[[Cursor], None]
    ) -> int:
        """Save events, and how far ingest has come with them, in one transaction, in which `check` is called
        first; the position of the newest event.

        No other is saved meanwhile, so that what is checked stays so. Raises AlreadyTracked; Conflict when
        a version is taken; StoreUnavailable when it cannot be known whether they are saved.
        """

    def check_unchanged(self, c: Cursor, versions: Mapping[UUID, int]) -> None:
        """Make sure, within that transaction, that streams have not moved. Raises Conflict naming those."""


def source_name(partition: int) -> str:
    """The name under which a partition of the ingress log is tracked."""
    return f"ingress:{partition}"


def already_ingested(source: Source) -> str:
    """What is wrong with a batch that has been ingested before."""
    return f"Partition {source.partition} has been ingested up to offset {source.offset} before."


def first_versions(stored: Collection[StoredEvent]) -> dict[UUID, int]:
    """The first of the versions that these events take in each stream."""
    first: dict[UUID, int] = {}
    for event in stored:
        assert isinstance(event.originator_id, UUID)  # noqa: S101 - for mypy: so are all of Parley's
        first.setdefault(event.originator_id, event.originator_version)
    return first
