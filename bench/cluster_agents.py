"""Agents who write all the time, as a process of its own, while something else is measured.

    python -m bench.cluster_agents FILE --rate 20

FILE holds a platform's settings as JSON. Every conversation in hand gets a text from its agent in turn.
Prints how many texts a second were written, when its standard input ends.
"""

import argparse
import itertools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self
from uuid import UUID

from bench.programs import ROOT
from bench.scene import MOST_ROOM
from domain.commands import Actor
from domain.errors import ParleyError
from projections.desk_queries import DeskQueries
from workers.settings import Settings
from workers.wiring import Platform

THREADS = 4


class Agents:
    """Them, as a process of its own, within a `with`; afterwards `rate` is their texts a second."""

    def __init__(self, settings: Settings, folder: Path, rate: float) -> None:
        file = folder / "settings.json"
        shown = settings.model_dump(mode="json", exclude_defaults=True)
        for name in ("database_url", "master_key", "admin_key"):
            shown[name] = getattr(settings, name).get_secret_value()
        file.write_text(json.dumps(shown), "utf-8")
        self._command = [sys.executable, "-m", "bench.cluster_agents", str(file), "--rate", str(rate)]
        self.rate = 0.0

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None  # noqa: S101 - for mypy
        if not self._process.stdout.readline():
            raise RuntimeError("the agents did not begin to write")
        return self

    def __exit__(self, *exc: object) -> None:
        said, _ = self._process.communicate()
        self.rate = json.loads(said)["rate"]


class _Writers:
    """Threads that take turns through all conversations."""

    def __init__(self, platform: Platform, rate: float) -> None:
        self._platform = platform
        self._turns = itertools.cycle(_in_hand(platform))
        self._lock = threading.Lock()
        self._pause = THREADS / rate
        self.over = threading.Event()
        self.written = 0
        self.failed = 0

    def write(self, thread: int) -> None:
        """Write until it is over."""
        for number in itertools.count():
            with self._lock:
                login, conversation = next(self._turns)
            began = time.monotonic()
            try:
                actor = Actor(login, frozenset({"agent"}))
                self._platform.desk.reply(actor, conversation, "one moment", (), f"{thread}-{number}")
            except ParleyError:
                self.failed += 1
            else:
                self.written += 1
            if self.over.wait(max(0.0, self._pause - (time.monotonic() - began))):
                return


def _in_hand(platform: Platform) -> list[tuple[str, UUID]]:
    def found() -> Iterator[tuple[str, UUID]]:
        desk = DeskQueries(platform.views)
        for agent in desk.agents():
            for conversation in desk.in_hand(agent.login)[0][:MOST_ROOM]:
                yield agent.login, conversation.id

    return list(found())


def main() -> None:
    """Write until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m bench.cluster_agents", description="Agents who write.")
    parser.add_argument("settings", type=Path, help="a platform's settings as JSON")
    parser.add_argument("--rate", type=float, default=20.0, help="texts a second of all together")
    given = parser.parse_args()
    platform = Platform(Settings(**json.loads(given.settings.read_text("utf-8"))), spooling=False)
    writers = _Writers(platform, given.rate)
    threads = [threading.Thread(target=writers.write, args=(number,)) for number in range(THREADS)]
    began = time.monotonic()
    for each in threads:
        each.start()
    print("writing", flush=True)
    sys.stdin.read()
    writers.over.set()
    for each in threads:
        each.join()
    rate = writers.written / (time.monotonic() - began)
    print(json.dumps({"rate": rate, "failed": writers.failed}), flush=True)
    platform.close()


if __name__ == "__main__":
    main()
