"""Dispatch: outbound messages go to their providers, each under a recorded intent.

Each sending address is a lane that one dispatcher owns at a time. An attempt is recorded, in one
transaction with the check that the lane is still ours and the customer has not opted out, before a
byte leaves; it carries a send-by time that is looked at again just before. The outcome goes to the
ingress log. An attempt whose outcome nobody knows is in doubt, and never silently sent again.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from uuid import UUID

from domain.consent import Consent
from domain.errors import Conflict, LeaseLost, Unavailable
from domain.facts import Outcome, SendSettled
from domain.messages import Message
from domain.ports import Clock, EventStore, Ingress, Lease, Leases, Unit
from domain.segments import measure
from domain.sittings import Sittings
from domain.values import ERASED
from domain.world import World
from projections.lanes import LaneQueries, Outgoing
from projections.views import Views
from workers.sending import Attempt, Line, Sender
from workers.worker import HeldLease

log = logging.getLogger(__name__)

SEND_BY = timedelta(seconds=10)
"""After its intent was recorded an attempt may start so long; a new owner of the lane waits it out."""

ANSWER_WITHIN = timedelta(seconds=30)
"""Longer than any provider call takes: an attempt without an outcome by then has lost it."""

BATCH = 50
"""Intents in one transaction."""

LEFT_FOR = timedelta(seconds=1)
"""A lane whose carrier is not ready is left to other processes for so long."""

ROUNDING = 1e-9
"""Of a segment: ten tenths of a second may add up to a little less than one."""


@dataclass
class _Rate:
    """How many segments a number may still send now; a second's worth at most."""

    per_second: float
    left: float
    at: datetime

    def take(self, segments: int, now: datetime) -> bool:
        self.left = min(self.per_second, self.left + (now - self.at).total_seconds() * self.per_second)
        self.at = now
        # A message longer than a second's worth goes when the bucket is full, and owes the rest.
        if self.left < min(segments, self.per_second) - ROUNDING:
            return False
        self.left -= segments
        return True


class LaneLeases:
    """The leases of lanes, one for each sending address."""

    def __init__(self, leases: Leases, clock: Clock, owner: str) -> None:
        self._leases = leases
        self._clock = clock
        self._owner = owner
        self._held: dict[str, HeldLease] = {}

    def of(self, lane: str) -> HeldLease:
        """The lease of a lane."""
        if lane not in self._held:
            self._held[lane] = HeldLease(self._leases, self._clock, f"lane:{lane}", self._owner)
        return self._held[lane]

    def release(self) -> None:
        """Give every lane up."""
        for held in self._held.values():
            held.release()


