"""The relay: every event once, in order, whatever fails; and nothing when store and topic contradict."""

from collections.abc import Sequence

import pytest
from kafka import KafkaAdminClient

from adapters.event_store.outbox import Outbox
from adapters.kafka.events import EventRecord, EventsTopic, times_of
from adapters.kafka.tail import read_ranges
from domain.errors import LogUnavailable
from domain.messages import Message
from domain.ports import NewRecord, Record
from tests.workers.cluster import CUSTOMER, OTHER, OURS, Cluster, Process, cluster, events, run
from workers import relay as relay_module
from workers.relay import Relay, RelayRefused
from workers.storage import topics
from workers.worker import LEASE

__all__ = ["cluster"]


@pytest.fixture
def process(cluster: Cluster) -> Process:
    return cluster.open(begin=True)


def told(process: Process) -> list[EventRecord]:
    """Every event of the topic that counts."""
    reading = process.topic.read()
    found = list(reading)
    assert reading.problem == ""
    return found


def records(process: Process) -> list[Record]:
    """Every record of the topic, partition by partition."""
    ends = process.topic._reader.ends()
    ranges = {partition: (0, end) for partition, end in ends.items()}
    found = list(read_ranges(process.topic._connection, process.topic.name, ranges))
    return sorted(found, key=lambda each: (each.partition, each.offset))


def assert_all_told(process: Process) -> None:
    assert [
        {
            "originator_id": each.stream_id,
            "originator_version": each.version,
            "topic": each.topic,
            "state": each.state,
            "notification_id": each.position,
        }
        for each in told(process)
    ] == events(process)


def talk(process: Process, *texts: str) -> None:
    for text in texts:
        process.text(text)
        process.text(text, OTHER)
    process.settle()
    process.reply("How can I help?")
    process.settle()


def test_every_event_is_told_once_and_in_order(process: Process) -> None:
    talk(process, "one", "two")
    relay = process.relay()
    run(relay)
    talk(process, "three")
    run(relay)
    assert_all_told(process)
    assert len(records(process)) == len(told(process))


def test_a_thread_and_all_that_belongs_to_it_is_in_one_partition(process: Process) -> None:
    talk(process, "one", "two")
    run(process.relay())
    thread_id = process.platform.ids.thread(OURS, CUSTOMER)
    conversation = process.conversation()
    message = process.reply("And?")
    run(process.relay())
    places = {each.stream_id: each.partition for each in told(process)}
    assert places[conversation] == places[thread_id] == places[message]


def test_threads_are_found_that_were_told_by_another_relay(process: Process) -> None:
    talk(process, "one")
    run(process.relay())
    process.reply("Still there?")
    process.settle()
    run(process.relay())
    assert_all_told(process)
    partitions = {each.partition for each in told(process) if each.stream_id == process.conversation()}
    assert len(partitions) == 1


def test_headers_are_those_of_cloud_events_and_ours(process: Process) -> None:
    talk(process, "one")
    run(process.relay())
    received = next(each for each in records(process) if each.headers["ce_type"] == Message.Received.TOPIC)
    headers = dict(received.headers)
    stream, _, version = headers.pop("ce_id").partition(":")
    assert headers.pop("ce_subject") == stream
    assert headers.pop("parley_version") == version == "1"
    now = process.platform.clock.now()
    assert headers.pop("ce_time") == now.isoformat()
    assert received.accepted_at == now
    position, previous = int(headers.pop("parley_position")), int(headers.pop("parley_previous"))
    before, unit = int(headers.pop("parley_before")), int(headers.pop("parley_unit"))
    assert previous <= before < position <= unit
    assert headers.pop("parley_correlation")
    assert headers == {
        "ce_specversion": "1.0",
        "ce_source": f"{process.topic.name}/1",
        "ce_type": "parley.message.received.v1",
        "content-type": "application/avro",
        "parley_source": headers["parley_source"],
        "parley_epoch": "1",
        "parley_epochs": "0",
    }


