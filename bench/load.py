"""The load generator: prebuilt requests over kept connections, in a process of its own.

    python -m bench.load --port N --connections 32 --requests FILE [--rate 100]

Without a rate every connection sends its next request as soon as it has its answer; with one, requests start
when it is their time, and their latency counts from then, whether or not a connection was free. Prints JSON.
"""

import argparse
import atexit
import json
import re
import selectors
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.programs import ROOT

GIVE_UP_AFTER = 120.0  # seconds
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Outcome:
    """What came of a load: times on the monotonic clock, in the order of the requests."""

    due: list[float]
    answered: list[float]
    failed: int  # answers that were not 2xx

    @property
    def per_second(self) -> float:
        """Requests answered a second, from the first start to the last answer."""
        return len(self.answered) / (max(self.answered) - min(self.due))

    @property
    def latencies(self) -> list[float]:
        """Seconds from when each was due to its answer, sorted."""
        return sorted(end - start for start, end in zip(self.due, self.answered, strict=True))


def run_load(
    port: int, requests: Sequence[bytes], folder: Path, connections: int = 32, rate: float = 0.0
) -> "Load":
    """Start the generator in a process of its own."""
    file = folder / f"requests-{time.monotonic_ns()}"
    with file.open("wb") as out:
        for each in requests:
            out.write(len(each).to_bytes(4) + each)
    return Load(port, file, connections, rate)


class Load:
    """A load that is running."""

    def __init__(self, port: int, file: Path, connections: int, rate: float) -> None:
        options = ["--port", str(port), "--connections", str(connections), "--rate", str(rate)]
        command = [sys.executable, "-m", "bench.load", *options, "--requests", str(file)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        atexit.register(
            self._process.kill
        )  # nothing that was started stays; one that has ended is left alone

    def result(self) -> Outcome:
        """Wait for its end. Raises RuntimeError when it failed."""
        said, _ = self._process.communicate()
        if self._process.returncode != 0:
            raise RuntimeError("the load generator failed")
        return Outcome(**json.loads(said))


# ── the process ────────────────────────────────────────────────────────────────────────────────


class _Connection:
    """One kept connection, with at most one request under way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.number = -1  # of its request
        self._got = b""
        self._wanted = -1

    def send(self, number: int, request: bytes) -> None:
        self.number, self._got, self._wanted = number, b"", -1
        self.socket.sendall(request)

    def receive(self) -> int | None:
        """The status, once the whole answer is there. Raises ConnectionError when it never will be."""
        octets = self.socket.recv(65536)
        if not octets:
            raise ConnectionError("the server closed a connection")
        self._got += octets
        if self._wanted < 0:
            end = self._got.find(b"\r\n\r\n")
            if end < 0:
                return None
            length = _LENGTH.search(self._got, 0, end)
            self._wanted = end + 4 + (int(length[1]) if length else 0)
        return int(self._got[9:12]) if len(self._got) >= self._wanted else None


class _Generator:
    """Sends all requests and notes when each was due and answered."""

    def __init__(self, port: int, requests: Sequence[bytes], connections: int, rate: float) -> None:
        self._requests = requests
        self._selector = selectors.DefaultSelector()
        self._idle = deque(_Connection(port) for _ in range(connections))
        for each in self._idle:
            self._selector.register(each.socket, selectors.EVENT_READ, each)
        begin = time.monotonic()
        self._due = [begin + number / rate if rate else 0.0 for number in range(len(requests))]
        self._answered = [0.0] * len(requests)
        self._failed = 0
        self._next = 0

    def run(self) -> Outcome:
        left, until = len(self._requests), time.monotonic() + GIVE_UP_AFTER
        while left:
            if time.monotonic() > until:
                raise TimeoutError(f"{left} requests are unanswered after {GIVE_UP_AFTER:.0f} s")
            for key, _ in self._selector.select(self._start_what_is_due()):
                left -= self._take_answer(key.data)
        return Outcome(self._due, self._answered, self._failed)

    def _start_what_is_due(self) -> float:
        """Start requests on idle connections; how long to wait for the next one to fall due."""
        while self._idle and self._next < len(self._requests):
            now = time.monotonic()
            if self._due[self._next] > now:
                return self._due[self._next] - now
            self._due[self._next] = self._due[self._next] or now
            self._idle.popleft().send(self._next, self._requests[self._next])
            self._next += 1
        return 1.0

    def _take_answer(self, connection: _Connection) -> int:
        status = connection.receive()
        if status is None:
            return 0
        self._answered[connection.number] = time.monotonic()
        self._failed += not 200 <= status < 300
        # The connection used last is the next one: fewer are busy at low rates, as with a real client's pool.
        self._idle.appendleft(connection)
        return 1


def _read(file: Path) -> list[bytes]:
    octets, place, requests = file.read_bytes(), 0, []
    while place < len(octets):
        length = int.from_bytes(octets[place : place + 4])
        requests.append(octets[place + 4 : place + 4 + length])
        place += 4 + length
    return requests


def main() -> None:
    """Read the requests, send them, print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m bench.load", description="Sends prebuilt requests.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--requests", type=Path, required=True, help="each after its length in 4 octets")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--rate", type=float, default=0.0, help="requests a second; 0: as fast as it goes")
    given = parser.parse_args()
    outcome = _Generator(given.port, _read(given.requests), given.connections, given.rate).run()
    print(json.dumps(vars(outcome)))


if __name__ == "__main__":
    main()
