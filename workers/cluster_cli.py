"""The commands of the cluster: its processes, what they stand on, and what is done when that is lost."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.progress import TaskID

from adapters.clock import SystemClock
from adapters.event_store.outbox import Outbox
from adapters.kafka.events import EventsTopic
from adapters.kafka.log import KafkaLog
from adapters.kafka.topics import events_topic
from adapters.keys.vault import Vault
from database.postgres import PostgresDatabase
from workers import backup as backing_up
from workers import restore as restoring
from workers import storage
from workers.command import friendly, log_to_stderr, progress_bar, run_until_told
from workers.service import Service
from workers.settings import Settings, load_settings
from workers.wiring import Platform

PROCESSES = {
    Service.API: "serves the API, the webhooks and the pages",
    Service.INGEST: "turns facts into events",
    Service.PROJECT: "fills the views",
    Service.ROUTE: "gives waiting conversations to agents",
    Service.DISPATCH: "hands messages to their providers",
    Service.DELIVER: "brings media in",
    Service.TIMERS: "notices what falls due, and removes what is old",
}
_ONE_PROCESS = "Run one process of the cluster that {}, until SIGTERM."


def _process(service: Service, what: str) -> click.Command:
    @click.command(service.value, help=_ONE_PROCESS.format(what))
    @friendly
    def run() -> None:
        run_until_told(_settings(), service)

    return run


@click.command()
@click.option("--tell-all", is_flag=True, help="First forget what was told: for an events topic made anew.")
@friendly
def relay(*, tell_all: bool) -> None:
    """Run one process of the cluster that copies events to Kafka, until SIGTERM."""
    settings = _settings()
    if tell_all:
        with storage.event_store(settings) as database:
            Outbox(database, SystemClock()).tell_all()
    run_until_told(settings, Service.RELAY)


@click.command()
@friendly
def migrate() -> None:
    """Make the cluster's tables, or bring them up to date: once, before any process starts."""
    settings = _settings()
    storage.migrate(settings)
    schemas = f"{settings.namespace} and {settings.namespace}_views"
    click.echo(f"the schemas {schemas} are as this version wants them")


@click.command()
@friendly
def topics() -> None:
    """Make the cluster's topics, or look whether they are as they have to be."""
    for each in storage.topics(_settings()):
        click.echo(f"{each.name}: {each.partitions} partitions, {'made' if each.made else 'there already'}")


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@friendly
def backup(file: Path) -> None:
    """Write all that is no event to FILE: keys, secrets, people, media. Back up often."""
    settings = _settings()
    with storage.event_store(settings) as database:
        clock = SystemClock()
        vault = Vault(database, storage.master_key(settings), clock)
        done = backing_up.backup(database, vault, clock, file, settings.ingress_days)
    rows = sum(done.rows.values())
    click.echo(f"{file}: {rows} rows, {done.size} bytes, as of position {done.manifest.head}")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--accept-lost-ingress", is_flag=True, help="Go on without facts that Kafka no longer has.")
@friendly
def restore(file: Path, *, accept_lost_ingress: bool) -> None:
    """Fill an empty store from the events topic and the backup FILE. Sends nothing again."""
    settings = _settings()
    log_to_stderr(settings)
    with _progress() as progress:
        with storage.event_store(settings) as database:
            topic = EventsTopic(storage.kafka_connection(settings), events_topic(settings.namespace))
            try:
                clock, master = SystemClock(), storage.master_key(settings)
                refilled = restoring.refill(database, master, topic, file, clock, progress)
            finally:
                topic.close()
        if refilled:
            _tell_refilled(refilled)
        platform = Platform(settings, spooling=False)
        try:
            followed = _follow(platform, progress, accept_lost=accept_lost_ingress)
        finally:
            platform.close()
    click.echo(f"{followed.facts} facts of the ingress log were read again")
    click.echo(
        f"{followed.in_doubt} messages that may have been sent are in doubt now: people decide about each"
    )
    click.echo("The store is whole. Start the processes; the views fill by themselves.")


def _follow(platform: Platform, progress: restoring.Progress, *, accept_lost: bool) -> restoring.Followed:
    database, log = platform.storage.store, platform.log
    assert isinstance(database, PostgresDatabase)  # noqa: S101 - for mypy: both are so in a cluster
    assert isinstance(log, KafkaLog)  # noqa: S101
    workers = [platform.ingest(each) for each in range(log.partitions)]
    following = restoring.Follow(database, platform.store, platform.intake, platform.clock, progress)
    return following.run(platform.facts, workers, log.starts() if accept_lost else None)


def _tell_refilled(done: restoring.Refilled) -> None:
    click.echo(f"{done.events} events were taken up, to position {done.head}")
    if done.problem:
        click.echo(f"not taken up: {done.left_out} positions beyond that, because {done.problem}")
    if done.forgotten:
        click.echo(f"{done.forgotten} keys of customers forgotten since the backup are destroyed again")
    if done.lost_keys:
        click.echo(
            f"{done.lost_keys} keys of {done.lost_customers} customers are newer than the backup and lost:"
            " what was encrypted under them reads as [erased]"
        )


@contextmanager
def _progress() -> Iterator[restoring.Progress]:
    """A bar for each kind of what is worked off."""
    with progress_bar() as bars:
        tasks: dict[str, TaskID] = {}

        def show(what: str, done: int, total: int | None) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield show


def _settings() -> Settings:
    settings = load_settings()
    if not settings.is_cluster:
        raise ValueError(
            "this is a command of the cluster: set PARLEY_DATABASE_URL and PARLEY_KAFKA. Without them, run"
            " `parley up`, which is everything in one process, on files"
        )
    return settings


CLUSTER_COMMANDS = [
    *(_process(service, what) for service, what in PROCESSES.items()),
    relay,
    migrate,
    topics,
    backup,
    restore,
]