class Flaky(EventsTopic):
    """Loses what it should not: the next appends do what `faults` say."""

    faults: list[str]

    def append(self, records: Sequence[NewRecord], times: Sequence[int]) -> None:
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "part":
            super().append(records[: len(records) // 3], times[: len(records) // 3])
        elif fault != "nothing":
            super().append(records, times)
        if fault:
            raise LogUnavailable(fault)


@pytest.mark.parametrize("fault", ["nothing", "part", "all"])
def test_after_a_failure_only_what_is_missing_is_sent(
    cluster: Cluster, process: Process, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "CHUNK", 7)
    talk(process, "one", "two")
    process.topic.__class__ = Flaky
    process.topic.faults = ["", fault, "", fault]  # type: ignore[attr-defined]
    for _ in range(3):  # as the supervisor does: a relay that raises is made anew
        try:
            run(process.relay())
        except LogUnavailable:
            continue
    assert_all_told(process)
    assert len(records(process)) == len(told(process))


def test_what_a_thrown_away_producer_delivers_late_is_ignored(process: Process) -> None:
    talk(process, "one", "two")
    run(process.relay())
    late = records(process)[-12:]
    outbox = Outbox(process.store, process.platform.clock)
    before = outbox.told()
    again = [NewRecord(each.key, each.value, each.headers, each.accepted_at) for each in late]
    process.topic.append(again, times_of(again))
    talk(process, "three")
    run(process.relay())  # which finds older records at the end than it has told
    assert outbox.told().position > before.position
    assert_all_told(process)


def test_only_one_relay_works_at_a_time(cluster: Cluster, process: Process) -> None:
    talk(process, "one")
    other = cluster.open()
    first, second = process.relay(), other.relay()
    assert first.step()
    assert not second.step()
    talk(process, "two")
    cluster.clock.move(LEASE * 2)  # the first one hangs for longer than its lease
    run(second)
    assert_all_told(process)
    talk(process, "three")
    assert not first.step()
    run(second)
    assert_all_told(process)


def test_a_relay_whose_lease_is_lost_meanwhile_does_no_harm(cluster: Cluster, process: Process) -> None:
    talk(process, "one")
    other = cluster.open()
    first, second = process.relay(), other.relay()
    plain = process.topic.append

    def hang(records: Sequence[NewRecord], times: Sequence[int]) -> None:
        cluster.clock.move(LEASE * 2)
        run(second)
        plain(records, times)

    process.topic.append = hang  # type: ignore[method-assign]
    assert not first.step()
    process.topic.append = plain  # type: ignore[method-assign]
    assert len(records(process)) == 2 * len(told(process))
    talk(process, "two")
    run(second)
    assert_all_told(process)


# ── what it refuses ────────────────────────────────────────────────────────────────────────────────


def relayed(process: Process) -> Relay:
    talk(process, "one")
    run(process.relay())
    return process.relay()


def test_it_refuses_a_store_that_is_behind_the_topic(process: Process) -> None:
    relay = relayed(process)
    with process.store.writing() as c:  # as an older copy of it is
        c.run("DELETE FROM stored_events WHERE notification_id > (SELECT max(position) - 3 FROM unit)")
        c.run("DELETE FROM relay_tail")
    with pytest.raises(RelayRefused, match="does not have there"):
        relay.step()


def test_it_refuses_a_store_with_other_events(process: Process) -> None:
    relay = relayed(process)
    with process.store.writing() as c:
        c.run(
            "UPDATE stored_events SET originator_version = 99"
            " WHERE notification_id = (SELECT max(position) FROM unit)"
        )
    with pytest.raises(RelayRefused, match="does not have there"):
        relay.step()


def test_it_refuses_an_older_epoch_than_the_topics(process: Process) -> None:
    talk(process, "one")
    with process.store.writing() as c:
        c.run("INSERT INTO epoch VALUES (2, 5)")
    relay = relayed(process)
    with process.store.writing() as c:
        c.run("DELETE FROM epoch WHERE number = 2")
    with pytest.raises(RelayRefused, match="epoch 2"):
        relay.step()


def test_it_refuses_a_topic_that_has_lost_records(cluster: Cluster, process: Process) -> None:
    relay = relayed(process)
    with process.store.writing() as c:
        c.run("UPDATE relay_tail SET position = position + 1")
    with pytest.raises(RelayRefused, match="has lost records"):
        relay.step()


def test_a_topic_that_was_made_anew_is_filled_again_when_told_to(cluster: Cluster, process: Process) -> None:
    relayed(process)
    process.topic.close()
    admin = KafkaAdminClient(bootstrap_servers=cluster.settings.kafka)
    admin.delete_topics([process.topic.name])
    admin.close()
    topics(cluster.settings)
    process.topic = cluster.events_topic()
    with pytest.raises(RelayRefused, match="--tell-all"):
        process.relay().step()
    Outbox(process.store, cluster.clock).tell_all()
    run(process.relay())
    assert_all_told(process)


def test_it_refuses_while_the_store_is_restored(process: Process) -> None:
    with process.store.writing() as c:
        c.run("UPDATE relay SET restoring = 2")
    with pytest.raises(RelayRefused, match="being restored"):
        process.relay().step()
