"""The fixtures of the servers: one Kafka and one PostgreSQL for the whole run, and others for a test alone.

`tests/conftest.py` imports them for every test. A server is started when the first test asks for it.
"""

import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import pytest

from tests.servers import choose
from tests.servers.choose import Kafka, Postgres, Server
from tests.servers.process import temporary_folder

KEPT_LOGS = Path(__file__).parents[2] / "var" / "test-logs"
_used = pytest.StashKey[set[str]]()
_S = TypeVar("_S", bound=Server)


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> Iterator[Kafka]:
    """The run's broker, which tests share: each keeps to topics with its own `topic_prefix`."""
    with _keeping_logs(request, "kafka") as folder, _stopping() as started:
        yield started(_make(request, choose.kafka, folder))


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    """The run's PostgreSQL, which tests share: each keeps to schemas that begin with its own `schema`."""
    with _keeping_logs(request, "postgres") as folder, _stopping() as started:
        yield started(_make(request, choose.database, folder))


@pytest.fixture
def server_folder(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder for servers that a test starts itself: every account can reach it; logs are kept."""
    with _keeping_logs(request, request.node.name) as folder:
        yield folder


@pytest.fixture
def new_kafka(request: pytest.FixtureRequest, server_folder: Path) -> Iterator[Callable[[], Kafka]]:
    """Starts a broker for this test alone, to be killed and frozen; it ends with the test."""
    with _stopping() as started:
        yield lambda: started(_make(request, choose.kafka, _numbered(server_folder, "kafka")))


@pytest.fixture
def new_postgres(request: pytest.FixtureRequest, server_folder: Path) -> Iterator[Callable[[], Postgres]]:
    """Starts a PostgreSQL server for this test alone, to be killed; it ends with the test."""
    with _stopping() as started:
        yield lambda: started(_make(request, choose.database, _numbered(server_folder, "postgres")))


@pytest.fixture
def topic_prefix(kafka: Kafka) -> Iterator[str]:
    """What this test's topics begin with. They are deleted afterwards."""
    from kafka import KafkaAdminClient  # noqa: PLC0415 - only who asks for Kafka needs its client

    prefix = f"test-{uuid4().hex[:12]}"
    yield prefix
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    try:
        if topics := [topic for topic in admin.list_topics() if topic.startswith(prefix)]:
            admin.delete_topics(topics)
    finally:
        admin.close()


@pytest.fixture
def schema(postgres: Postgres) -> Iterator[str]:
    """The name of a schema that is not there yet. Every schema that begins with it is dropped afterwards."""
    import psycopg  # noqa: PLC0415 - only who asks for PostgreSQL needs its client
    from psycopg import sql  # noqa: PLC0415

    name = f"test_{uuid4().hex[:12]}"
    yield name
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("SET lock_timeout = '10s'")  # a connection left open fails the test that left it
        rows = connection.execute("SELECT nspname FROM pg_namespace WHERE starts_with(nspname, %s)", [name])
        for (found,) in rows.fetchall():
            connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(found)))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the run which servers this process of it used, where it has several (pytest-xdist)."""
    if hasattr(session.config, "workeroutput"):
        used: set[str] = session.config.stash.setdefault(_used, set())
        session.config.workeroutput["servers"] = sorted(used)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Note which servers one process of the run used."""
    used = getattr(node, "workeroutput", {}).get("servers", ())
    node.config.stash.setdefault(_used, set()).update(used)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which servers the tests ran on."""
    used: set[str] = terminalreporter.config.stash.setdefault(_used, set())
    for name in sorted(used):
        terminalreporter.write_line(f"Server: {name}", yellow="stand-in" in name)


def _numbered(folder: Path, name: str) -> Path:
    made = folder / f"{name}-{sum(1 for _ in folder.glob(f'{name}-*')) + 1}"
    made.mkdir()
    return made


def _make(request: pytest.FixtureRequest, choice: Callable[[Path], _S], folder: Path) -> _S:
    """Choose, and note the choice for the summary. Not captured: it may say that it is downloading."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else ExitStack():
        server = choice(folder)
    request.config.stash.setdefault(_used, set()).add(server.name)
    return server


@contextmanager
def _stopping() -> Iterator[Callable[[_S], _S]]:
    """Gives a function that starts a server; in the end all that it started are stopped."""
    with ExitStack() as stack:

        def started(server: _S) -> _S:
            stack.callback(server.stop)
            server.start()
            return server

        yield started


@contextmanager
def _keeping_logs(request: pytest.FixtureRequest, name: str) -> Iterator[Path]:
    """A folder for servers. If a test fails meanwhile, its logs are kept in var/test-logs/."""
    failed = request.session.testsfailed
    with temporary_folder() as folder:
        yield folder
        if request.session.testsfailed > failed:
            _keep_logs(folder, KEPT_LOGS / re.sub(r"\W+", "-", name))


def _keep_logs(folder: Path, kept: Path) -> None:
    # The segments of Kafka's topics are called 000.log.
    logs = [log for log in folder.rglob("*.log") if log.stem.isalpha()]
    if not logs:
        return
    shutil.rmtree(kept, ignore_errors=True)  # what an earlier run left
    kept.mkdir(parents=True)
    for log in logs:
        shutil.copyfile(log, kept / "-".join(log.relative_to(folder).parts))
    sys.stderr.write(f"The servers' logs are in {kept}\n")
