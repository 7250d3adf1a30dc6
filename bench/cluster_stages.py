"""Each stage alone on the real broker and database, beside what those do without Parley in the same run."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

from adapters.kafka.tail import read_ranges
from adapters.kafka.topics import events_topic, ingress_topic
from bench.cluster_agents import Agents
from bench.cluster_ceilings import insert_rate, producer_rate
from bench.cluster_inside import begin_conversations, ingest_until_done, joined, work_off
from bench.cluster_servers import Servers
from bench.inside import fill_log, opened_with
from bench.profiles import profile
from bench.report import Aim, Measured
from bench.storage import make_and_save, save_again, timed
from bench.texts import CUSTOMERS, made_up
from domain.errors import Conflict
from domain.ports import Unit
from projections.projection import Projection
from projections.views import Views
from workers.projector import BATCH, Projector
from workers.storage import kafka_connection
from workers.wiring import Platform

NAMESPACE = "stages"
AGENTS_WRITE = 20.0  # texts a second of all agents together
PRODUCED = 50_000  # records of Kafka's own tool
PROFILED = 2_000  # texts
ROUNDS = 2  # of which the quicker counts: what else the machine does only makes things slower
SAMPLE = 100  # records of a partition of which the mean size is taken
ROW = 400  # octets in each row of the bare inserts
INGEST_AIM = Aim(0.5, of_ratio=True)
EVENTS_AIM = Aim(10_000.0)  # a second
TOOL = "Kafka's ProducerPerformance, acks=all, linger 0"
ALONE = "ingest alone, from a filled log"
MADE = "as many events, made by aggregates and saved in batches"
SAVE = "the store's own batched save of the same events"
INSERT = f"a bare psycopg insert, {BATCH} rows a commit"


def measure_stages(servers: Servers, texts: int) -> list[Measured]:
    """Ingest alone and beside agents who write, the relay, and the projections, of so many texts."""
    settings = servers.prepare(NAMESPACE)
    with opened_with(settings) as platform:
        stages = _Stages(servers, platform, texts)
        measured = [*stages.ingest(), stages.relay(), *stages.projections()]
        with Agents(settings, servers.folder, AGENTS_WRITE) as agents:
            beside = stages.ingest_again()
        name = f"ingest while agents write {agents.rate:.0f}/s to the same conversations"
        return [*measured, replace(beside, name=name)]


class _Stages:
    """One platform through which texts go stage by stage."""

    def __init__(self, servers: Servers, platform: Platform, texts: int) -> None:
        self._servers = servers
        self._platform = platform
        self._texts = texts
        self._save_rate = 0.0
        morning = {each.customer: each for each in made_up(CUSTOMERS * 10, "morning")}
        self._ingest = joined(platform)
        begin_conversations(platform, self._ingest, morning.values())
        self._relay = platform.relay()
        work_off(self._relay)
        self._relayed = platform.store.head()

    # ── ingest ─────────────────────────────────────────────────────────────────────────────────

    def ingest(self) -> list[Measured]:
        """Fill the log, ingest it; then save the same events once more in a store of their own."""
        rounds = [self._round(number) for number in range(ROUNDS)]
        filled, rate, self._save_rate, made = (max(each) for each in zip(*rounds, strict=True))
        insert = insert_rate(self._servers, 2 * self._texts, BATCH, ROW)
        produced = self._produced(ingress_topic(NAMESPACE))
        alone = Measured(ALONE, rate, "events/s", self._save_rate, SAVE, INGEST_AIM)
        return [
            Measured("facts onto the log, 500 at once", filled, "records/s", produced, TOOL),
            alone if alone.met else replace(alone, profile=self._why_ingest()),
            Measured("the same, beside saving with the making", rate, "events/s", made, MADE),
            Measured("the store's own batched save", self._save_rate, "events/s", insert, INSERT),
        ]

    def _round(self, number: int) -> tuple[float, float, float, float]:
        """Records a second onto the log; events a second ingested, saved again, and made and saved."""
        filling = timed(lambda: self._fill(f"ingest-{number}", self._texts))
        with _Saves(self._platform) as saves:
            ingesting = timed(self._ingest_all)
        with opened_with(self._servers.prepare(f"saved_{number}")) as fresh:
            saving = timed(lambda: save_again(fresh, saves.units))
        with opened_with(self._servers.prepare(f"made_{number}")) as fresh:
            texts = made_up(saves.events // 2, "made")
            making = timed(lambda: make_and_save(fresh, texts))
        events = saves.events
        return self._texts / filling, events / ingesting, events / saving, events / making

    def ingest_again(self) -> Measured:
        """As many texts more, beside whatever others do meanwhile."""
        self._fill("beside", self._texts)
        with _Saves(self._platform) as saves:
            seconds = timed(self._ingest_all)
        why = (f"{len(saves.units)} units were saved; {saves.refused} times somebody else was first",)
        rate = saves.events / seconds
        return Measured("", rate, "events/s", self._save_rate, SAVE, INGEST_AIM, why)

    def _fill(self, series: str, texts: int) -> None:
        fill_log(self._platform, made_up(texts, series))

    def _ingest_all(self) -> None:
        ingest_until_done(self._platform, self._ingest)

    def _why_ingest(self) -> tuple[str, ...]:
        self._fill("profiled", PROFILED)
        return profile(self._ingest_all)

    # ── the relay and the projections ──────────────────────────────────────────────────────────

    def relay(self) -> Measured:
        """What ingest has saved, onto the events topic."""
        events = self._events(self._relayed)
        rate = events / timed(lambda: work_off(self._relay))
        produced = self._produced(events_topic(NAMESPACE))
        relay = Measured("relay alone", rate, "events/s", produced, TOOL, EVENTS_AIM)
        if relay.met:
            return relay
        self._fill("relayed", PROFILED)
        self._ingest_all()
        return replace(relay, profile=profile(lambda: work_off(self._relay)))

    def projections(self) -> list[Measured]:
        """From the store's first event to its last: each alone, then all together."""
        events = self._events(0)
        insert = insert_rate(self._servers, events, BATCH, ROW)
        every = self._platform.views.projections
        kinds = {f"projection {each.name} alone": [each] for each in every}
        measured = []
        for name, some in kinds.items():
            found = Measured(name, events / self._seconds(some), "events/s", insert, INSERT, EVENTS_AIM)
            why = () if found.met else profile(lambda: work_off(self._emptied(some)))  # noqa: B023 - at once
            measured.append(replace(found, profile=why))
        together = Measured(
            "all projections together", events / self._seconds(every), "events/s", insert, INSERT
        )
        return [*measured, together]

    def _seconds(self, projections: Sequence[Projection]) -> float:
        rounds = (self._emptied(projections) for _ in range(ROUNDS))
        return min(timed(lambda: work_off(each)) for each in rounds)  # noqa: B023 - at once

    def _emptied(self, projections: Sequence[Projection]) -> Projector:
        """A projector of some projections alone, which are to begin again."""
        views = self._platform.views
        for each in projections:
            views.reset(each.name)
        alone = Views(views.database, [type(each) for each in projections])
        return Projector(alone, self._platform.store)

    # ── what is counted ────────────────────────────────────────────────────────────────────────

    def _events(self, after: int) -> int:
        """How many events the store has beyond a position."""
        found = self._platform.storage.store.rows(
            "SELECT count(*) AS events FROM stored_events WHERE notification_id > :after", {"after": after}
        )
        return int(found[0]["events"])

    def _produced(self, topic: str) -> float:
        """What Kafka's own tool does with records of the mean size that a topic's first ones have."""
        connection = kafka_connection(self._platform.settings)
        records = list(read_ranges(connection, topic, {0: (0, SAMPLE)}))
        octets = sum(
            len(each.key)
            + len(each.value)
            + sum(len(name) + len(text) for name, text in each.headers.items())
            for each in records
        )
        partitions = self._platform.settings.events_partitions
        return producer_rate(self._servers, PRODUCED, octets // len(records), partitions)


class _Saves:
    """Looks in, meanwhile, on what the store is asked to save."""

    def __init__(self, platform: Platform) -> None:
        self.units: list[list[Any]] = []  # the events of each that was saved
        self.refused = 0  # because somebody else was first
        self._store: Any = platform.store

    @property
    def events(self) -> int:
        """How many were saved."""
        return sum(map(len, self.units))

    def __enter__(self) -> Self:
        save = self._store.save

        def saving(unit: Unit) -> int:
            events = [event for aggregate in unit.aggregates for event in aggregate.pending_events]
            try:
                position: int = save(unit)
            except Conflict:
                self.refused += 1
                raise
            self.units.append(events)
            return position

        self._store.save = saving
        return self

    def __exit__(self, *exc: object) -> None:
        del self._store.save  # the class's own shows again
