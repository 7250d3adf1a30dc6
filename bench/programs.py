"""Parley and a Twilio of our own, each as a process of its own, to be talked to, killed and started again."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Self

from bench.client import Client, Cut

ROOT = Path(__file__).parents[1]
START_WITHIN = 60.0  # seconds
STOP_WITHIN = 20.0
ADMIN_KEY = "parley-measured-admin-key-0123456789abcdef"
_UP = "from workers.cli import main; main()"


def free_port() -> int:
    """A port of the loopback that nobody has just now."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


class Program:
    """A program of ours: what it prints goes to a file. Use it as a context manager; stopped when left."""

    def __init__(self, name: str, folder: Path, command: Sequence[str], settings: Mapping[str, str]) -> None:
        self._command = [sys.executable, *command]
        self._settings = settings
        self.output = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The running process. Raises RuntimeError when there is none."""
        if self._process is None:
            raise RuntimeError("the program has not been started")
        return self._process

    def start(self) -> None:
        """Start it, without the settings of whoever measures."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env={**environment, **self._settings},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Let it end by itself, or kill it."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self.kill()

    def check_alive(self) -> None:
        """Raises RuntimeError, with the end of what it printed, when it has ended by itself."""
        if self.process.poll() is not None:
            said = self.output.read_text("utf-8", "replace")[-2000:]
            raise RuntimeError(f"it ended with {self.process.returncode}: {said}")

    def wait_for_answer(self, port: int) -> None:
        """Wait until it is ready to serve. Raises RuntimeError when it takes too long."""
        until = time.monotonic() + START_WITHIN
        while time.monotonic() < until:
            self.check_alive()
            with closing(Client(port)) as client, suppress(Cut):
                if client.request("GET", "/health/ready").status == 200:
                    return
            time.sleep(0.02)
        raise RuntimeError(f"it did not answer within {START_WITHIN:.0f} s")


class Parley(Program):
    """`parley up` on a port and a data folder that it keeps over restarts."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.data = folder / "data"
        self.settings = {
            "PARLEY_DATA_DIR": str(self.data),
            "PARLEY_PORT": str(self.port),
            "PARLEY_PUBLIC_URL": self.url,
            "PARLEY_ADMIN_KEY": ADMIN_KEY,
            "PARLEY_LOG_LEVEL": "WARNING",
        }
        super().__init__("parley", folder, ["-c", _UP, "up", *options], self.settings)

    def start(self) -> None:
        """Start it, and return when it answers."""
        super().start()
        self.wait_for_answer(self.port)


class Twilio(Program):
    """The fake Twilio of the tests, with its ledger."""

    def __init__(self, folder: Path, numbers: Sequence[str], receipts: str = "") -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.ledger = folder / "twilio.jsonl"
        command = ["-m", "tests.fakes.twilio", "--ledger", str(self.ledger), "--port", str(self.port)]
        for number in numbers:
            command += ["--number", number]
        super().__init__("twilio", folder, [*command, "--receipts", receipts], {})

    def start(self) -> None:
        """Start it, and return when it answers."""
        super().start()
        until = time.monotonic() + START_WITHIN
        while b'"url"' not in self.output.read_bytes():
            self.check_alive()
            if time.monotonic() > until:
                raise RuntimeError(f"it did not answer within {START_WITHIN:.0f} s")
            time.sleep(0.02)

    def fail_next(self, fault: str, times: int) -> None:
        """Let its next requests go wrong: see `tests.fakes.twilio_state.Fault`. Raises Cut."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        Client(self.port).request("POST", "/_fake/fail", f"fault={fault}&times={times}".encode(), headers)

    def accepted(self) -> list[dict[str, str]]:
        """What it was asked to send and took, in order: `to`, `body`, and the `callback` it was given."""
        entries = map(json.loads, self.ledger.read_text("utf-8").splitlines())
        return [
            {"to": each["record"]["to"], "body": each["record"]["body"], "callback": each["callback"] or ""}
            for each in entries
            if each["kind"] == "message"
        ]
