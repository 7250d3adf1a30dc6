"""A lost database restored from the events topic: is it whole, is anything sent again, how long does it take.

    python -m bench.restore --events 200000

A store is filled through ingest, agents and dispatch, and relayed. Its last moments never reach Kafka, and
some sends are in doubt, some attempted, some only requested. Then the schemas are dropped.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from adapters.clock import SystemClock
from adapters.keys.master import MasterKey
from database.sql import Row
from domain.message_values import MessageStatus
from domain.messages import Message
from domain.providers import Unknown
from projections.registry import ALL
from projections.views import Views, make_views
from tests.servers.kafka import KafkaServer
from tests.servers.postgres import PostgresServer
from tests.servers.process import temporary_folder
from tests.workers.cluster import INGRESS_PARTITIONS, Cluster, Process, run
from workers.backup import backup
from workers.inline import SteppedClock
from workers.restore import Follow, refill

TEXTS_AT_ONCE = 5_000
REPLIES = 200  # of each kind
READ_AT_ONCE = 2_000

_NEVER_ARRIVED = Unknown("the connection broke")
_Rows = dict[str, list[Row]]


@dataclass
class Lost:
    """What was known of the store that was lost."""

    head: int  # of what Kafka has
    views: _Rows  # as of then
    ledger: int  # messages that the provider has taken
    unsettled: set[Any]  # messages whose outcome no event tells


def main() -> None:
    """Run it; exit with 1 when anything is not as it has to be."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--events", type=int, default=200_000)
    wanted = parser.parse_args().events
    console = Console()
    with temporary_folder() as folder:
        kafka, postgres = KafkaServer(folder / "kafka"), PostgresServer(folder / "database")
        try:
            kafka.start()
            postgres.start()
            clock = SteppedClock(datetime.now(UTC).replace(microsecond=0))
            (folder / "spool").mkdir()
            cluster = Cluster(postgres.url, kafka.bootstrap, "bench", folder / "spool", clock)
            problems = _run(cluster, folder / "parley.backup", wanted, console)
            cluster.close()
        finally:
            postgres.stop()
            kafka.stop()
    for problem in problems:
        console.print(f"[red]{problem}[/]")
    console.print("restored whole" if not problems else f"{len(problems)} problems")
    sys.exit(1 if problems else 0)


def _run(cluster: Cluster, file: Path, wanted: int, console: Console) -> list[str]:
    process = cluster.open(begin=True)
    started = time.monotonic()
    _fill(process, wanted)
    console.print(f"filled: {process.platform.store.head()} positions in {time.monotonic() - started:.0f} s")
    lost = _last_moments(cluster, process, file)
    cluster.lose_store()

    started = time.monotonic()
    refilled = _refill(cluster, file)
    took = time.monotonic() - started
    process = cluster.open()
    platform = process.platform
    follow = Follow(process.store, platform.store, platform.intake, platform.clock, lambda *_: None)
    done = follow.run(platform.facts, [platform.ingest(each) for each in range(INGRESS_PARTITIONS)])
    whole = time.monotonic() - started
    console.print(
        f"restored {refilled} events in {took:.1f} s ({refilled / took:.0f}/s), {done.facts} facts read again"
        f" and {done.in_doubt} messages put in doubt, {whole:.1f} s in all"
    )
    return list(_problems(cluster, process, lost, done.in_doubt))


def _fill(process: Process, wanted: int) -> None:
    """Customers write until there are so many events; all is ingested, relayed and seen by the views."""
    customers = 0
    while process.platform.store.head() < wanted:
        for _ in range(TEXTS_AT_ONCE):
            customers += 1
            process.text(f"text {customers}", customer=f"+1415{customers % 10_000_000:07d}")
        process.ingest()
    run(process.relay())
    process.project()


def _last_moments(cluster: Cluster, process: Process, file: Path) -> Lost:
    """Replies: sent, in doubt, and, once nothing is relayed any more, sent and requested."""
    carrier = cluster.provider.carrier
    numbers = iter(range(1, 4 * REPLIES + 1))

    def reply(kind: str) -> Any:
        number = next(numbers)
        return process.reply(f"{kind} {number}", customer=f"+1415{number:07d}")

    def dispatch() -> None:
        worker = process.platform.dispatch()
        for _ in range(20):
            process.project()
            worker.step()
            process.ingest()
            cluster.clock.move_to(datetime.fromtimestamp(cluster.clock.now().timestamp() + 1, UTC))

    for _ in range(REPLIES):
        reply("sent")
    dispatch()
    carrier.failures += [_NEVER_ARRIVED] * REPLIES
    doubtful = {reply("in doubt") for _ in range(REPLIES)}
    dispatch()
    requested = {reply("requested, relayed") for _ in range(REPLIES)}
    run(process.relay())
    process.project()
    head, views = process.platform.store.head(), _rows(process.platform.views)
    backup(process.store, process.platform.vault, SystemClock(), file, 7)
    dispatch()  # sends what was requested; neither intents nor outcomes reach Kafka's events topic
    for _ in range(REPLIES):
        reply("never relayed")
    return Lost(head, views, len(carrier.sent), doubtful | requested)


def _refill(cluster: Cluster, file: Path) -> int:
    database, topic = cluster.database(), cluster.events_topic()
    try:
        master = MasterKey.from_text("ab" * 32)
        found = refill(database, master, topic, file, cluster.clock, lambda *_: None)
        return found.events if found else 0
    finally:
        topic.close()
        database.close()


def _problems(cluster: Cluster, process: Process, lost: Lost, in_doubt: int) -> Iterator[str]:
    if _views_at(process, lost.head) != lost.views:
        yield "the views as of the last relayed event are not what they were"
    settled = (MessageStatus.IN_DOUBT, MessageStatus.ACCEPTED)
    found = process.platform.store.load(lost.unsettled)
    wrong = [each for each in found.values() if not (isinstance(each, Message) and each.status in settled)]
    if wrong or len(found) != len(lost.unsettled):
        yield f"{len(wrong)} messages whose outcome was not known are neither in doubt nor accepted"
    process.settle()
    if len(cluster.provider.carrier.sent) != lost.ledger:
        yield f"{len(cluster.provider.carrier.sent) - lost.ledger} messages were sent again"
    if not in_doubt:
        yield "no message was put in doubt"


def _views_at(process: Process, head: int) -> _Rows:
    """What views made of the restored store show as of a position."""
    with process.platform.storage.views.scratch() as database:
        make_views(database, ALL)
        views, position = Views(database, ALL), 0
        while position < head:
            recorded = process.platform.store.read(position, READ_AT_ONCE)
            recorded = [each for each in recorded if each.position <= head]
            views.apply(views.projections, recorded)
            position = recorded[-1].position
        return _rows(views)


def _rows(views: Views) -> _Rows:
    tables = [table for each in views.projections for table in each.tables]
    with views.reading() as cursor:
        return {
            table.name: cursor.all(f"SELECT * FROM {table.name} ORDER BY {', '.join(table.key)}")  # noqa: S608
            for table in tables
        }


if __name__ == "__main__":
    main()
