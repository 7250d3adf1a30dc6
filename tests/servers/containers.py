"""The servers in containers, by testcontainers, where a Docker daemon answers.

testcontainers' own reaper removes the containers when the tests' process is gone.
"""

import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.servers import kafka, postgres
from tests.servers.jars import KAFKA_VERSION
from tests.servers.process import ServerFailed, free_port, log_tail, wait_until

_KAFKA_IMAGE = f"apache/kafka:{KAFKA_VERSION}"
_POSTGRES_IMAGE = "postgres:17"
_ASK_SECONDS = 20
_CONTROLLER = "localhost:9093"


@cache
def available() -> bool:
    """Whether testcontainers is installed and a Docker daemon answers."""
    if find_spec("testcontainers") is None:
        return False
    # In a process of its own: where no daemon answers, Docker's client leaves its socket open.
    ping = "from testcontainers.core.docker_client import DockerClient; DockerClient().client.ping()"
    try:
        asked = subprocess.run(
            [sys.executable, "-c", ping], capture_output=True, timeout=_ASK_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0


class _Container:
    """A container that publishes one port, always the same, and keeps its data until it is removed."""

    stands_in = False

    def __init__(self, image: str, log: Path, inside: int, port: int, environment: Mapping[str, str]) -> None:
        self.name = f"{image}, in a container"
        self.port = port
        self.log_path = log
        self._image = image
        self._inside = inside
        self._environment = environment
        self._container: Any = None

    def _start(self, answers: Callable[[], bool]) -> None:
        if self._container is None:
            made = import_module("testcontainers.core.container").DockerContainer(self._image)
            made.with_bind_ports(self._inside, self.port).with_envs(**self._environment).start()
            self._container = made.get_wrapped_container()
        else:
            self._container.start()
        try:
            wait_until(answers, seconds=kafka.START_SECONDS, what=self.name)
        except TimeoutError as late:
            self._keep_log()
            raise ServerFailed(f"{late} The end of its log:\n{log_tail(self.log_path)}") from None

    def stop(self) -> None:
        if self._container is not None:
            self._container.stop()
            self._keep_log()

    def kill(self) -> None:
        self._container.kill()
        self._container.wait()
        self._keep_log()

    def freeze(self) -> None:
        self._container.pause()

    def thaw(self) -> None:
        self._container.unpause()

    def _keep_log(self) -> None:
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        self.log_path.write_bytes(self._container.logs())


class KafkaContainer(_Container):
    """Apache Kafka's own image, one node, configured as `KafkaServer` is."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.bootstrap = f"127.0.0.1:{port}"
        properties = {
            **kafka.ONE_NODE,
            "listeners": f"PLAINTEXT://0.0.0.0:{port},CONTROLLER://{_CONTROLLER}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.quorum.voters": f"1@{_CONTROLLER}",
        }
        # How the image wants them: https://hub.docker.com/r/apache/kafka
        environment = {f"KAFKA_{key.upper().replace('.', '_')}": value for key, value in properties.items()}
        super().__init__(_KAFKA_IMAGE, folder / "kafka.log", port, port, environment)

    def start(self) -> None:
        self._start(lambda: kafka.answers(self.port))


class PostgresContainer(_Container):
    """PostgreSQL's own image, with the same database, user and trust as `PostgresServer`."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.url = f"postgresql://parley@127.0.0.1:{port}/parley"
        environment = {
            "POSTGRES_USER": "parley",
            "POSTGRES_DB": "parley",
            "POSTGRES_HOST_AUTH_METHOD": "trust",
        }
        super().__init__(_POSTGRES_IMAGE, folder / "postgres.log", 5432, port, environment)

    def start(self) -> None:
        self._start(lambda: postgres.answers(self.url))

    def crash(self) -> None:
        self._container.kill("SIGQUIT")
        self._container.wait()
        self._keep_log()
