"""A cluster of the test's own on the run's servers: its schemas, its topics, its settings."""

from collections.abc import Iterator
from typing import Any

import pytest
from kafka import KafkaAdminClient
from pydantic import SecretStr

from adapters.kafka.topics import events_topic, ingress_topic
from tests.servers.choose import Kafka, Postgres
from workers import storage
from workers.settings import Settings

MASTER_KEY = "ab" * 32


@pytest.fixture
def cluster(kafka: Kafka, postgres: Postgres, schema: str) -> Iterator[dict[str, Any]]:
    """The settings that make Parley a cluster; its tables and topics are there, and gone afterwards."""
    shape: dict[str, Any] = {
        "database_url": SecretStr(postgres.url),
        "kafka": kafka.bootstrap,
        "namespace": schema,
        "master_key": SecretStr(MASTER_KEY),
        "kafka_replication": 1,
        "events_partitions": 3,
    }
    settings = Settings(**shape)
    storage.migrate(settings)
    # Kafka goes by its own clock, and tests often play in the past.
    storage.topics(settings.model_copy(update={"ingress_days": 365}))
    yield shape
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    admin.delete_topics([ingress_topic(schema), events_topic(schema)])
    admin.close()