class Dispatch:
    """Works off the lanes of all sending addresses that no other dispatcher owns."""

    name = "dispatch"
    pace = 0.01

    def __init__(
        self,
        views: Views,
        store: EventStore,
        ingress: Ingress,
        clock: Clock,
        sender: Sender,
        sittings: Sittings,
        leases: LaneLeases,
        pool: Executor,
    ) -> None:
        self._views = views
        self._lanes = LaneQueries(views)
        self._store = store
        self._ingress = ingress
        self._clock = clock
        self._sender = sender
        self._sittings = sittings
        self._leases = leases
        self._pool = pool
        self._rates: dict[str, _Rate] = {}
        self._flying: dict[UUID, Future[None]] = {}
        self._left: dict[str, datetime] = {}  # lanes that are left to others, until when

    def step(self) -> bool:
        """Send at most a batch in every lane."""
        self._flying = {message: future for message, future in self._flying.items() if not future.done()}
        worked = [self._work_lane(lane) for lane in self._lanes.lanes()]
        return any(worked)

    def wait(self, timeout: float) -> None:
        # Rates refill and retries fall due without anything being projected.
        self._views.wait(min(timeout, 0.05 if self._rates_are_short() else timeout))

    def _rates_are_short(self) -> bool:
        return any(rate.left < 1 for rate in self._rates.values())

    def _work_lane(self, lane: str) -> bool:
        now = self._clock.now()
        held = self._leases.of(lane)
        lease = held.get() if self._left.get(lane, now) <= now else None
        if lease is None:
            return False
        settled = self._settle_lost(lane)
        ready = [each for each in self._lanes.ready(lane, now, BATCH) if each.message_id not in self._flying]
        if not ready:
            return settled
        lines = {each: self._sender.line(lane, each) for each in {one.mapping_id for one in ready}}
        if not all(line.carrier.ready() for line in lines.values()):
            self._left[lane] = now + LEFT_FOR
            held.release()  # perhaps another process has the connection
            return settled
        try:
            attempts, saved = self._record(lease, ready, lines, now)
        except Conflict:
            return True
        except LeaseLost:
            held.drop()
            return False
        for flight in _flights(attempts):
            future = self._pool.submit(self._fly, flight)
            self._flying |= {each.message.message_id: future for each in flight}
        return settled or saved

    # ── the intent ─────────────────────────────────────────────────────────────────────────────

    def _record(
        self, lease: Lease, ready: Sequence[Outgoing], lines: Mapping[UUID, Line], now: datetime
    ) -> tuple[list[Attempt], bool]:
        """Record the intents in one transaction; whether anything was recorded.

        Raises Conflict, LeaseLost: then nothing is sent.
        """
        world = World(self._store)
        world.load({each.message_id for each in ready} | {each.consent_id for each in ready})
        messages = [each for each in (world.get(Message, one.message_id) for one in ready) if each]
        world.load(consent for each in messages for consent in self._sittings.consents(each))
        unchanged: dict[UUID, int] = {}
        attempts: list[Attempt] = []
        for message in messages:
            if not message.may_go(now):
                continue
            opted_out = not message.exempt and self._sittings.has_opted_out(world, message)
            if opted_out or message.customer_address == ERASED:
                message.block(now)
                continue
            attempt = self._attempt(message, lines[message.mapping_id], now)
            if attempt is None:
                continue
            for consent_id in self._sittings.consents(message):
                consent = world.get(Consent, consent_id)
                unchanged[consent_id] = consent.version if consent else 0
            attempts.append(attempt)
        changed = world.changed()
        if changed:
            self._store.save(Unit(changed, unchanged=unchanged, lease=lease))
        return attempts, bool(changed)

    def _attempt(self, message: Message, line: Line, now: datetime) -> Attempt | None:
        """An attempt at a message, when the lane's rate allows it."""
        lane = message.our_address
        if not self._rate(lane, line, now).take(measure(message.text).segments or 1, now):
            return None
        send_by = now + SEND_BY
        number = message.attempt_sending(lane, send_by, now)
        return Attempt(
            thread_id=message.thread_id,
            line=line,
            message=self._sender.outbound(message, number, now),
            send_by=send_by,
        )

    def _rate(self, lane: str, line: Line, now: datetime) -> _Rate:
        per_second = line.segments_per_second
        rate = self._rates.get(lane)
        if rate is None or rate.per_second != per_second:
            rate = self._rates[lane] = _Rate(per_second, per_second, now)
        return rate

    # ── the attempt ────────────────────────────────────────────────────────────────────────────

    def _fly(self, flight: Sequence[Attempt]) -> None:
        """Hand messages over and put each outcome on the ingress log when it is known. Runs in the pool."""
        for outcomes in self._sender.send(flight):
            try:
                self._ingress.accept(outcomes)
            except Unavailable:  # these will be in doubt; the others' outcomes may still be kept
                log.exception("the outcomes of %d messages could not be kept", len(outcomes))

    # ── what an earlier owner left ─────────────────────────────────────────────────────────────

    def _settle_lost(self, lane: str) -> bool:
        """Attempts of an owner that died: their outcome is unknown once it can no longer come."""
        overdue = self._lanes.overdue(lane, self._clock.now() - ANSWER_WITHIN)
        lost = [each for each in overdue if each.message_id not in self._flying]
        if not lost or not self._has_caught_up():
            return False
        self._ingress.accept([_in_doubt(each) for each in lost])
        return True

    def _has_caught_up(self) -> bool:
        """Whether every outcome on the ingress log has been ingested and shows in the views."""
        partitions = range(self._ingress.partitions)
        ingested = all(self._ingress.end(each) <= self._store.ingested(each) for each in partitions)
        return ingested and self._views.wait_for(self._store.head(), 0)


def _flights(attempts: Sequence[Attempt]) -> Iterator[Sequence[Attempt]]:
    """Those that go by one line, as many together as its carrier takes at once."""
    for line, group in groupby(attempts, lambda each: each.line):
        some, at_once = list(group), line.carrier.at_once
        for start in range(0, len(some), at_once):
            yield some[start : start + at_once]


def _in_doubt(item: Outgoing) -> SendSettled:
    return SendSettled(
        key=item.thread_id,
        message_id=item.message_id,
        attempt=item.attempt,
        outcome=Outcome.IN_DOUBT,
        scope="",
        provider_message_id=None,
        error_code=None,
        detail="the process that was sending it stopped before the answer came",
        retry_at=None,
        reconciled=False,
    )
