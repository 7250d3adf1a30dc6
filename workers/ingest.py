"""Ingest: facts become events, once each.

A batch of one partition is decided on aggregates loaded together and saved in one transaction with
the position it brings the partition to. When somebody else was first, it is decided again on what is
there now. A fact that can never be decided is parked with its reason, in the same transaction as the
position: nothing stops the log, nothing is lost.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from uuid import UUID

from domain.errors import AlreadyTracked, Conflict, OffsetOutOfRange, Unavailable
from domain.facts import Outcome, ReceiptReceived, SendSettled, TextWithoutId
from domain.intake import Effects, Intake, Known
from domain.ports import Accepted, Arrival, EventStore, FactSource, Parked, Source, Unit, WaitingReceipt
from domain.world import World

BATCH = 500
"""Facts in one transaction. Beyond some hundreds nothing is gained, and a conflict costs more."""

RETRIES = 5
"""Batches that keep colliding are taken apart after so many tries."""

RECEIPTS_WAIT = timedelta(days=3)
"""Receipts that match nothing are listed as such after this time: providers' own limit is 72 hours."""

log = logging.getLogger(__name__)


class Ingest:
    """Ingests one partition of the ingress log."""

    pace = 0.004

    def __init__(
        self, partition: int, source: FactSource, facts: FactSource, store: EventStore, intake: Intake
    ) -> None:
        """Read the partition's facts from `source`, one after the other, and any single one from `facts`."""
        self.name = f"ingest-{partition}"
        self._partition = partition
        self._source = source
        self._facts = facts
        self._store = store
        self._intake = intake
        self._position: int | None = None

    def step(self) -> bool:
        """Ingest at most one batch."""
        if self._position is None:
            self._position = self._store.ingested(self._partition)
        batch = self._source.read(self._partition, self._position, BATCH)
        if not batch:
            return False
        try:
            self._ingest(batch)
        except AlreadyTracked:
            # Another process ingested it. Resume from where the store says.
            self._position = self._store.ingested(self._partition)
        else:
            self._position = batch[-1].offset
        return True

    def wait(self, timeout: float) -> None:
        self._source.wait(timeout)

    def _ingest(self, batch: Sequence[Accepted]) -> None:
        for _ in range(RETRIES):
            try:
                decided = self._decide(batch)
            except Unavailable:
                raise  # no fact's fault: the worker starts again from what is stored
            except Exception:  # which fact it was shows when they are taken one by one
                log.warning("a batch of %d facts on %s is taken apart", len(batch), self.name, exc_info=True)
                break
            try:
                self._store.save(decided)
            except Conflict:
                continue
            return
        for accepted in batch:
            self._ingest_one(accepted)

    def _ingest_one(self, accepted: Accepted) -> None:
        while True:
            try:
                decided = self._decide([accepted])
            except Unavailable:
                raise
            except Exception as error:  # a fact that cannot be decided is parked, whatever the reason
                log.exception("fact %d of %s is parked", accepted.offset, self.name)
                decided = self._park(accepted, f"{type(error).__name__}: {error}")
            try:
                self._store.save(decided)
            except Conflict:
                continue
            return

    def _park(self, accepted: Accepted, reason: str) -> Unit:
        parked = Parked(accepted.partition, accepted.offset, reason)
        return Unit(source=Source(accepted.partition, accepted.offset), parked=[parked])

    def _decide(self, batch: Sequence[Accepted]) -> Unit:
        """Decide a batch; what is to be saved."""
        decision = Decision(self._store, self._intake, self._fact_at)
        decision.decide([each for each in batch if each.fact is not None])
        unreadable = [
            Parked(each.partition, each.offset, each.problem) for each in batch if each.fact is None
        ]
        return decision.unit(Source(self._partition, batch[-1].offset), unreadable)

    def _fact_at(self, partition: int, offset: int) -> Accepted | None:
        try:
            found = self._facts.read(partition, offset - 1, 1)
        except OffsetOutOfRange:  # it waited for longer than raw facts are kept
            return None
        return found[0] if found and found[0].offset == offset else None


