"""A process of the platform, started as its command line does, that dies where it is told to.

    python -m faults.service ingest          with FAULTS_ORDER=file FAULTS_HITS=file, or without

The order is a file of one line, `point:count`, that may come at any time: the process kills itself, as
`kill -9` does, when it passes the point for the count-th time from then on.
"""

import functools
import os
import signal
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from faults.points import AFTER, BEFORE, STEPS, Step


class Orders:
    """Looks at each passage whether this is where to die."""

    def __init__(self, order: Path, hits: Path) -> None:
        self._order = order
        self._hits = hits
        self._lock = threading.Lock()
        self._passed: dict[str, int] = {}

    def passing(self, point: str) -> None:
        """Die, if this is the place."""
        try:
            wanted, _, count = self._order.read_text("ascii").strip().rpartition(":")
        except OSError:  # none, as most of the time
            return
        if wanted != point:
            return
        with self._lock:
            passed = self._passed[point] = self._passed.get(point, 0) + 1
            if passed < int(count):
                return
            self._order.unlink(missing_ok=True)
            with self._hits.open("a", encoding="ascii") as hits:
                hits.write(point + "\n")
            os.kill(os.getpid(), signal.SIGKILL)


def wrap(service: str, step: Step, orders: Orders) -> None:
    """Let every call of a step pass its two points."""
    module, _, path = step.method.partition(":")
    class_name, _, method = path.partition(".")
    owner = getattr(import_module(module), class_name)
    setattr(owner, method, _between(getattr(owner, method), f"{service}:{step.name}", orders))


def _between(original: Callable[..., Any], name: str, orders: Orders) -> Callable[..., Any]:
    @functools.wraps(original)
    def called(*args: Any, **kwargs: Any) -> Any:
        orders.passing(f"{name}:{BEFORE}")
        done = original(*args, **kwargs)
        orders.passing(f"{name}:{AFTER}")
        return done

    return called


def main() -> None:
    """Wrap the steps where the service or command named may die, then be `parley` with the same words."""
    service = sys.argv[1]
    order, hits = os.environ.pop("FAULTS_ORDER", ""), os.environ.pop("FAULTS_HITS", "")
    if order:
        for step in STEPS.get(service, ()):
            wrap(service, step, Orders(Path(order), Path(hits)))
    cli = import_module("workers.cli")
    cli.main(args=sys.argv[1:], prog_name="parley")


if __name__ == "__main__":
    main()
