"""What the same broker and database do without Parley."""

import re
import subprocess
from uuid import uuid4

import psycopg
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from bench.cluster_servers import Servers
from bench.storage import timed
from tests.servers.jars import jars, java

_RATE = re.compile(r"([\d.]+) records/sec")


def producer_rate(servers: Servers, records: int, size: int, partitions: int) -> float:
    """Records a second of Apache Kafka's own performance tool: acknowledged by all, nothing lingers.

    Records of `size` octets, to a topic of so many partitions. Raises RuntimeError with what it said when
    it fails.
    """
    topic = f"bare-{uuid4().hex[:8]}"
    admin = KafkaAdminClient(bootstrap_servers=servers.kafka.bootstrap)
    admin.create_topics([NewTopic(topic, num_partitions=partitions, replication_factor=1)])
    admin.close()
    tool = [str(java()), "-Xmx256m", "-cp", f"{jars()}/*", "org.apache.kafka.tools.ProducerPerformance"]
    numbers = ["--num-records", str(records), "--record-size", str(size), "--throughput", "-1"]
    how = [f"bootstrap.servers={servers.kafka.bootstrap}", "acks=all", "linger.ms=0"]
    told = subprocess.run(
        [*tool, "--topic", topic, *numbers, "--producer-props", *how],
        capture_output=True,
        text=True,
        check=False,
    )
    found = _RATE.findall(told.stdout)
    if told.returncode != 0 or not found:
        raise RuntimeError(f"ProducerPerformance failed: {told.stdout[-500:]} {told.stderr[-500:]}")
    return float(found[-1])


def insert_rate(servers: Servers, rows: int, at_once: int, size: int) -> float:
    """Rows a second that a bare psycopg inserts, so many octets in each and so many rows a commit."""
    table = f"bare_{uuid4().hex[:8]}"
    with psycopg.connect(servers.postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE TABLE {table} (id UUID PRIMARY KEY, value BYTEA NOT NULL)")
        statement = f"INSERT INTO {table} SELECT * FROM unnest(%b::uuid[], %b::bytea[])"  # noqa: S608 - ours

        def work() -> None:
            for start in range(0, rows, at_once):
                some = range(start, min(rows, start + at_once))
                values = ([uuid4() for _ in some], [bytes(size) for _ in some])
                connection.execute(statement, values)

        return rows / timed(work)
