"""The whole platform in one thread: every worker stepped in turn until nothing is left to do.

With a clock that only moves when told, a day passes in a second and always the same way: the demo's
past day and the simulations of the tests run so.
"""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from datetime import datetime, timedelta
from typing import ParamSpec, TypeVar

from domain.facts import Fact
from workers.service import makers
from workers.wiring import Platform
from workers.worker import Worker

P = ParamSpec("P")
R = TypeVar("R")

MOST_ROUNDS = 1000
"""Of steps without time passing: more would mean that workers keep each other busy for ever."""


class InlineExecutor(Executor):
    """Runs what is submitted at once, in the caller's thread."""

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        future: Future[R] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - as a pool does: it comes out where the result is asked for
            future.set_exception(error)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002
        return


class SteppedClock:
    """A clock that stands still until it is moved."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        return self._now

    def move_to(self, moment: datetime) -> None:
        """Move on to a moment, never back."""
        self._now = max(self._now, moment)

    def move(self, by: timedelta) -> None:
        """Move on."""
        self._now += by


class InlineRun:
    """Steps a platform's workers in turn."""

    def __init__(self, platform: Platform, clock: SteppedClock) -> None:
        self.platform = platform
        self.clock = clock
        self._workers: list[Worker] = [make() for make in makers(platform, grouped=False)]

    def settle(self) -> None:
        """Step every worker until none has anything left to do at this moment."""
        for _ in range(MOST_ROUNDS):
            busy = [worker.step() for worker in self._workers]
            if not any(busy):
                return
        raise RuntimeError("the workers do not come to rest")

    def accept(self, *facts: Fact) -> None:
        """Let facts come in, and all that follows from them."""
        self.platform.ingress.accept(facts)
        self.settle()

    def pass_time(self, by: timedelta, every: timedelta = timedelta(seconds=30)) -> None:
        """Let time pass in steps, with all that falls due on the way."""
        until = self.clock.now() + by
        while self.clock.now() < until:
            self.clock.move_to(min(until, self.clock.now() + every))
            self.settle()
