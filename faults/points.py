"""Named places before and after every durable step, where a process can be made to die.

The steps are methods of the platform's adapters, wrapped from outside: nothing in the platform knows of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

BEFORE, AFTER = "before", "after"


@dataclass(frozen=True)
class Step:
    """A durable step: how it is called, and which method it is (`module:Class.method`)."""

    name: str
    method: str


SAVE = Step("store.save", "adapters.event_store.store:StoredAggregates.save")
COMMIT = Step("store.insert", "adapters.event_store.postgres_recorder:PostgresRecorder._insert")
APPEND = Step("log.append", "adapters.kafka.log:KafkaLog.append")
SPOOL = Step("spool.append", "adapters.spool:Spool.append")
MOVED = Step("spool.moved", "adapters.spool:Spool.moved")
APPLY = Step("views.apply", "projections.views:Views.apply")
LEASE = Step("leases.acquire", "adapters.event_store.leases:StoredLeases.acquire")
SEND = Step("provider.send", "adapters.twilio_rest:TwilioCarrier.send")
FIND = Step("provider.find", "adapters.twilio_rest:TwilioCarrier.find")
CHUNK = Step("relay.chunk", "adapters.kafka.events:EventsTopic.append")
TELL = Step("relay.checkpoint", "adapters.event_store.outbox:Outbox.tell")
ERASE = Step("vault.erase", "adapters.keys.vault:Vault.erase")
OBTAIN = Step("vault.obtain", "adapters.keys.vault:Vault.obtain")

STEPS: dict[str, tuple[Step, ...]] = {
    "api": (SAVE, COMMIT, APPEND, SPOOL, MOVED, OBTAIN),
    "ingest": (SAVE, COMMIT, OBTAIN),
    "relay": (LEASE, CHUNK, TELL),
    "project": (APPLY,),
    "route": (SAVE, LEASE),
    "dispatch": (SAVE, LEASE, SEND, FIND, APPEND),
    "timers": (LEASE, APPEND),
    "forget": (ERASE,),
}
"""The durable steps of each service, and of the command that forgets a customer."""


@dataclass(frozen=True)
class Point:
    """A place where a process of a service dies."""

    service: str
    step: Step
    when: str

    @property
    def name(self) -> str:
        """How it is called, such as `ingest:store.save:before`."""
        return f"{self.service}:{self.step.name}:{self.when}"


def all_points() -> list[Point]:
    """Every one there is, in a fixed order."""
    return list(_points())


def _points() -> Iterator[Point]:
    for service, steps in STEPS.items():
        for step in steps:
            for when in (BEFORE, AFTER):
                yield Point(service, step, when)
