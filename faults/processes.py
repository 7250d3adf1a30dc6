"""The processes of the run: started, watched, killed, frozen, started again, and all ended in the end."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from faults.nursery import Child

ROOT = Path(__file__).parents[1]
STOP_WITHIN = 15.0
LOOK_EVERY = 0.05
BACK_OFF = (0.0, 0.2, 1.0, 2.0)  # seconds before one that ends by itself again and again is started again


Process = subprocess.Popen[bytes] | Child


def python(words: Sequence[str], *, pipe: bool = False) -> Callable[[Path], Process]:
    """How a Python program of our own is started, with none of Parley's settings."""

    def begin(path: Path) -> Process:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
        with path.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, *words],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE if pipe else subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    return begin


class Program:
    """One process; what it prints goes to a file."""

    def __init__(self, name: str, output: Path, begin: Callable[[Path], Process]) -> None:
        self.name = name
        self.output = output
        self.starts = 0
        self._begin = begin
        self._process: Process | None = None

    def start(self) -> None:
        """Start it."""
        self._process = self._begin(self.output)
        self.starts += 1

    def tell(self, command: str) -> None:
        """Give it a command on its standard input."""
        stdin: IO[bytes] | None = self._process.stdin if self._process else None
        if stdin is not None:
            stdin.write(command.encode() + b"\n")
            stdin.flush()

    @property
    def returncode(self) -> int | None:
        """How it ended; None while it runs, and before it was started."""
        return self._process.poll() if self._process else None

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; one that has ended takes none."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def run_to_end(self, within: float) -> int:
        """Start it and wait for its end. Raises TimeoutExpired."""
        self.start()
        return self.wait(within)

    def wait(self, within: float) -> int:
        """Wait for its end. Raises TimeoutExpired, the process killed."""
        if self._process is None:
            return 0
        try:
            return self._process.wait(within)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise

    def end(self) -> None:
        """End it in order, or else at once."""
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        try:
            self.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            return
        finally:
            if self._process is not None and self._process.stdin is not None:
                self._process.stdin.close()


class Keeper:
    """Starts again whatever died, as Kubernetes would. Counts how each came to its end."""

    def __init__(self, programs: Sequence[Program]) -> None:
        self.programs = programs
        self.by_itself: Counter[str] = Counter()  # ends that nobody brought about, by name and code
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True, name="keeper")
        self._again_at: dict[str, float] = {}
        self._in_vain: Counter[str] = Counter()

    def start(self) -> None:
        """Start all, and watch."""
        for program in self.programs:
            program.start()
        self._thread.start()

    def _keep(self) -> None:
        while not self._over.wait(LOOK_EVERY):
            for program in self.programs:
                code = program.returncode
                if code is not None and not self._over.is_set():
                    self._start_again(program, code)

    def _start_again(self, program: Program, code: int) -> None:
        now = time.monotonic()
        if program.name not in self._again_at:
            killed = code == -signal.SIGKILL
            if not killed:
                self.by_itself[f"{program.name} with {code}"] += 1
            self._in_vain[program.name] = 0 if killed else self._in_vain[program.name] + 1
            pause = BACK_OFF[min(self._in_vain[program.name], len(BACK_OFF) - 1)]
            self._again_at[program.name] = now + pause
        if now >= self._again_at[program.name]:
            del self._again_at[program.name]
            program.start()

    def stop(self) -> None:
        """End all."""
        self._over.set()
        self._thread.join(10)
        for program in self.programs:
            program.send(signal.SIGCONT)
            program.send(signal.SIGTERM)
        for program in self.programs:
            program.end()
