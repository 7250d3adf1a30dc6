"""Restore: what was told to Kafka and backed up comes back, and no past send is repeated."""

from datetime import timedelta
from pathlib import Path

import pytest

from adapters.event_store.outbox import Outbox
from domain.message_values import MessageStatus
from domain.messages import Message
from domain.providers import Unknown
from domain.values import ERASED
from projections.rebuild import rebuild
from projections.registry import ALL
from tests.workers.cluster import (
    ADMIN,
    CUSTOMER,
    OTHER,
    Cluster,
    Process,
    cluster,
    events,
    run,
)
from tests.workers.restoring import back_up, file, followed, message, process, refilled, restored, texts
from workers import relay as relay_module
from workers.relay import RelayRefused
from workers.restore import Followed

__all__ = ["cluster", "file", "process"]

MINUTE = timedelta(minutes=1)


def test_all_that_was_told_comes_back_as_it_was(cluster: Cluster, process: Process, file: Path) -> None:
    process.text("one")
    process.settle()
    process.text("two", OTHER)
    process.settle()
    process.reply("How can I help?")
    process.settle()
    back_up(process, file)
    run(process.relay())
    before = events(process)
    units = process.store.rows('SELECT position, partition, "offset" FROM unit ORDER BY position')
    tracking = process.store.rows("SELECT * FROM tracking ORDER BY application_name")
    process = restored(cluster, file)
    assert events(process) == before
    assert process.store.rows('SELECT position, partition, "offset" FROM unit ORDER BY position') == units
    assert process.store.rows("SELECT * FROM tracking ORDER BY application_name") == tracking
    secrets = process.platform.accounts.by_id(process.platform.ids.mapping("TW"))[1].credentials
    assert secrets["password"] == "provider's secret"
    assert texts(process) == ["one", "two", "How can I help?"]


def test_no_past_send_is_repeated(cluster: Cluster, process: Process, file: Path) -> None:
    platform, relay, dispatch = process.platform, process.relay(), process.platform.dispatch()
    for customer in (CUSTOMER, OTHER):
        process.text("Hello", customer)
    process.settle()
    back_up(process, file)
    sent = process.reply("sent, and all is told")
    process.settle()
    cluster.provider.carrier.failures.append(Unknown("the connection broke"))
    doubtful = process.reply("in doubt before")
    process.settle()
    run(relay)
    attempted = process.reply("its attempt is told, its outcome is not")
    process.project()
    dispatch.step()
    run(relay)
    process.settle()
    requested = process.reply("its request is told, its attempt is not")
    run(relay)
    process.settle()
    cluster.clock.move(6 * MINUTE)
    process.text("I am here")
    process.settle()
    cluster.clock.move(6 * MINUTE)  # the other conversation is idle: it ends with a text
    run(platform.timers())
    process.settle()
    process.reply("nothing of it is told")
    process.settle()
    ledger = [each.text for each in cluster.provider.carrier.sent]
    assert len(ledger) == 5
    assert "Bye for now" in ledger

    process = restored(cluster, file)
    statuses = {
        name: message(process, message_id).status
        for name, message_id in [
            ("sent", sent),
            ("doubtful", doubtful),
            ("attempted", attempted),
            ("requested", requested),
        ]
    }
    assert statuses == {
        "sent": MessageStatus.ACCEPTED,
        "doubtful": MessageStatus.IN_DOUBT,
        "attempted": MessageStatus.ACCEPTED,  # its outcome was still on the ingress log
        "requested": MessageStatus.IN_DOUBT,
    }
    for _ in range(3):
        process.settle()
        run(process.platform.reconcile(), process.platform.timers())
        cluster.clock.move(MINUTE)
    assert [each.text for each in cluster.provider.carrier.sent] == ledger
    # Life goes on.
    process.text("Are you there?")
    process.settle()
    process.reply("Here we are")
    process.settle()
    assert [each.text for each in cluster.provider.carrier.sent] == [*ledger, "Here we are"]
    run(process.relay())


def test_receipts_that_come_late_still_find_their_messages(
    cluster: Cluster, process: Process, file: Path
) -> None:
    process.text()
    process.settle()
    process.reply("sent")
    process.settle()
    back_up(process, file)
    run(process.relay())
    reference = process.platform.intake.reference(*_accepted(process))
    known = process.platform.store.messages_by_reference([reference])
    process = restored(cluster, file)
    assert process.platform.store.messages_by_reference([reference]) == known != {}


def _accepted(process: Process) -> tuple[str, str]:
    found = [each.event for each in process.platform.store.read(0, 1000)]
    event = next(each for each in found if isinstance(each, Message.Accepted))
    return event.scope, event.provider_message_id


