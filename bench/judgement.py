"""What must be so after everything: judged by the event store, the views and the provider's ledger alone."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from bench.crowd import Posted, Reply
from database.sql import Cursor
from domain.message_values import MessageStatus
from domain.messages import Message
from domain.ports import EventStore, Recorded
from projections.views import Views, make_views

Ledger = Sequence[Mapping[str, str]]
"""What the provider took, in order: see `bench.programs.Twilio.accepted`."""

AT_ONCE = 1000
_ATTEMPT = re.compile(r"attempt=([0-9a-f]{32})\.[0-9]+$")
_GONE_IN_VAIN = {MessageStatus.REJECTED, MessageStatus.BLOCKED, MessageStatus.EXPIRED}
_IN_DOUBT = {MessageStatus.IN_DOUBT, MessageStatus.DROPPED}  # the latter: an automatic text, given up on
_MAY_BE_UNSENT = _GONE_IN_VAIN | _IN_DOUBT | {MessageStatus.SUPPRESSED}
_UNSETTLED = {MessageStatus.REQUESTED, MessageStatus.POSTPONED, MessageStatus.ATTEMPTING}


@dataclass
class Findings:
    """Counts, and everything that is not as it must be."""

    counts: dict[str, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)


@dataclass
class _Events:
    """What the store holds, as far as it matters here."""

    received: dict[str, list[tuple[int, Message.Received]]]
    requested: dict[UUID, tuple[int, Message.Requested]]


def judge(store: EventStore, posted: Sequence[Posted], replies: Sequence[Reply], ledger: Ledger) -> Findings:
    """Compare what was done with what is there."""
    events = _read(store)
    findings = Findings()
    findings.violations += _texts(events, posted)
    findings.violations += _order(events, posted)
    findings.violations += _replies(events, replies)
    findings.violations += _sends(store, events, ledger, findings.counts)
    return findings


def everything(store: EventStore) -> Iterator[list[Recorded]]:
    """All events, in order, a chunk at a time."""
    position = 0
    while chunk := store.read(position, AT_ONCE):
        yield chunk
        position = chunk[-1].position


def _read(store: EventStore) -> _Events:
    received: defaultdict[str, list[tuple[int, Message.Received]]] = defaultdict(list)
    requested: dict[UUID, tuple[int, Message.Requested]] = {}
    for each in (each for chunk in everything(store) for each in chunk):
        if isinstance(each.event, Message.Received):
            received[each.event.provider_message_id].append((each.position, each.event))
        elif isinstance(each.event, Message.Requested):
            requested[each.event.originator_id] = (each.position, each.event)
    return _Events(received, requested)


# ── what came in ───────────────────────────────────────────────────────────────────────────────


def _texts(events: _Events, posted: Sequence[Posted]) -> Iterator[str]:
    for each in posted:
        found = events.received.get(each.text.sid, [])
        if not each.accepted:
            yield f"text {each.text.sid} was never accepted"
        elif len(found) != 1:
            yield f"text {each.text.sid} was accepted and is {len(found)} events"
        elif (found[0][1].text, found[0][1].customer_address) != (each.text.body, each.text.customer):
            yield f"text {each.text.sid} is not what was posted"
    for sid in events.received.keys() - {each.text.sid for each in posted}:
        yield f"text {sid} was never posted"


def _order(events: _Events, posted: Sequence[Posted]) -> Iterator[str]:
    """Of two texts of a customer, the one whose posts began after the other was answered comes later."""
    by_customer: defaultdict[str, list[tuple[int, Posted]]] = defaultdict(list)
    for each in posted:
        for position, _ in events.received.get(each.text.sid, [])[:1]:
            by_customer[each.text.customer].append((position, each))
    for texts in by_customer.values():
        for position, later in texts:
            for other, earlier in texts:
                if earlier.accepted and earlier.accepted < later.begun and other > position:
                    yield f"text {later.text.sid} overtook {earlier.text.sid}, which was accepted before"


# ── what went out ──────────────────────────────────────────────────────────────────────────────


def _replies(events: _Events, replies: Sequence[Reply]) -> Iterator[str]:
    asked = {UUID(each.message_id): each for each in replies}
    for message_id, reply in asked.items():
        found = events.requested.get(message_id)
        if found is None:
            yield f"reply {message_id} was confirmed and is no event"
        elif found[1].text != reply.text:
            yield f"reply {message_id} is not what was asked for"
    for message_id, (_, event) in events.requested.items():
        if event.agent is not None and message_id not in asked:
            yield f"reply {message_id} was never asked for"


def _sends(store: EventStore, events: _Events, ledger: Ledger, counts: dict[str, int]) -> Iterator[str]:
    sent = [_message_of(each["callback"]) for each in ledger]
    times = Counter(sent)
    yield from (f"message {each} was sent {many} times" for each, many in times.items() if many > 1)
    invented = times.keys() - events.requested.keys()
    yield from (f"message {each} was sent and never asked for" for each in invented)
    statuses = _statuses(store, events.requested)
    for message_id, status in statuses.items():
        if status in _UNSETTLED:
            yield f"message {message_id} is still {status}"
        elif status in _GONE_IN_VAIN and times[message_id]:
            yield f"message {message_id} is {status}, and was sent"
        elif status not in _MAY_BE_UNSENT and not times[message_id]:
            yield f"message {message_id} is {status}, and was not sent"
    yield from _order_sent(events, sent)
    replies = [each for each, (_, event) in events.requested.items() if event.agent is not None]
    counts["replies in the ledger"] = sum(times[each] for each in replies)
    counts["notices in the ledger"] = len(sent) - counts["replies in the ledger"]
    counts["in doubt"] = sum(status in _IN_DOUBT for status in statuses.values())
    counts["given up"] = sum(status in _GONE_IN_VAIN for status in statuses.values())


def _order_sent(events: _Events, sent: Iterable[UUID]) -> Iterator[str]:
    last: dict[UUID, int] = {}
    for message_id in sent:
        position, event = events.requested.get(message_id, (0, None))
        if event is not None:
            if position < last.get(event.thread_id, 0):
                yield f"message {message_id} was overtaken by a later one of its thread"
            last[event.thread_id] = max(position, last.get(event.thread_id, 0))


def _message_of(callback: str) -> UUID:
    match = _ATTEMPT.search(callback)
    return UUID(hex=match[1]) if match else UUID(int=0)


def _statuses(store: EventStore, message_ids: Iterable[UUID]) -> dict[UUID, MessageStatus]:
    wanted, found = list(message_ids), {}
    for start in range(0, len(wanted), AT_ONCE):
        for each in store.load(set(wanted[start : start + AT_ONCE])).values():
            if isinstance(each, Message):
                found[each.id] = each.status
    return found


# ── the views ──────────────────────────────────────────────────────────────────────────────────


def compare_with_rebuild(views: Views, store: EventStore) -> list[str]:
    """Fill new views from the first event on; in which tables they differ from those that grew."""
    kinds = [type(each) for each in views.projections]
    with views.database.scratch() as scratch:
        make_views(scratch, kinds)
        rebuilt = Views(scratch, kinds)
        for chunk in everything(store):
            rebuilt.apply(rebuilt.projections, chunk)
        with views.database.beside(scratch, alone=()) as (cursor, here, there):
            tables = [table for each in kinds for table in each.tables]
            return [
                f"table {table.name} of the views differs from a rebuild in {many} rows"
                for table in tables
                if (many := _differing(cursor, here + table.name, there + table.name))
            ]


def _differing(cursor: Cursor, one: str, other: str) -> int:
    return sum(
        len(cursor.all(f"SELECT * FROM {a} EXCEPT SELECT * FROM {b}"))  # noqa: S608 - names from our own DDL
        for a, b in ((one, other), (other, one))
    )
