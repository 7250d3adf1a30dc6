"""The services of docker/compose.yaml as processes of this machine: its commands, its environment.

What a container adds is not tried here: no test needs a Docker daemon.
"""

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from adapters.kafka.topics import events_topic, ingress_topic
from tests.docker.described import ROOT, compose, health_check, image_environment
from tests.fakes.gateway import post
from tests.fakes.twilio import sign
from tests.fakes.twilio_state import ACCOUNT_SID, AUTH_TOKEN
from tests.servers.choose import Kafka, Postgres
from tests.servers.process import free_port, log_tail, wait_until
from workers.service import Service

PARLEY = [sys.executable, "-c", "from workers.cli import main; main()"]
READY_SECONDS = 40  # eight interpreters start at once
STOP_SECONDS = 12
SEEN_SECONDS = 10
OUR_NUMBER = "+15005550006"
CUSTOMER = "+12025550123"
SECRETS = {
    "PARLEY_MASTER_KEY": secrets.token_hex(32),
    "PARLEY_ADMIN_KEY": secrets.token_hex(24),
    "PARLEY_PUBLIC_URL": "https://sms.example.com",
    "POSTGRES_PASSWORD": secrets.token_hex(24),
}


@dataclass
class Cluster:
    """Starts what the compose file names: on this machine, with the tests' servers."""

    folder: Path
    kafka: Kafka
    postgres: Postgres
    namespace: str

    def environment(self, name: str, port: int) -> dict[str, str]:
        """The environment of a service: the image's and the compose file's, with our addresses."""
        composed: dict[str, str] = image_environment() | compose()["services"][name]["environment"]
        database = self.postgres.url.split("@")[1].split("/")[0]
        reached = {"postgres:5432": database, "kafka:9092": self.kafka.bootstrap}
        here = {key: _filled_in(value, reached) for key, value in composed.items()}
        return here | {
            "PARLEY_HOST": "127.0.0.1",
            "PARLEY_PORT": str(port),
            "PARLEY_DATA_DIR": str(self.folder / name),
            "PARLEY_NAMESPACE": self.namespace,
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
        }

    def start(self, name: str) -> "Running":
        """Start a service or command."""
        port, log = free_port(), self.folder / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*PARLEY, *compose()["services"][name]["command"]],
                cwd=self.folder,
                env=self.environment(name, port),
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        return Running(name, port, log, process)


def _filled_in(value: str, reached: dict[str, str]) -> str:
    """A value of the compose file as compose would fill it in, but for where servers are reached."""
    value = re.sub(r"\$\{(\w+):\?[^}]*\}", lambda found: SECRETS[found[1]], value)
    for there, here in reached.items():
        value = value.replace(there, here)
    return value


@dataclass
class Running:
    """A service that was started."""

    name: str
    port: int
    log: Path
    process: subprocess.Popen[bytes]

    def ask(self, path: str, document: Any = None) -> tuple[int, str]:
        """What it answers to an admin. Without `document` it is only asked."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            None if document is None else json.dumps(document).encode(),
            {"Authorization": f"Bearer {SECRETS['PARLEY_ADMIN_KEY']}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def is_ready(self) -> bool:
        """Whether every part of it works."""
        assert self.process.poll() is None, f"{self.name} ended:\n{log_tail(self.log)}"
        try:
            return self.ask("/health/ready")[0] == 200
        except OSError:
            return False

    def is_healthy(self) -> bool:
        """What the image's own health check says of it."""
        asked = [sys.executable, *health_check()[1:]]
        return subprocess.run(asked, env={"PARLEY_PORT": str(self.port)}, check=False).returncode == 0

    def ended(self, seconds: float) -> int:
        """The code it ends with."""
        return self.process.wait(seconds)


