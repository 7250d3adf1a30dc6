"""The supervisor: runs each worker as a thread, restarts one that fails, stops them all cleanly."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from domain.errors import Unavailable
from workers.worker import Worker

log = logging.getLogger(__name__)

IDLE_WAIT = 0.5
"""Seconds between looks when nothing wakes a worker: what other processes do is seen by then."""

FIRST_BACK_OFF = 0.1
LONGEST_BACK_OFF = 30.0
LONGEST_WHILE_AWAY = 1.0
"""Seconds, when all that is wrong is that a database or a broker is away: it may be back any moment."""


@dataclass
class Running:
    """How a worker is."""

    name: str
    failures: int = 0  # in a row
    problem: str = ""
    stepped_at: float = 0.0  # on the monotonic clock


class Supervisor:
    """Runs workers until told to stop. A worker that raises is made anew after a pause that doubles."""

    def __init__(self, makers: Sequence[Callable[[], Worker]]) -> None:
        self._makers = makers
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self.running: list[Running] = []

    def start(self) -> None:
        """Start every worker."""
        for make in self._makers:
            worker = make()
            state = Running(worker.name, stepped_at=time.monotonic())
            self.running.append(state)
            thread = threading.Thread(
                target=self._run, args=(make, worker, state), name=worker.name, daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def stop(self, timeout: float) -> list[str]:
        """Let every worker finish its step; the names of those that did not within `timeout` seconds."""
        self._stopping.set()
        until = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return [thread.name for thread in self._threads if thread.is_alive()]

    def _run(self, make: Callable[[], Worker], first: Worker, state: Running) -> None:
        worker: Worker | None = first
        while not self._stopping.is_set():
            try:
                worker = worker or make()
                busy = worker.step()
                state.failures, state.problem, state.stepped_at = 0, "", time.monotonic()
                if not busy and not self._stopping.is_set():
                    worker.wait(IDLE_WAIT)
                    self._stopping.wait(max(0.0, state.stepped_at + worker.pace - time.monotonic()))
            except Exception as error:  # whatever it was, the worker starts again from what is stored
                away = isinstance(error, Unavailable)
                longest = LONGEST_WHILE_AWAY if away else LONGEST_BACK_OFF
                pause = min(longest, FIRST_BACK_OFF * 2 ** min(state.failures, 20))
                state.failures += 1
                state.problem = f"{type(error).__name__}: {error}"
                log.log(
                    logging.WARNING if away else logging.ERROR,
                    "%s failed; it starts again in %.1f s: %s",
                    state.name,
                    pause,
                    state.problem,
                    exc_info=not away,
                )
                worker = None
                self._stopping.wait(pause)
