"""PostgreSQL, Kafka and Parley's services to be measured, all on this machine, and their processor time."""

import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

from bench.inside import URL
from bench.programs import ADMIN_KEY, Program, free_port
from bench.sight import Place
from tests.servers.kafka import KafkaServer
from tests.servers.postgres import PostgresServer
from tests.servers.process import temporary_folder
from workers import storage
from workers.service import Service
from workers.settings import Settings

# As docker/compose.yaml has it: no other broker has a copy, so what is acknowledged has to be on the disk.
_BROKER = {"log.flush.interval.messages": "1"}
_COMMAND = "from workers.cli import main; main()"
_TICKS = os.sysconf("SC_CLK_TCK")


class Servers:
    """A broker and a database, each writing through to the disk. Use it as a context manager."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._key = secrets.token_hex(32)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.folder = stack.enter_context(temporary_folder())
            self.kafka = KafkaServer(self.folder / "kafka", properties=_BROKER)
            self.postgres = PostgresServer(self.folder / "database")
            for server in (self.kafka, self.postgres):
                stack.callback(server.stop)
                server.start()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def prepare(self, namespace: str) -> Settings:
        """Make the tables and topics of a cluster; the settings of a platform on them in this process."""
        named = {
            name.removeprefix("PARLEY_").lower(): text for name, text in self.environment(namespace).items()
        }
        fields: dict[str, Any] = {**named, "public_url": URL, "data_dir": self.folder / namespace}
        settings = Settings(**fields)
        storage.migrate(settings)
        storage.topics(settings)
        return settings

    def environment(self, namespace: str) -> dict[str, str]:
        """What every process of a cluster is told."""
        return {
            "PARLEY_DATABASE_URL": self.postgres.url,
            "PARLEY_KAFKA": self.kafka.bootstrap,
            "PARLEY_KAFKA_REPLICATION": "1",
            "PARLEY_NAMESPACE": namespace,
            "PARLEY_MASTER_KEY": self._key,
            "PARLEY_ADMIN_KEY": ADMIN_KEY,
            "PARLEY_LOG_LEVEL": "WARNING",
        }

    def views(self, namespace: str) -> Place:
        """Where the views of a cluster can be looked at."""
        return f"{self.postgres.url}?options=-csearch_path%3D{namespace}_views"

    def processes(self) -> dict[str, int]:
        """Their process ids, by name."""
        mine = {pid: _command(pid) for pid in children(os.getpid())}
        return {
            name: next(pid for pid, command in mine.items() if part in command)
            for name, part in (("PostgreSQL", "/postgres\0"), ("Kafka", "kafka.Kafka"))
        }


class Services:
    """One process of each service. `port` and `url` are the API's."""

    def __init__(self, servers: Servers, namespace: str, folder: Path) -> None:
        self.programs: dict[str, Program] = {}
        ports = {service: free_port() for service in Service}
        self.port = ports[Service.API]
        self.url = f"http://127.0.0.1:{self.port}"
        self._ports = ports
        for service in Service:
            own = {
                "PARLEY_PORT": str(ports[service]),
                "PARLEY_PUBLIC_URL": self.url,
                "PARLEY_DATA_DIR": str(folder / service),
            }
            settings = servers.environment(namespace) | own
            self.programs[service] = Program(service, folder, ["-c", _COMMAND, service], settings)

    @contextmanager
    def running(self) -> Iterator[Self]:
        """Start all, and go on when all are ready."""
        with ExitStack() as stack:
            for program in self.programs.values():
                stack.enter_context(program)
            for service, port in self._ports.items():
                self.programs[service].wait_for_answer(port)
            yield self


# ── processor time ─────────────────────────────────────────────────────────────────────────────


def cpu_seconds(processes: Mapping[str, int]) -> dict[str, float]:
    """Processor time so far of each process and all that it started, in seconds, user's and system's."""
    return {name: _with_children(pid) for name, pid in processes.items()}


def _with_children(pid: int) -> float:
    return sum(_own(each) for each in (pid, *children(pid)))


def _own(pid: int) -> float:
    """With that of children which have ended (proc(5), /proc/pid/stat, fields 14 to 17)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except FileNotFoundError:  # it has just ended: its parent counts it
        return 0.0
    return sum(map(int, fields[11:15])) / _TICKS


def children(pid: int) -> Sequence[int]:
    """The processes that this one started, by any of its threads."""
    listed = [file.read_text("ascii").split() for file in Path(f"/proc/{pid}/task").glob("*/children")]
    return [int(each) for some in listed for each in some]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text("utf-8", "replace")
    except FileNotFoundError:
        return ""
