"""A store is backed up, lost and restored: what the tests of it share."""

from pathlib import Path
from uuid import UUID

import pytest

from adapters.keys.master import MasterKey
from domain.messages import Message
from tests.workers.cluster import (
    INGRESS_PARTITIONS,
    Cluster,
    Process,
)
from workers.backup import backup
from workers.restore import Follow, Followed, Refilled, refill


@pytest.fixture
def process(cluster: Cluster) -> Process:
    return cluster.open(begin=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "parley.backup"


def back_up(process: Process, file: Path) -> None:
    backup(process.store, process.platform.vault, process.platform.clock, file, 7)


def refilled(cluster: Cluster, file: Path, master: str = "ab" * 32) -> Refilled | None:
    database, topic = cluster.database(), cluster.events_topic()
    try:
        return refill(database, MasterKey.from_text(master), topic, file, cluster.clock, lambda *_: None)
    finally:
        topic.close()
        database.close()


def followed(process: Process, starts: dict[int, int] | None = None) -> Followed:
    platform = process.platform
    follow = Follow(process.store, platform.store, platform.intake, platform.clock, lambda *_: None)
    workers = [platform.ingest(each) for each in range(INGRESS_PARTITIONS)]
    return follow.run(platform.facts, workers, starts)


def restored(cluster: Cluster, file: Path) -> Process:
    """The store is lost, and restored."""
    cluster.lose_store()
    refilled(cluster, file)
    process = cluster.open()
    followed(process)
    return process


def message(process: Process, message_id: UUID) -> Message:
    found = process.platform.store.load([message_id])[message_id]
    assert isinstance(found, Message)
    return found


def texts(process: Process) -> list[str]:
    """All texts, but for those that are only recorded."""
    found = [each.event for each in process.platform.store.read(0, 1000)]
    return [
        each.text
        for each in found
        if isinstance(each, Message.Received) or (isinstance(each, Message.Requested) and not each.suppressed)
    ]
