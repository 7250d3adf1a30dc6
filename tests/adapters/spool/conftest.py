"""A spool in a folder, before a log that is away when it is told to be."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adapters.spool import Spool, SpooledLog
from tests.fakes.clock import FakeClock
from tests.fakes.log import MoodyLog

PLENTY = 1 << 30
LIMIT = 500


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def open_spool(folder: Path, clock: FakeClock) -> Iterator[Callable[..., Spool]]:
    """Opens the folder as one more process would."""
    opened: list[Spool] = []

    def open_one(limit_bytes: int = PLENTY) -> Spool:
        opened.append(Spool(folder, clock, limit_bytes=limit_bytes))
        return opened[-1]

    yield open_one
    for each in opened:
        each.close()


@pytest.fixture
def spool(open_spool: Callable[..., Spool]) -> Spool:
    return open_spool()


@pytest.fixture
def log() -> MoodyLog:
    return MoodyLog()


@pytest.fixture
def notices() -> list[int]:
    return []


@pytest.fixture
def spooled(log: MoodyLog, spool: Spool, notices: list[int]) -> SpooledLog:
    return SpooledLog(log, spool, lambda: notices.append(1))


def drain(spooled: SpooledLog) -> None:
    while spooled.drain(LIMIT):
        pass


def left_by(spool: Spool) -> list[str]:
    """What a spool holds, taken out of it."""
    log = MoodyLog()
    drain(SpooledLog(log, spool, lambda: None))
    return log.values
