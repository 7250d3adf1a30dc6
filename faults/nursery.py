"""Starts processes of the platform quickly: a process that has imported everything forks them.

    python -m faults.nursery

It takes an order a line on its standard input, and says on its output what happens. Of fifteen processes
each would else spend two seconds of processor time importing the same. When its input
ends, however that comes, it kills what it started.
"""

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

LOOK_EVERY = 0.02
START_WITHIN = 60.0
_PRELOADED = ("workers.cli", "workers.wiring", "api.app", "faults.service")


class Child:
    """A process that the nursery started; to be used like `subprocess.Popen`."""

    stdin = None

    def __init__(self) -> None:
        self.pid = 0
        self._started = threading.Event()
        self._ended = threading.Event()
        self._code: int | None = None

    def poll(self) -> int | None:
        """How it ended, None while it runs."""
        return self._code

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it is there."""
        self._started.wait(START_WITHIN)
        if self._code is None and self.pid:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises TimeoutExpired."""
        if not self._ended.wait(timeout):
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        return self._code or 0

    def note(self, what: str, value: int) -> None:
        """The nursery says what has happened."""
        if what == "started":
            self.pid = value
            self._started.set()
        else:
            self._code = value
            self._ended.set()


class Nursery:
    """The side of those who want processes. Close it when done."""

    def __init__(self, root: Path, output: Path) -> None:
        self._children: list[Child] = []
        self._lock = threading.Lock()
        with output.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "faults.nursery"],
                cwd=root,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        threading.Thread(target=self._listen, daemon=True, name="nursery").start()

    def start(self, words: Sequence[str], settings: Mapping[str, str], output: Path) -> Child:
        """Start `python -m faults.service` with these words."""
        with self._lock:
            child = Child()
            self._children.append(child)
            order = {"words": list(words), "settings": dict(settings), "output": str(output)}
            assert self._process.stdin is not None  # noqa: S101 - for mypy: it is a pipe
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
        return child

    def _listen(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - for mypy: it is a pipe
        for line in self._process.stdout:
            what, number, value = line.split()
            self._children[int(number)].note(what, int(value))

    def close(self) -> None:
        """End it, and with it all that it started."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(START_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


# ── the process ────────────────────────────────────────────────────────────────────────────────


def main() -> None:
    """Fork what is ordered, until the input ends."""
    for name in _PRELOADED:
        import_module(name)
    running: dict[int, int] = {}
    orders, number = b"", 0
    while True:
        ready, _, _ = select.select([0], [], [], LOOK_EVERY)
        if ready:
            read = os.read(0, 65536)
            if not read:
                break
            orders += read
            *lines, orders = orders.split(b"\n")
            for line in lines:
                pid = _fork(json.loads(line))
                running[pid] = number
                _say("started", number, pid)
                number += 1
        _report_ends(running)
    for pid in running:
        os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + START_WITHIN
    while running and time.monotonic() < until:
        _report_ends(running)
        time.sleep(LOOK_EVERY)


def _report_ends(running: dict[int, int]) -> None:
    for pid in list(running):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            _say("ended", running.pop(pid), os.waitstatus_to_exitcode(status))


def _say(what: str, number: int, value: int) -> None:
    with suppress(BrokenPipeError):  # who asked is gone; the input will end, too
        os.write(1, f"{what} {number} {value}\n".encode())


def _fork(order: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        _become(order)
        import_module("faults.service").main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - a process that was started by itself would print any of them, too
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _become(order: dict[str, Any]) -> None:
    """Take on a process's own output, environment and words."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for old, new in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(old, new)
    for name in [each for each in os.environ if each.startswith("PARLEY_")]:
        del os.environ[name]
    os.environ.update(order["settings"])
    sys.argv = ["faults.service", *order["words"]]


if __name__ == "__main__":
    main()