def test_facts_that_no_event_told_of_are_ingested_again(
    cluster: Cluster, process: Process, file: Path
) -> None:
    back_up(process, file)
    run(process.relay())
    process.text("never told")
    process.settle()
    cluster.lose_store()
    refilled(cluster, file)
    process = cluster.open()
    assert followed(process) == Followed(facts=1, in_doubt=0)
    assert texts(process) == ["never told"]


# ── keys ───────────────────────────────────────────────────────────────────────────────────────────


def test_who_was_forgotten_after_the_backup_stays_forgotten(
    cluster: Cluster, process: Process, file: Path
) -> None:
    process.text("forget me")
    process.settle()
    process.text("keep me", OTHER)
    process.settle()
    process.platform.desk.end(ADMIN, process.conversation(), None)
    process.settle()
    back_up(process, file)
    process.platform.catalogue.forget(ADMIN, CUSTOMER)
    run(process.relay())
    cluster.lose_store()
    report = refilled(cluster, file)
    assert report is not None
    assert (report.forgotten, report.lost_keys) == (1, 0)
    process = cluster.open()
    followed(process)
    assert texts(process) == [ERASED, "keep me"]


def test_who_returned_before_the_backup_is_not_forgotten_again(
    cluster: Cluster, process: Process, file: Path
) -> None:
    process.text("before")
    process.settle()
    process.platform.desk.end(ADMIN, process.conversation(), None)
    process.settle()
    process.platform.catalogue.forget(ADMIN, CUSTOMER)
    process.text("after")
    process.settle()
    back_up(process, file)
    run(process.relay())
    process = restored(cluster, file)
    assert texts(process) == [ERASED, "after"]


def test_what_was_written_under_lost_keys_reads_as_erased(
    cluster: Cluster, process: Process, file: Path
) -> None:
    process.text("in the backup")
    process.settle()
    back_up(process, file)
    process.text("too late for it", OTHER)
    process.settle()
    process.reply("so is this", OTHER)
    run(process.relay())
    cluster.lose_store()
    report = refilled(cluster, file)
    assert report is not None
    assert (report.forgotten, report.lost_keys, report.lost_customers) == (0, 1, 1)
    process = cluster.open()
    followed(process)
    assert texts(process) == ["in the backup", ERASED, ERASED]
    rebuild(process.platform.views, process.platform.store, [each.name for each in ALL], lambda *_: None)
    process.settle()
    process.text("hello again", OTHER)  # under a new key
    process.settle()
    assert cluster.provider.carrier.sent == []


# ── the topic ──────────────────────────────────────────────────────────────────────────────────────


def cut_off(process: Process, monkeypatch: pytest.MonkeyPatch) -> int:
    """Tell of some transactions and of half of one; the position of the last event of a whole one."""
    process.text("one")
    process.settle()
    run(process.relay())
    head = process.platform.store.head()
    process.text("two", OTHER)
    process.settle()
    with monkeypatch.context() as patched:
        patched.setattr(relay_module, "CHUNK", 2)
        process.relay().step()
    return head


def test_half_a_transaction_is_left_out_and_void(
    cluster: Cluster, process: Process, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    back_up(process, file)
    head = cut_off(process, monkeypatch)
    cluster.lose_store()
    report = refilled(cluster, file)
    assert report is not None
    assert (report.head, report.left_out, report.problem) == (head, 2, "")
    process = cluster.open()
    followed(process)  # the text is still on the ingress log
    assert [each.position for each in process.platform.store.read(head, 1)] == [head + 3]
    run(process.relay())
    reading = process.topic.read()
    told = list(reading)
    assert reading.problem == ""
    assert reading.epochs == (0, head)
    assert [each.state for each in told] == [each["state"] for each in events(process)]
    assert {each.epoch for each in told if each.position > head} == {2}


def test_a_store_can_be_restored_more_than_once(
    cluster: Cluster, process: Process, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    back_up(process, file)
    for number in range(3):
        process.text(f"round {number}")
        process.settle()
        cut_off(process, monkeypatch)
        process = restored(cluster, file)
        process.project()
    run(process.relay())
    assert len(Outbox(process.store, cluster.clock).told().epochs) == 4
    reading = process.topic.read()
    assert [each.state for each in reading] == [each["state"] for each in events(process)]
    assert reading.problem == ""


def test_an_old_copy_of_the_store_is_refused_after_a_restore(
    cluster: Cluster, process: Process, file: Path
) -> None:
    back_up(process, file)
    process.text("one")
    process.settle()
    run(process.relay())
    process = restored(cluster, file)
    process.text("two")
    process.settle()
    run(process.relay())
    with process.store.writing() as c:  # as it was
        c.run("DELETE FROM epoch WHERE number = 2")
    with pytest.raises(RelayRefused, match="epoch 2"):
        process.relay().step()
