"""What may stand in the sending threads' place: pools that do not send when they should."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any


class LostPool(Executor):
    """Never runs anything: as if the process had stopped right after the intent was recorded."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return Future()


class HeldPool(Executor):
    """Runs what was submitted only when told."""

    def __init__(self) -> None:
        self._held: list[Callable[[], None]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self._held.append(lambda: future.set_result(fn(*args, **kwargs)))
        return future

    def let_go(self) -> None:
        """Run all that is held."""
        held, self._held = self._held, []
        for run in held:
            run()
