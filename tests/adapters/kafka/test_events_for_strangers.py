"""A consumer that we did not write reads the events: Kafka's and Avro's own clients for Java."""

import json
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from adapters.avro_codec import schema_for
from domain.messages import Message
from tests.servers import jars
from tests.workers.cluster import CUSTOMER, OTHER, Cluster, cluster, events, run

__all__ = ["cluster"]

READER = Path(__file__).parent / "reader"


@pytest.fixture(scope="module")
def class_path() -> str:
    if jars.java() is None or not jars.available():
        pytest.skip("No Java 17 or no Maven: the reader needs both.")
    avro = jars.dependencies(READER / "pom.xml", "Apache Avro")
    return f"{jars.jars()}/*:{avro}/*"


def read_by_java(class_path: str, cluster: Cluster) -> tuple[list[dict[str, Any]], str]:
    """What the reader prints, as documents and as it stands."""
    machine = jars.java()
    assert machine is not None
    topic = f"{cluster.settings.namespace}.events"
    told = subprocess.run(
        [
            *(machine, "-Xmx256m", "-Dlog4j2.level=OFF", "-cp", class_path),
            *(READER / "EventReader.java", cluster.settings.kafka, topic, str(files("avro_schemas"))),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    return [json.loads(line) for line in told.stdout.splitlines()], told.stdout


def test_a_stranger_reads_every_event(cluster: Cluster, class_path: str) -> None:
    process = cluster.open(begin=True)
    for text in ("a customer's own words", "and more of them"):
        process.text(text)
        process.text(text, OTHER)
        process.settle()
        process.reply("an agent's answer to that: " + text)
        process.settle()
    run(process.relay())
    found, printed = read_by_java(class_path, cluster)
    ordered = sorted(found, key=lambda each: each["position"])
    rows = events(process)
    assert [(each["position"], each["type"], each["stream"]) for each in ordered] == [
        (row["notification_id"], row["topic"], str(row["originator_id"])) for row in rows
    ]
    for each in ordered:
        assert list(each["data"]) == [field["name"] for field in schema_for(each["type"])["fields"]]
    requested = next(each["data"] for each in ordered if each["type"] == Message.Requested.TOPIC)
    assert (requested["purpose"], requested["suppressed"]) == ("agent_joined", True)
    message = process.platform.store.read(0, 1000)
    ours = next(each.event for each in message if isinstance(each.event, Message.Requested))
    assert requested["timestamp"] == round(ours.timestamp.timestamp() * 1_000_000)
    assert requested["thread_id"] == str(ours.thread_id)
    for secret in ("own words", "more of them", "agent's answer", CUSTOMER, OTHER, CUSTOMER[2:]):
        assert secret not in printed


def test_a_stranger_is_told_what_a_restore_made_void(cluster: Cluster, class_path: str) -> None:
    process = cluster.open(begin=True)
    run(process.relay())
    head = process.platform.store.head()
    process.text("void")
    process.settle()
    run(process.relay())
    # As a restore does that took nothing beyond `head`.
    with process.store.writing() as c:
        c.run("DELETE FROM stored_events WHERE notification_id > :head", {"head": head})
        c.run("DELETE FROM unit WHERE position > :head", {"head": head})
        c.run("INSERT INTO epoch VALUES (2, :head)", {"head": head})
        c.run("UPDATE relay SET position = :head", {"head": head})
        c.run("DELETE FROM relay_tail")
        c.run("DELETE FROM lease")
    tails: dict[int, int] = {}
    for each in process.topic.read():
        if each.position <= head:
            tails[each.partition] = each.position
    with process.store.writing() as c:
        c.run_many(
            "INSERT INTO relay_tail VALUES (:partition, :position)",
            [{"partition": partition, "position": last} for partition, last in tails.items()],
        )
    other = cluster.open()
    other.text("counts")
    other.settle()
    run(other.relay())
    found, _ = read_by_java(class_path, cluster)
    marks = [each for each in found if "void_after" in each]
    assert {each["epoch"] for each in marks} == {2}
    assert all(each["void_after"] <= head for each in marks)
