"""`parley restore`: a lost store is filled again, and no past send is repeated.

1. `refill`: an empty store takes up a backup and then the events topic, up to the last whole transaction.
   Keys of customers who were forgotten after the backup are destroyed again; keys made after it are lost.
2. `Follow`: ingress is read again from where the events end. Nothing is sent meanwhile. Then every outbound
   message without an outcome is in doubt: it may have been sent, and what tells of it may be lost.

Both leave the store marked as being restored until all is done; with the first interrupted, the schema has to
be dropped, with the second, it goes on. Events after this are of a new epoch (`docs/events-topic.md`).
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from adapters.avro_codec import decode
from adapters.event_store import refill as filling
from adapters.event_store.refill import KeptEvent, KeptUnit, NotEmpty, Refill, Stage, restoring
from adapters.kafka.events import EventRecord, EventsTopic, NotAnEvent, Reading
from adapters.keys import customers
from adapters.keys.master import MasterKey
from adapters.keys.vault import Vault, check_master
from database.postgres import PostgresDatabase
from domain.customers import Customer
from domain.errors import Conflict, OffsetOutOfRange, ParleyError
from domain.facts import Outcome, SendSettled
from domain.intake import Intake
from domain.message_values import WAITING, MessageStatus
from domain.messages import Message
from domain.ports import Clock, EventStore, Ingress, Unit
from workers.backup import read_manifest, read_rows
from workers.ingest import Ingest

__all__ = ["Follow", "Followed", "IngressLost", "NotEmpty", "Refilled", "refill", "restoring"]

BATCH = 5_000
"""Events in one transaction."""

MESSAGES = 500
"""Messages that are put in doubt in one transaction."""

UNKNOWN = "restored: whether it was sent is not known"

_SETTLED = (Message.Accepted.TOPIC, Message.Receipted.TOPIC, Message.Blocked.TOPIC, Message.Expired.TOPIC)

Progress = Callable[[str, int, int | None], None]
"""Called with what is being done, how many are done, and of how many, where that is known."""

log = logging.getLogger(__name__)


class IngressLost(ParleyError):
    """Facts that the restored store has not seen are gone from the ingress log."""


@dataclass(frozen=True)
class Refilled:
    """What was taken up."""

    events: int
    head: int  # the position of the last event
    left_out: (
        int  # how far beyond that the topic's positions go: part of a transaction, or what follows a gap
    )
    problem: str  # why it ended before the topic's end; empty when it did not
    forgotten: int  # keys that were destroyed again
    lost_keys: int  # keys made after the backup
    lost_customers: int  # whose they were: what they wrote under them reads as erased


@dataclass(frozen=True)
class Followed:
    """What was done after that."""

    facts: int  # read again
    in_doubt: int  # messages that may have been sent


# ── the backup and the events ──────────────────────────────────────────────────────────────────────


def refill(
    store: PostgresDatabase,
    master: MasterKey,
    topic: EventsTopic,
    file: Path,
    clock: Clock,
    progress: Progress,
) -> Refilled | None:
    """Fill an empty store, whose tables have been made and which nothing else has open; None when an earlier
    restore has done so already and only `Follow` is left.

    Raises NotEmpty, BadBackup, WrongMasterKey, NotAnEvent, OffsetOutOfRange, Unavailable.
    """
    if filling.stage(store) is Stage.FOLLOWING:
        return None
    manifest = read_manifest(file)
    _check_master(file, master)
    reading = topic.read()
    filling.begin(store, read_rows(file))
    vault = Vault(store, master, clock)
    target = Refill(store, clock.now())
    taken = _Taken(manifest.head)
    for units in _batches(taken.units(reading), BATCH):
        target.write(units)
        progress("events", taken.events, reading.records)
    destroyed = vault.erase(customers.KIND, [each.hex for each in taken.forgotten])
    target.finish(reading.epochs, max(reading.highest, taken.highest), taken.tails, taken.sources)
    lost = {who: keys for who, keys in target.lost.items() if who not in taken.forgotten}
    return Refilled(
        events=taken.events,
        head=taken.head,
        left_out=max(reading.highest, taken.highest) - taken.head,
        problem=reading.problem,
        forgotten=len(destroyed),
        lost_keys=sum(lost.values()),
        lost_customers=len(lost),
    )


def _check_master(file: Path, master: MasterKey) -> None:
    for table, row in read_rows(file):
        if table == "vault":
            check_master(row, master)
            return


class _Taken:
    """What has been taken from the topic."""

    def __init__(self, backed_up: int) -> None:
        self.events = 0
        self.head = 0
        self.highest = 0  # position seen, whether it was taken or not
        self.tails: dict[int, int] = {}
        self.sources: dict[int, int] = {}
        self.forgotten: set[UUID] = set()  # after the backup
        self._backed_up = backed_up

    def units(self, reading: Reading) -> Iterator[KeptUnit]:
        """The transactions that are whole."""
        records: list[EventRecord] = []
        for record in reading:
            records.append(record)
            self.highest = record.position
            if record.position == record.unit:
                yield self._unit(records)
                records = []

    def _unit(self, records: Sequence[EventRecord]) -> KeptUnit:
        source = records[-1].source
        if source is not None:
            self.sources[source.partition] = max(source.offset, self.sources.get(source.partition, -1))
        for each in records:
            self.tails[each.partition] = each.position
        self.events += len(records)
        self.head = records[-1].position
        return KeptUnit([self._event(each) for each in records], source)

    def _event(self, record: EventRecord) -> KeptEvent:
        topic, body = decode(record.state)
        if topic != record.topic:
            raise NotAnEvent(
                f"Partition {record.partition}, offset {record.offset} says {record.topic}; it is a {topic}."
            )
        is_forgetting = topic in (Customer.Created.TOPIC, Customer.Forgotten.TOPIC)
        if is_forgetting and record.position > self._backed_up:
            self.forgotten.add(body["customer_id"])
        return KeptEvent(record.position, record.stream_id, record.version, topic, record.state, body)


def _batches(units: Iterator[KeptUnit], size: int) -> Iterator[list[KeptUnit]]:
    batch: list[KeptUnit] = []
    events = 0
    for unit in units:
        batch.append(unit)
        events += len(unit.events)
        if events >= size:
            yield batch
            batch, events = [], 0
    if batch:
        yield batch


# ── ingress, and what may have been sent ───────────────────────────────────────────────────────────


class Follow:
    """The second half, on a platform that was opened on the refilled store."""

    def __init__(
        self, database: PostgresDatabase, store: EventStore, intake: Intake, clock: Clock, progress: Progress
    ) -> None:
        self._database = database
        self._store = store
        self._intake = intake
        self._clock = clock
        self._progress = progress

    def run(
        self, ingress: Ingress, workers: Sequence[Ingest], starts: Mapping[int, int] | None = None
    ) -> Followed:
        """Read ingress again up to its present ends, and put in doubt what may have been sent.

        `workers`: the ingest worker of each partition, in order. `starts`: the first offsets that are still
        there, where it is accepted that facts before them are lost. Raises IngressLost.
        """
        self._find_references()
        facts = self._ingest(ingress, workers, starts)
        in_doubt = self._doubt()
        filling.end(self._database)
        return Followed(facts, in_doubt)

    def _find_references(self) -> None:
        """What providers call our messages: said by the events of their acceptance."""
        after = 0
        while rows := self._database.rows(
            "SELECT notification_id, originator_id, state FROM stored_events WHERE topic = :topic"
            " AND notification_id > :after ORDER BY notification_id LIMIT :limit",
            {"topic": Message.Accepted.TOPIC, "after": after, "limit": BATCH},
        ):
            after = rows[-1]["notification_id"]
            references = {}
            for row in rows:
                _, body = decode(row["state"])
                if body["provider_message_id"]:
                    reference = self._intake.reference(body["scope"], body["provider_message_id"])
                    references[reference] = row["originator_id"]
            self._store.save(Unit(references=references))

    def _ingest(self, ingress: Ingress, workers: Sequence[Ingest], starts: Mapping[int, int] | None) -> int:
        for partition, first in (starts or {}).items():
            if self._store.ingested(partition) < first - 1:
                log.warning("ingress partition %d: facts before offset %d are lost", partition, first)
                filling.skip_ingress(self._database, partition, first - 1)
        ends = {partition: ingress.end(partition) for partition in range(ingress.partitions)}
        begun = self._positions(ends)
        total = sum(ends[each] - begun[each] for each in ends)
        behind = list(ends)
        while behind:
            for partition in behind:
                self._step(workers[partition], partition)
            positions = self._positions(ends)
            behind = [each for each in behind if positions[each] < ends[each]]
            self._progress("facts", sum(positions[each] - begun[each] for each in ends), total)
        return sum(self._positions(ends)[each] - begun[each] for each in ends)

    def _positions(self, ends: Mapping[int, int]) -> dict[int, int]:
        return {partition: self._store.ingested(partition) for partition in ends}

    def _step(self, worker: Ingest, partition: int) -> None:
        try:
            worker.step()
        except OffsetOutOfRange as error:
            raise IngressLost(
                f"Facts of ingress partition {partition} after offset {self._store.ingested(partition)} are"
                f" gone ({error}): texts and outcomes among them are lost. Look for them with the providers."
                " To go on without them run the same again with --accept-lost-ingress."
            ) from error

    def _doubt(self) -> int:
        """Put every outbound message that has no outcome in doubt; how many."""
        doubted, looked_at = 0, 0
        after = UUID(int=0)
        while rows := self._database.rows(
            "SELECT originator_id AS id FROM stored_events AS r WHERE topic = :requested"
            " AND originator_id > :after AND NOT EXISTS (SELECT 1 FROM stored_events AS s"
            " WHERE s.originator_id = r.originator_id AND s.topic IN :settled)"
            " ORDER BY originator_id LIMIT :limit",
            {
                "requested": Message.Requested.TOPIC,
                "after": after,
                "settled": _SETTLED,
                "limit": MESSAGES,
            },
        ):
            after = rows[-1]["id"]
            looked_at += len(rows)
            doubted += self._doubt_these([row["id"] for row in rows])
            self._progress("messages", looked_at, None)
        return doubted

    def _doubt_these(self, ids: Sequence[UUID]) -> int:
        while True:
            loaded = self._store.load(ids).values()
            doubted = [each for each in loaded if isinstance(each, Message) and self._doubt_one(each)]
            try:
                self._store.save(Unit(doubted))
            except Conflict:
                continue
            return len(doubted)

    def _doubt_one(self, message: Message) -> bool:
        """Whether the message was put in doubt. One that waited may have been attempted since it was last
        heard of: that attempt has the next number, which the provider's receipts will name.
        """
        if message.status in WAITING:
            since = message.modified_on
            message.attempt_sending(message.our_address, since, since)
        return message.status is MessageStatus.ATTEMPTING and message.settle(
            SendSettled(
                key=message.thread_id,
                message_id=message.id,
                attempt=message.attempt,
                outcome=Outcome.IN_DOUBT,
                scope="",
                provider_message_id=None,
                error_code=None,
                detail=UNKNOWN,
                retry_at=None,
                reconciled=False,
            ),
            self._clock.now(),
        )
