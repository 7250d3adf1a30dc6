"""Waiting for what must come to be."""

import threading
import time
from collections.abc import Callable

from tests.contracts.log_contract import PATIENCE

_TICK = threading.Event()


def _tick() -> object:
    return _TICK.wait(0.01)


def until(
    condition: Callable[[], bool], turn: Callable[[], object] = _tick, *, patience: float = PATIENCE
) -> None:
    """Take turns until the condition holds; fail after `patience` seconds."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "it never came to be"
        turn()
