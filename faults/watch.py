"""Collects the evidence as it grows, and says whether everything has come to rest."""

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import psycopg
from kafka.errors import KafkaError

from faults.cluster import NAMESPACE, Cluster
from faults.evidence import Evidence, Span
from faults.reading import Follower, JournalReader, Lines, Store, Topics, add_sends

LOOK_EVERY = 0.3


class Watch:
    """All that the checker is given, gathered from outside."""

    def __init__(self, cluster: Cluster, journal: Path) -> None:
        self.evidence = Evidence()
        self.provider_faults: Counter[str] = Counter()
        self.calm: list[Span] = []
        self.store = Store(cluster.postgres.url, NAMESPACE, cluster.master_key)
        self.follower = Follower(self.store, NAMESPACE)
        self.follower.start()
        self._topics = Topics(cluster.kafka.bootstrap, NAMESPACE)
        self._ledger = Lines(cluster.ledger)
        self._journal = JournalReader(journal)
        self._received: set[str] = set()

    def close(self) -> None:
        """Stop following."""
        self.follower.stop()
        self._topics.close()

    def gather(self) -> None:
        """Take in what has come since the last look."""
        evidence = self.evidence
        self._journal.add_to(evidence)
        # The ledger before the events: an intent is there before what was sent under it.
        evidence.now = time.time()
        self.provider_faults += add_sends(evidence, self._ledger)
        for event in self.store.read_events():  # one by one: what was read before a failure is kept
            evidence.events.append(event)
            if event.topic == "parley.message.received.v1":
                self._received.add(event.data["provider_message_id"])
        evidence.copies += self._topics.read_copies()

    def missing(self, *, all_settled: bool) -> list[str]:
        """What has not come to rest: empty when everything accepted is everywhere where it belongs."""
        self.gather()
        evidence, missing = self.evidence, []
        accepted = sum(each.accepted > 0 for each in evidence.texts.values())
        lost = accepted - sum(
            evidence.texts[sid].accepted > 0 for sid in self._received if sid in evidence.texts
        )
        if lost:
            missing.append(f"{lost} accepted texts are no events")
        ingested, ends = self.store.ingested(), self._topics.ingress_ends()
        behind = sum(max(0, end - ingested.get(partition, -1)) for partition, end in ends.items())
        if behind:
            missing.append(f"{behind} facts are not ingested")
        head = evidence.events[-1].position if evidence.events else 0
        evidence.complete = head
        told = max((each.position for each in evidence.copies), default=0)
        if told < head:
            missing.append(f"the topic ends at position {told}, the store at {head}")
        slow = [name for name, at in self.store.view_positions().items() if at < head]
        if slow:
            missing.append(f"the views {', '.join(slow)} have not come to position {head}")
        sends = self.store.waiting_sends(all_of_them=all_settled)
        if sends:
            missing.append(f"{sends} messages are {'not settled' if all_settled else 'ready and not sent'}")
        return missing

    def rest(self, within: float, *, all_settled: bool = False) -> list[str]:
        """Wait for rest; what is still missing after so many seconds."""
        until = time.monotonic() + within
        while True:
            try:
                missing = self.missing(all_settled=all_settled)
            except (psycopg.Error, KafkaError, TimeoutError) as error:
                missing = [f"it cannot be looked at: {error}"]
            if not missing or time.monotonic() > until:
                return missing
            time.sleep(LOOK_EVERY)

    def conclude(self, outages: Sequence[Span], forgotten: set[str], *, final: bool) -> Evidence:
        """The evidence as of now, with all that was seen from outside."""
        evidence = self.evidence
        evidence.views = self.store.read_views(hashed=False)
        self.gather()  # after the views: what they hold is in the events
        # The follower may lag a moment behind; it may not stay behind.
        until = time.monotonic() + 5
        last = evidence.events[-1].position if evidence.events else 0
        while last not in self.follower.seen and time.monotonic() < until:
            time.sleep(LOOK_EVERY)
        evidence.tailed = {each for each in self.follower.seen.copy() if each <= last}
        evidence.calm, evidence.outages = [*self.calm], [*outages]
        evidence.forgotten, evidence.final = set(forgotten), final
        return evidence
