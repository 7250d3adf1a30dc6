"""One Parley on PostgreSQL and Kafka for a test: its processes as platforms in this one, stepped by hand."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from adapters.event_store.outbox import Outbox
from adapters.kafka.events import EventsTopic
from adapters.kafka.topics import events_topic
from database.postgres import PostgresDatabase
from domain.administration import MappingDraft
from domain.agents import AgentSettings, AgentStatus
from domain.commands import Actor
from domain.facts import TextReceived
from domain.mapping_settings import ChatControl, Kind, MappingSettings, Route, Status
from tests.fakes.provider import FakeProvider
from tests.servers.choose import Kafka, Postgres
from workers.inline import InlineExecutor, SteppedClock
from workers.relay import Relay
from workers.settings import Settings
from workers.storage import kafka_connection, migrate, topics
from workers.wiring import Platform
from workers.worker import Worker

OURS = "+15005550006"
CUSTOMER, OTHER = "+14155550123", "+14155550124"
ADMIN = Actor("root", frozenset({"admin"}))
ANA = Actor("ana", frozenset({"agent"}))
SCOPE = "fake/account"
_numbers = count(1)

INGRESS_PARTITIONS, EVENTS_PARTITIONS = 2, 4


@dataclass
class Process:
    """A platform and the workers that the tests step."""

    platform: Platform
    topic: EventsTopic

    @property
    def store(self) -> PostgresDatabase:
        database = self.platform.storage.store
        assert isinstance(database, PostgresDatabase)
        return database

    def relay(self) -> Relay:
        outbox = Outbox(self.store, self.platform.clock)
        return Relay(outbox, self.topic, self.platform.store, self.platform._lease("relay"))

    def ingest(self) -> None:
        """Ingest all that there is."""
        run(*(self.platform.ingest(each) for each in range(INGRESS_PARTITIONS)))

    def project(self) -> None:
        """Let the views see all that there is."""
        run(self.platform.projector())

    def settle(self) -> None:
        """Everything that follows, but for the relay."""
        workers = [self.platform.ingest(each) for each in range(INGRESS_PARTITIONS)]
        run(*workers, self.platform.projector(), self.platform.router(), self.platform.dispatch())

    def text(self, text: str = "Hello", customer: str = CUSTOMER) -> None:
        """A customer texts us: it is on the ingress log, and nothing else happens yet."""
        ids = self.platform.ids
        self.platform.facts.accept(
            [
                TextReceived(
                    key=ids.thread(OURS, customer),
                    mapping_id=ids.mapping("TW"),
                    scope=SCOPE,
                    provider_message_id=f"SM{next(_numbers)}",
                    our_address=OURS,
                    customer_address=customer,
                    text=text,
                    media=(),
                    keyword=None,
                    raw="",
                )
            ]
        )

    def conversation(self, customer: str = CUSTOMER) -> UUID:
        """The customer's open conversation."""
        thread_id = self.platform.ids.thread(OURS, customer)
        conversation: UUID = self.platform.store.load([thread_id])[thread_id].open_conversation  # type: ignore[attr-defined]
        return conversation

    def reply(self, text: str, customer: str = CUSTOMER) -> UUID:
        """The agent replies; the message's id."""
        done = self.platform.desk.reply(ADMIN, self.conversation(customer), text, (), f"key-{text}")
        return done.result

    def close(self) -> None:
        self.topic.close()
        self.platform.close()


class Cluster:
    """Where the processes of one Parley are: a schema, topics and a provider."""

    def __init__(self, url: str, bootstrap: str, namespace: str, folder: Path, clock: SteppedClock) -> None:
        self.url = url
        self.provider = FakeProvider()
        self.clock = clock
        self.opened: list[Process] = []
        self.settings = Settings(
            data_dir=folder,
            database_url=SecretStr(url),
            kafka=bootstrap,
            kafka_replication=1,
            namespace=namespace,
            master_key=SecretStr("ab" * 32),
            partitions=INGRESS_PARTITIONS,
            events_partitions=EVENTS_PARTITIONS,
        )
        topics(self.settings)
        migrate(self.settings)

    def events_topic(self) -> EventsTopic:
        return EventsTopic(kafka_connection(self.settings), events_topic(self.settings.namespace))

    def open(self, *, begin: bool = False) -> Process:
        """Start a process; the first one begins the company's data: a mapping, a queue, an agent at work."""
        platform = Platform(self.settings, clock=self.clock, pool=InlineExecutor(), spooling=False)
        platform.providers["fake"] = self.provider
        process = Process(platform, self.events_topic())
        self.opened.append(process)
        if begin:
            _begin(platform)
        return process

    def lose_store(self) -> None:
        """Every process dies, and the database is gone: there is a new one with empty tables."""
        self.close()
        self.empty()

    def empty(self) -> None:
        namespace = self.settings.namespace
        with psycopg.connect(self.url, autocommit=True) as connection:
            for schema in (namespace, f"{namespace}_views"):
                connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))
        migrate(self.settings)

    def database(self) -> PostgresDatabase:
        return PostgresDatabase(self.url, self.settings.namespace, connections=4)

    def close(self) -> None:
        for process in self.opened:
            process.close()
        self.opened.clear()


def _begin(platform: Platform) -> None:
    platform.catalogue.put_queue(ADMIN, "SUPPORT", "Support", new=True)
    mapping = MappingSettings(
        kind=Kind.REST,
        code="TW",
        description="Support, US",
        status=Status.ACTIVE,
        default_country="US",
        provider="fake",
        credentials={"user_name": "AC1"},
        options={"segments_per_second": 100.0},
        chat_control=ChatControl(suppress_system_messages=True, idle_timeout_message="Bye for now"),
        routes=(Route(OURS, "Support", "SUPPORT"),),
    )
    platform.mappings.add(ADMIN, MappingDraft(mapping, {"password": "provider's secret"}))
    settings = AgentSettings("Ana", ("SUPPORT",), 5, 0)
    platform.catalogue.put_agent(ADMIN, ANA.login, settings, new=True)
    platform.desk.change_status(ADMIN, ANA.login, AgentStatus.AVAILABLE, requeue=False)


def run(*workers: Worker) -> None:
    """Step workers until none has anything to do."""
    for _ in range(1000):
        busy = [worker.step() for worker in workers]
        if not any(busy):
            return
    raise AssertionError("the workers do not come to rest")


def events(process: Process) -> list[dict[str, object]]:
    """The store's rows."""
    return process.store.rows("SELECT * FROM stored_events ORDER BY notification_id")


@pytest.fixture
def cluster(kafka: Kafka, postgres: Postgres, schema: str, tmp_path: Path) -> Iterator[Cluster]:
    """A Parley without any process yet."""
    if kafka.stands_in:
        pytest.skip(f"{kafka.name} cannot do all of this: it needs Apache Kafka.")
    now = datetime.now(UTC).replace(microsecond=0)  # the broker removes what is old by its own clock
    cluster = Cluster(postgres.url, kafka.bootstrap, schema, tmp_path, SteppedClock(now))
    yield cluster
    cluster.close()