class Decision:
    """One batch, being decided."""

    def __init__(
        self, store: EventStore, intake: Intake, fact_at: Callable[[int, int], Accepted | None]
    ) -> None:
        self._store = store
        self._intake = intake
        self._fact_at = fact_at
        self._world = World(store)
        self._effects = Effects()
        self._known = Known()
        self._unmatched: list[tuple[Accepted, UUID]] = []
        self._matched: set[UUID] = set()

    def decide(self, batch: Sequence[Accepted]) -> None:
        """Load what the facts need, by two queries (seldom three), and decide them in order."""
        batch = [*batch, *self._receipts_that_waited(batch)]
        self._known = Known(self._look_up_references(batch), self._look_up_arrivals(batch))
        facts = [each.fact for each in batch if each.fact is not None]
        first = [self._intake.first_look(fact) for fact in facts]
        self._world.load(set().union(*first, self._known.messages.values()))
        self._world.load(set().union(*(self._intake.second_look(fact, self._world) for fact in facts)))
        self._world.load(set().union(*(self._intake.third_look(fact, self._world) for fact in facts)))
        for accepted in batch:
            self._decide_one(accepted)
        # A receipt may stand before the acceptance that it belongs to.
        early, self._unmatched = self._unmatched, []
        for accepted, _ in early:
            self._decide_one(accepted)

    def _decide_one(self, accepted: Accepted) -> None:
        if accepted.fact is None:
            return
        before = len(self._effects.unmatched)
        self._intake.decide(accepted.fact, accepted.accepted_at, self._world, self._effects, self._known)
        if len(self._effects.unmatched) > before:
            self._unmatched.append((accepted, self._effects.unmatched[-1]))

    def _look_up_references(self, batch: Sequence[Accepted]) -> dict[UUID, UUID]:
        """Which of our messages are meant where only the provider's id is known, or was found by a look."""
        references = {
            self._intake.reference(fact.scope, fact.provider_message_id or "")
            for fact in (each.fact for each in batch)
            if (isinstance(fact, ReceiptReceived) and fact.message_id is None)
            or (isinstance(fact, SendSettled) and fact.reconciled)
        }
        return self._store.messages_by_reference(references) if references else {}

    def _look_up_arrivals(self, batch: Sequence[Accepted]) -> list[Arrival]:
        """Texts taken in before that may have come again."""
        contents = {
            fact.content
            for fact in (each.fact for each in batch)
            if isinstance(fact, TextWithoutId) and fact.repeats_since is not None
        }
        return self._store.arrivals(contents) if contents else []

    def _receipts_that_waited(self, batch: Sequence[Accepted]) -> list[Accepted]:
        """Receipts that came before, for messages that are accepted in this batch."""
        references = {
            self._intake.reference(each.fact.scope, each.fact.provider_message_id)
            for each in batch
            if isinstance(each.fact, SendSettled)
            and each.fact.outcome is Outcome.ACCEPTED
            and each.fact.provider_message_id
        }
        if not references:
            return []
        waiting = self._store.waiting_receipts(references)
        self._matched = {each.reference for each in waiting}
        found = [self._fact_at(each.partition, each.offset) for each in waiting]
        return [each for each in found if each is not None]

    def unit(self, source: Source, parked: Sequence[Parked]) -> Unit:
        """All that the decision comes to, to be saved at once."""
        return Unit(
            aggregates=self._world.changed(),
            source=source,
            parked=parked,
            waiting=[
                WaitingReceipt(reference, each.partition, each.offset, each.accepted_at + RECEIPTS_WAIT)
                for each, reference in self._unmatched
            ],
            matched=self._matched,
            references=self._effects.references,
            arrivals=self._effects.arrivals,
        )
