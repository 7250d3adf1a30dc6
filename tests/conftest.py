"""What every test gets."""

import os

import pytest

from tests.servers.cluster import cluster
from tests.servers.fixtures import (
    kafka,
    new_kafka,
    new_postgres,
    postgres,
    pytest_terminal_summary,
    schema,
    server_folder,
    topic_prefix,
)

__all__ = [
    "clean_environment",
    "cluster",
    "kafka",
    "new_kafka",
    "new_postgres",
    "postgres",
    "pytest_terminal_summary",
    "schema",
    "server_folder",
    "topic_prefix",
]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the settings of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("PARLEY_")]:
        monkeypatch.delenv(name)
