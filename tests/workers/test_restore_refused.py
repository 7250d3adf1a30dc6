"""What a restore refuses, and how one goes on that was interrupted."""

from datetime import timedelta
from pathlib import Path

import pytest

from adapters.kafka.reader import Reader
from adapters.kafka.topics import ingress_topic
from adapters.keys.vault import WrongMasterKey
from domain.errors import LogUnavailable
from tests.workers.cluster import (
    OTHER,
    Cluster,
    Process,
    cluster,
    run,
)
from tests.workers.restoring import back_up, file, followed, process, refilled
from workers.relay import RelayRefused
from workers.restore import Followed, IngressLost, NotEmpty, restoring
from workers.storage import kafka_connection

__all__ = ["cluster", "file", "process"]

MINUTE = timedelta(minutes=1)


def test_only_an_empty_store_is_restored(cluster: Cluster, process: Process, file: Path) -> None:
    back_up(process, file)
    with pytest.raises(NotEmpty, match="stored_events, unit, vault"):
        refilled(cluster, file)
    assert not restoring(process.store)


def test_another_master_key_is_refused_before_anything_is_written(
    cluster: Cluster, process: Process, file: Path
) -> None:
    back_up(process, file)
    cluster.lose_store()
    with pytest.raises(WrongMasterKey):
        refilled(cluster, file, "cd" * 32)
    assert refilled(cluster, file) is not None


def test_nothing_else_may_run_before_all_is_done(cluster: Cluster, process: Process, file: Path) -> None:
    back_up(process, file)
    run(process.relay())
    cluster.lose_store()
    database = cluster.database()
    assert not restoring(database)
    refilled(cluster, file)
    assert restoring(database)
    process = cluster.open()
    with pytest.raises(RelayRefused):
        process.relay().step()
    followed(process)
    assert not restoring(database)
    database.close()


def test_an_interrupted_first_half_is_begun_again(
    cluster: Cluster, process: Process, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process.text()
    process.settle()
    back_up(process, file)
    run(process.relay())
    cluster.lose_store()
    with monkeypatch.context() as patched:
        patched.setattr("adapters.event_store.refill.Refill.finish", _break)
        with pytest.raises(LogUnavailable):
            refilled(cluster, file)
    with pytest.raises(NotEmpty, match="drop the schema"):
        refilled(cluster, file)
    cluster.empty()
    assert refilled(cluster, file) is not None


def _break(*_: object) -> None:
    raise LogUnavailable("pulled the plug")


def test_an_interrupted_second_half_goes_on(cluster: Cluster, process: Process, file: Path) -> None:
    back_up(process, file)
    run(process.relay())
    process.text()
    cluster.lose_store()
    refilled(cluster, file)
    process = cluster.open()
    process.platform.ingest(0).step()
    process.platform.ingest(1).step()
    assert refilled(cluster, file) is None
    assert followed(process) == Followed(facts=0, in_doubt=0)


def test_facts_that_are_gone_stop_it_until_that_is_accepted(
    cluster: Cluster, process: Process, file: Path
) -> None:
    back_up(process, file)
    run(process.relay())
    for number in range(5):
        process.text(f"gone {number}")
        process.text(f"gone {number}", OTHER)
    cluster.clock.move(MINUTE)
    process.platform.log.trim(cluster.clock.now())
    process.text("still there")
    cluster.lose_store()
    refilled(cluster, file)
    process = cluster.open()
    with pytest.raises(IngressLost, match="--accept-lost-ingress"):
        followed(process)
    assert restoring(process.store)
    reader = Reader(kafka_connection(cluster.settings), ingress_topic(cluster.settings.namespace))
    starts = reader.starts()
    reader.close()
    assert followed(process, starts) == Followed(facts=1, in_doubt=0)
    assert not restoring(process.store)
