"""The cluster: PostgreSQL behind the proxy, Kafka, and every service of Parley as processes of their own."""

import http.client
import secrets
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

import psycopg

from faults.nursery import Child, Nursery
from faults.processes import ROOT, Keeper, Program, python
from faults.scene import ADMIN_KEY, LINES
from tests.servers import choose
from tests.servers.process import free_port

NAMESPACE = "faults"
COUNTS = {
    "api": 2,
    "ingest": 2,
    "relay": 2,
    "project": 2,
    "route": 2,
    "dispatch": 2,
    "deliver": 1,
    "timers": 2,
}
"""How many processes of each service."""

START_WITHIN = 60.0
ALIVE_WITHIN = 2.0  # seconds for one probe
PUBLIC_URL = "http://parley.invalid"
"""What the provider calls and signs; it reaches the API processes another way."""


class Cluster:
    """Everything that runs. Use it as a context manager: left, nothing of it runs any more."""

    def __init__(self, folder: Path, seed: int, logs: Path) -> None:
        self.folder = folder
        self.logs = logs
        self.master_key = secrets.token_bytes(32)
        self.postgres = choose.database(folder / "postgres")
        self.kafka = choose.kafka(folder / "kafka")
        self.ledger = logs / "ledger.jsonl"
        self.hits = logs / "hits.log"
        self.proxied = logs / "proxied.log"
        self.api_ports = [free_port() for _ in range(COUNTS["api"])]
        self.ports: dict[str, int] = {}
        self._proxy_port = 0
        self._provider_port = free_port()
        self.provider_url = f"http://127.0.0.1:{self._provider_port}"
        self._stack = ExitStack()
        self._seed = seed

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._start(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def _start(self, stack: ExitStack) -> None:
        for server in (self.postgres, self.kafka):
            stack.callback(server.stop)
            server.start()
        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET track_commit_timestamp = on")  # the checker asks when
            connection.execute("ALTER SYSTEM SET max_connections = 400")
        self.postgres.stop()
        self.postgres.start()
        self._start_proxy(stack)
        self.nursery = Nursery(ROOT, self.logs / "nursery.log")
        stack.callback(self.nursery.close)
        for command in ("migrate", "topics"):
            program = self._parley(command, [command])
            if program.run_to_end(START_WITHIN) != 0:
                raise RuntimeError(
                    f"parley {command} failed: {program.output.read_text('utf-8', 'replace')[-2000:]}"
                )
        provider = Program("provider", self.logs / "provider.log", python(self._provider_command()))
        stack.callback(provider.end)
        provider.start()
        self._wait_for_port(self._provider_port)
        self.keeper = Keeper(list(self._services()))
        stack.callback(self.keeper.stop)
        self.keeper.start()
        self.wait_until_up(START_WITHIN)

    def _start_proxy(self, stack: ExitStack) -> None:
        port = self.postgres.url.rpartition(":")[2].partition("/")[0]
        command = ["-m", "faults.proxy", "--to", port, "--log", str(self.proxied)]
        self.proxy = Program("proxy", self.logs / "proxy.log", python(command, pipe=True))
        stack.callback(self.proxy.end)
        self.proxy.start()
        until = time.monotonic() + START_WITHIN
        while not self.proxied.exists() or not self.proxied.read_text("ascii").endswith("\n"):
            if time.monotonic() > until:
                raise TimeoutError("the proxy did not start")
            time.sleep(0.02)
        self._proxy_port = int(self.proxied.read_text("ascii").split()[1])

    def _provider_command(self) -> list[str]:
        command = ["-m", "faults.provider", "--ledger", str(self.ledger), "--port", str(self._provider_port)]
        for line in LINES:
            command += ["--number", line.address]
        reach = ",".join(f"http://127.0.0.1:{port}" for port in self.api_ports)
        return [*command, "--public", PUBLIC_URL, "--reach", reach, "--seed", str(self._seed)]

    def _services(self) -> Iterator[Program]:
        for service, many in COUNTS.items():
            for number in range(1, many + 1):
                name = f"{service}-{number}"
                self.ports[name] = self.api_ports[number - 1] if service == "api" else free_port()
                yield self._parley(
                    name,
                    [service],
                    PARLEY_PORT=str(self.ports[name]),
                    FAULTS_ORDER=str(self.order_of(name)),
                    FAULTS_HITS=str(self.hits),
                )

    def _parley(self, name: str, words: list[str], **own: str) -> Program:
        """A process of Parley's, with settings of its own beside everybody's."""
        settings = {**self.settings(), "PARLEY_DATA_DIR": str(self.folder / name), **own}

        def begin(output: Path) -> Child:
            return self.nursery.start(words, settings, output)

        return Program(name, self.logs / f"{name}.log", begin)

    def settings(self) -> dict[str, str]:
        """What every process of Parley is told."""
        straight = self.postgres.url
        port = straight.rpartition(":")[2].partition("/")[0]
        return {
            "PARLEY_DATABASE_URL": straight.replace(f":{port}/", f":{self._proxy_port}/"),
            "PARLEY_DATABASE_CONNECTIONS": "6",
            "PARLEY_KAFKA": self.kafka.bootstrap,
            "PARLEY_KAFKA_REPLICATION": "1",
            "PARLEY_NAMESPACE": NAMESPACE,
            "PARLEY_MASTER_KEY": self.master_key.hex(),
            "PARLEY_ADMIN_KEY": ADMIN_KEY,
            "PARLEY_PUBLIC_URL": PUBLIC_URL,
            "PARLEY_WEB_THREADS": "48",
            "PARLEY_LOG_LEVEL": "INFO",
        }

    # ── what can be done to it ─────────────────────────────────────────────────────────────────

    def order_of(self, name: str) -> Path:
        """The file that tells a process where to die."""
        return self.folder / f"{name}.order"

    def program(self, name: str) -> Program:
        """The process of this name."""
        return next(each for each in self.keeper.programs if each.name == name)

    def of(self, service: str) -> list[Program]:
        """The processes of a service."""
        return [each for each in self.keeper.programs if each.name.rpartition("-")[0] == service]

    def command(self, words: list[str]) -> Program:
        """A command of Parley's, to be run to its end; it may be told where to die, too."""
        name = words[0]
        return self._parley(name, words, FAULTS_ORDER=str(self.order_of(name)), FAULTS_HITS=str(self.hits))

    # ── whether it is up ───────────────────────────────────────────────────────────────────────

    def wait_until_up(self, within: float) -> None:
        """Wait until every process answers. Raises TimeoutError, naming those that do not."""
        until = time.monotonic() + within
        while missing := [name for name in self.ports if not self._is_up(name)]:
            if time.monotonic() > until:
                raise TimeoutError(f"{', '.join(missing)} did not answer within {within:.0f} s")
            time.sleep(0.1)

    def _is_up(self, name: str) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[name], timeout=ALIVE_WITHIN)
        try:
            connection.request("GET", "/health/ready")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    @staticmethod
    def _wait_for_port(port: int) -> None:
        until = time.monotonic() + START_WITHIN
        while time.monotonic() < until:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            time.sleep(0.05)
        raise TimeoutError(f"nothing listens on port {port}")

    def freeze(self, names: list[str]) -> None:
        """Let processes hold still."""
        for name in names:
            self.program(name).send(signal.SIGSTOP)

    def thaw(self, names: list[str]) -> None:
        """Let them go on."""
        for name in names:
            self.program(name).send(signal.SIGCONT)
