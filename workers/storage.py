"""What Parley stands on: SQLite files in one folder, or PostgreSQL and Kafka."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from adapters.event_store.postgres_recorder import PostgresRecorder
from adapters.event_store.recorder import Recorder
from adapters.event_store.sqlite_recorder import SQLiteRecorder
from adapters.kafka.connection import KafkaConnection
from adapters.kafka.log import KafkaLog
from adapters.kafka.topics import TopicFound, ingress_topic, make_topics, plans
from adapters.keys.master import MasterKey, load_or_create
from adapters.spool import Spool
from adapters.sqlite_log import SQLiteLog
from database.database import Database
from database.postgres import PostgresDatabase
from database.sqlite import SQLiteDatabase
from domain.ports import Clock, Log
from projections.registry import migrate_views
from workers.settings import Settings

WEBHOOK_PATIENCE = 2.0
"""Seconds that an append may take before what is appended goes to the spool."""


@dataclass(frozen=True)
class Files:
    """The three files of the embedded shape, and the master key's."""

    ingress: Path
    store: Path
    views: Path
    master_key: Path

    @classmethod
    def in_folder(cls, folder: Path) -> "Files":
        """Where they are in a data folder."""
        return cls(folder / "ingress.db", folder / "store.db", folder / "views.db", folder / "master.key")


@dataclass(frozen=True)
class Storage:
    """What was opened. Close it when done."""

    master: MasterKey
    store: Database
    recorder: Recorder
    views: Database
    log: Log
    spool: Spool | None = None  # where facts wait while Kafka is away
    opened: ExitStack = field(default_factory=ExitStack)

    def close(self) -> None:
        """Close everything, in the reverse order of opening."""
        self.opened.close()


def open_storage(settings: Settings, clock: Clock, *, spooling: bool) -> Storage:
    """Open what the settings name. Raises ValueError when the cluster's tables are not there."""
    if settings.is_cluster:
        return _open_cluster(settings, clock, spooling=spooling)
    return _open_embedded(settings, clock)


def _open_embedded(settings: Settings, clock: Clock) -> Storage:
    files = Files.in_folder(settings.data_dir)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    key = settings.master_key
    master = MasterKey.from_text(key.get_secret_value()) if key else load_or_create(files.master_key)
    with ExitStack() as opened:
        store, views = SQLiteDatabase(files.store), SQLiteDatabase(files.views, durable=False)
        opened.callback(store.close)
        opened.callback(views.close)
        recorder = SQLiteRecorder(store)
        recorder.create_tables()
        migrate_views(views)
        log = SQLiteLog(files.ingress, "ingress", settings.partitions, clock)
        opened.callback(log.close)
        return Storage(master, store, recorder, views, log, opened=opened.pop_all())
    raise AssertionError  # an ExitStack without callbacks that swallow lets every error through


def _open_cluster(settings: Settings, clock: Clock, *, spooling: bool) -> Storage:
    with ExitStack() as opened:
        store, views = _schemas(settings)
        opened.callback(store.close)
        opened.callback(views.close)
        recorder = PostgresRecorder(store)
        recorder.check_tables()
        log = KafkaLog(
            kafka_connection(settings),
            ingress_topic(settings.namespace),
            clock,
            append_timeout=WEBHOOK_PATIENCE,
        )
        opened.callback(log.close)
        spool = None
        if spooling:
            limit = settings.spool_mebibytes * 2**20
            spool = Spool(settings.data_dir / "spool", clock, limit_bytes=limit)
            opened.callback(spool.close)
        return Storage(master_key(settings), store, recorder, views, log, spool, opened.pop_all())
    raise AssertionError


def master_key(settings: Settings) -> MasterKey:
    """The master key of the cluster."""
    assert settings.master_key is not None  # noqa: S101 - for mypy: the settings insist on it in the cluster
    return MasterKey.from_text(settings.master_key.get_secret_value())


# ── the cluster: made once, by `parley migrate` and `parley topics` ────────────────────────────────


def migrate(settings: Settings) -> None:
    """Make the schemas and tables of events and views, or find them there as this version wants them.

    Raises ValueError when a newer Parley made them.
    """
    store, views = _schemas(settings)
    try:
        PostgresRecorder(store).create_tables()
        views.make_schema()
        migrate_views(views)
    finally:
        store.close()
        views.close()


def topics(settings: Settings) -> list[TopicFound]:
    """Make the topics, or find them there as they have to be. Raises ValueError when one is not."""
    return make_topics(
        kafka_connection(settings),
        plans(
            settings.namespace,
            ingress_partitions=settings.partitions,
            events_partitions=settings.events_partitions,
            replication=settings.kafka_replication,
            ingress_days=settings.ingress_days,
        ),
    )


def kafka_connection(settings: Settings) -> KafkaConnection:
    """How the brokers are reached."""
    return KafkaConnection(
        bootstrap=settings.kafka,
        security=settings.kafka_security,
        ca_file=settings.kafka_ca_file,
        cert_file=settings.kafka_cert_file,
        key_file=settings.kafka_key_file,
        mechanism=settings.kafka_mechanism,
        user=settings.kafka_user,
        password=settings.kafka_password.get_secret_value(),
    )


@contextmanager
def event_store(settings: Settings) -> Iterator[PostgresDatabase]:
    """The database of the cluster's event store alone. Raises ValueError when it was not migrated."""
    store, views = _schemas(settings)
    views.close()
    try:
        PostgresRecorder(store).check_tables()
        yield store
    finally:
        store.close()


def _schemas(settings: Settings) -> tuple[PostgresDatabase, PostgresDatabase]:
    """Where events are, and where views are."""
    assert settings.database_url is not None  # noqa: S101 - for mypy: it is what makes it a cluster
    url, many = settings.database_url.get_secret_value(), settings.database_connections
    return (
        PostgresDatabase(url, settings.namespace, connections=many),
        PostgresDatabase(url, f"{settings.namespace}_views", connections=many, durable=False),
    )
