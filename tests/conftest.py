"""What every test gets."""

import os

import pytest

from tests.servers.cluster import cluster
from tests.servers.fixtures import (
    kafka,
    new_kafka,
    new_postgres,
    postgres,
    pytest_sessionfinish,
    pytest_terminal_summary,
    pytest_testnodedown,
    schema,
    server_folder,
    topic_prefix,
)
from tests.servers.smscs import (
    jsmpp,
    new_node_smpp,
    node_smpp,
    opensmpp,
    others_smsc,
    scripted_smsc,
    smpp_twisted,
    smscs,
)

__all__ = [
    "clean_environment",
    "cluster",
    "jsmpp",
    "kafka",
    "new_kafka",
    "new_node_smpp",
    "new_postgres",
    "node_smpp",
    "opensmpp",
    "others_smsc",
    "postgres",
    "pytest_sessionfinish",
    "pytest_terminal_summary",
    "pytest_testnodedown",
    "schema",
    "scripted_smsc",
    "server_folder",
    "smpp_twisted",
    "smscs",
    "topic_prefix",
]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the settings of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("PARLEY_")]:
        monkeypatch.delenv(name)