@pytest.fixture
def cluster(tmp_path: Path, kafka: Kafka, postgres: Postgres, schema: str) -> Iterator[Cluster]:
    """What is prepared as the compose file does it: the tables and the topics are there."""
    cluster = Cluster(tmp_path, kafka, postgres, schema)
    for running in [cluster.start("migrate"), cluster.start("topics")]:
        assert running.ended(READY_SECONDS) == 0, log_tail(running.log)
    yield cluster
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    admin.delete_topics([ingress_topic(schema), events_topic(schema)])
    admin.close()


@pytest.fixture
def services(cluster: Cluster) -> Iterator[dict[Service, Running]]:
    """Every service, started and ready."""
    running = {service: cluster.start(service) for service in Service}
    try:
        for each in running.values():
            wait_until(each.is_ready, seconds=READY_SECONDS, what=f"parley {each.name}")
        yield running
    finally:
        for each in running.values():
            each.process.kill()
            each.process.wait()


def test_the_cluster_takes_a_text_in_and_ends_in_order(
    cluster: Cluster, services: dict[Service, Running]
) -> None:
    for each in services.values():
        status, metrics = each.ask("/metrics")
        assert status == 200, f"{each.name}: {metrics}"
        assert re.findall(r"^parley_part_ok\{.*\} 0\.0$", metrics, re.MULTILINE) == []
    assert services[Service.TIMERS].is_healthy()

    api = services[Service.API]
    add_number(api)
    text_arrives(api)
    wait_until(lambda: conversations(api) == [CUSTOMER], seconds=SEEN_SECONDS, what="the conversation")
    wait_until(lambda: events_on_kafka(cluster) > 0, seconds=SEEN_SECONDS, what="the events topic")

    for each in services.values():
        each.process.send_signal(signal.SIGTERM)
    assert {each.name: each.ended(STOP_SECONDS) for each in services.values()} == dict.fromkeys(Service, 0)
    for each in services.values():
        assert "Traceback" not in each.log.read_text("utf-8"), each.name


def add_number(api: Running) -> None:
    """A queue, and a mapping with our number."""
    queue = {"code": "SUPPORT", "name": "Support"}
    mapping = {
        "kind": "rest",
        "code": "TW",
        "description": "Support",
        "status": "active",
        "default_country": "US",
        "provider": "twilio",
        "credentials": {"user_name": ACCOUNT_SID, "password": AUTH_TOKEN},
        "routes": [{"address": OUR_NUMBER, "display_name": "Support", "skill_queue": "SUPPORT"}],
    }
    for path, document in (("queues", queue), ("mappings", mapping)):
        status, body = api.ask(f"/api/v1/{path}", document)
        assert status == 201, body


def text_arrives(api: Running) -> None:
    """Twilio posts a customer's text, signed for the public URL."""
    sid = f"SM{secrets.token_hex(16)}"
    form = {
        "MessageSid": sid,
        "AccountSid": ACCOUNT_SID,
        "From": CUSTOMER,
        "To": OUR_NUMBER,
        "Body": "Hello?",
    }
    form |= {"NumMedia": "0", "SmsStatus": "received"}
    path = "/ingress/rest/TW"
    signature = sign(SECRETS["PARLEY_PUBLIC_URL"] + path, form, AUTH_TOKEN)
    headers = {
        "X-Twilio-Signature": signature,
        "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
    }
    status, body = post(f"http://127.0.0.1:{api.port}{path}", headers, urllib.parse.urlencode(form).encode())
    assert status == 200, body


def conversations(api: Running) -> list[str]:
    """The customers of the conversations that the API shows."""
    status, body = api.ask("/api/v1/conversations")
    assert status == 200, body
    return [each["customer"] for each in json.loads(body)["items"]]


def events_on_kafka(cluster: Cluster) -> int:
    """How many events the relay has copied."""
    topic = events_topic(cluster.namespace)
    consumer = KafkaConsumer(bootstrap_servers=cluster.kafka.bootstrap)
    partitions = [TopicPartition(topic, each) for each in consumer.partitions_for_topic(topic)]
    ends: dict[TopicPartition, int] = consumer.end_offsets(partitions)
    consumer.close()
    return sum(ends.values())
