"""Apache Kafka for the tests: it keeps its data, holds still when told, and lets in whom it should."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from tests.servers import choose, kafka
from tests.servers.certificates import make_certificates
from tests.servers.choose import Kafka
from tests.servers.kafka import SecureListener

_PASSWORD = "a password of the tests"


def _make_topic(server: Kafka, name: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=server.bootstrap)
    admin.create_topics({name: {"num_partitions": 1, "replication_factor": 1}})
    admin.close()


def _write(server: Kafka, topic: str, value: bytes) -> None:
    producer = KafkaProducer(bootstrap_servers=server.bootstrap)
    producer.send(topic, value).get(timeout=10)
    producer.close()


def _first_value(server: Kafka, topic: str) -> bytes:
    consumer = KafkaConsumer(bootstrap_servers=server.bootstrap, consumer_timeout_ms=10_000)
    consumer.assign([TopicPartition(topic, 0)])
    consumer.seek_to_beginning()
    value: bytes = next(consumer).value
    consumer.close()
    return value


def test_what_was_acknowledged_is_there_after_a_kill_and_a_start(new_kafka: Callable[[], Kafka]) -> None:
    server = new_kafka()
    if server.stands_in:
        pytest.skip("The stand-in keeps nothing.")
    _make_topic(server, "kept")
    _write(server, "kept", b"hello")

    server.kill()
    server.start()

    assert _first_value(server, "kept") == b"hello"


def test_a_frozen_broker_answers_when_it_is_thawed(
    new_kafka: Callable[[], Kafka], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = new_kafka()
    port = int(server.bootstrap.split(":")[1])
    monkeypatch.setattr(kafka, "_ASK_SECONDS", 0.5)

    server.freeze()
    assert not kafka.answers(port)

    server.thaw()
    assert kafka.answers(port)


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
def test_the_secure_listener_lets_in_its_user_only(
    server_folder: Path, mechanism: Literal["PLAIN", "SCRAM-SHA-512"]
) -> None:
    certificates = make_certificates(server_folder / "certificates")
    secure = SecureListener(certificates, user="anna", password=_PASSWORD, mechanism=mechanism)
    server = choose.secure_kafka(server_folder / "kafka", secure)
    settings: dict[str, Any] = {
        "bootstrap_servers": server.secure_bootstrap,
        "security_protocol": "SASL_SSL",
        "ssl_context": ssl.create_default_context(cafile=str(certificates.authority)),
        "sasl_mechanism": mechanism,
        "sasl_plain_username": "anna",
    }
    server.start()
    try:
        admin = KafkaAdminClient(**settings, sasl_plain_password=_PASSWORD)
        assert admin.list_topics() == []
        admin.close()
        with pytest.raises(KafkaError):
            KafkaAdminClient(**settings, sasl_plain_password="another", bootstrap_timeout_ms=2_000)
    finally:
        server.stop()


def test_the_run_has_a_broker_with_topics_for_each_test(kafka: Kafka, topic_prefix: str) -> None:
    _make_topic(kafka, f"{topic_prefix}-mine")
    _write(kafka, f"{topic_prefix}-mine", b"hello")

    assert _first_value(kafka, f"{topic_prefix}-mine") == b"hello"
