"""The supervisor: runs, restarts, stops."""

import threading
import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from domain.errors import StoreUnavailable
from workers import supervisor as supervising
from workers.supervisor import Supervisor

SOON = 10.0  # seconds until which what is waited for has happened


class Scripted:
    """A worker that does what its script says at each step, then has nothing to do."""

    name = "scripted"
    pace = 0.0

    def __init__(self, script: list[Callable[[], bool]]) -> None:
        self._script = script
        self._nap = threading.Event()

    def step(self) -> bool:
        return self._script.pop(0)() if self._script else False

    def wait(self, timeout: float) -> None:
        self._nap.wait(min(timeout, 0.005))


def busy(act: Callable[[], None]) -> bool:
    act()
    return True


def fail() -> bool:
    raise RuntimeError("it does not work")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervising, "FIRST_BACK_OFF", 0.001)


def test_a_worker_that_raises_is_made_anew_and_goes_on() -> None:
    done, made = threading.Event(), []
    script: list[Callable[[], bool]] = [fail, fail, lambda: busy(done.set)]

    def make() -> Scripted:
        made.append(Scripted(script))
        return made[-1]

    running = Supervisor([make])
    running.start()
    assert done.wait(SOON)
    assert running.stop(SOON) == []
    assert len(made) == 3
    assert (running.running[0].failures, running.running[0].problem) == (0, "")


def test_one_that_cannot_even_be_made_is_tried_again() -> None:
    done, tries = threading.Event(), []

    def make() -> Scripted:
        tries.append(1)
        if len(tries) == 2:
            raise OSError("the disk is away")
        return Scripted([fail] if len(tries) == 1 else [lambda: busy(done.set)])

    running = Supervisor([make])
    running.start()
    assert done.wait(SOON)
    assert running.stop(SOON) == []
    assert len(tries) == 3


def test_it_tells_what_is_wrong_as_long_as_it_is() -> None:
    failed = threading.Event()

    def fail_and_tell() -> bool:
        if running.running and running.running[0].failures >= 2:
            failed.set()
        return fail()

    running = Supervisor([lambda: Scripted([fail_and_tell] * 1000)])
    running.start()
    assert failed.wait(SOON)
    assert running.running[0].problem == "RuntimeError: it does not work"
    running.stop(SOON)


def test_one_that_fails_does_not_stop_the_others() -> None:
    steps = threading.Semaphore(0)
    script = [lambda: busy(steps.release)] * 5
    running = Supervisor([lambda: Scripted([fail] * 1000), lambda: Scripted(script)])
    running.start()
    assert all(steps.acquire(timeout=SOON) for _ in range(5))
    assert running.stop(SOON) == []


@pytest.mark.parametrize(
    ("error", "longest"),
    [
        (RuntimeError("it does not work"), supervising.LONGEST_BACK_OFF),
        (StoreUnavailable("the database is away"), supervising.LONGEST_WHILE_AWAY),
    ],
)
def test_the_pause_doubles_up_to_a_limit(
    monkeypatch: pytest.MonkeyPatch, error: Exception, longest: float
) -> None:
    pauses: list[float] = []

    def fail() -> bool:
        raise error

    running = Supervisor([])

    class Stopping(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout or 0)
            if len(pauses) == 2000:
                self.set()
            return True

    monkeypatch.setattr(running, "_stopping", Stopping())
    monkeypatch.setattr(supervising, "FIRST_BACK_OFF", 0.1)
    monkeypatch.setattr(supervising.log, "log", lambda *_, **__: None)
    worker = Scripted([fail] * 3000)
    running._run(lambda: worker, worker, supervising.Running("scripted"))
    assert pauses[:4] == [0.1, 0.2, 0.4, 0.8]
    assert set(pauses[9:]) == {longest}


def test_a_stop_lets_a_step_finish_and_names_who_did_not() -> None:
    begun, go_on, finished = threading.Event(), threading.Event(), threading.Event()

    def long_step() -> bool:
        begun.set()
        go_on.wait(SOON)
        finished.set()
        return True

    running = Supervisor([lambda: Scripted([long_step])])
    running.start()
    assert begun.wait(SOON)
    assert running.stop(0.01) == ["scripted"]
    go_on.set()
    assert running.stop(SOON) == []
    assert finished.is_set()


def test_a_worker_that_finds_nothing_looks_again_at_its_own_pace() -> None:
    looks: list[float] = []

    class Eager:
        name = "eager"
        pace = 0.05

        def step(self) -> bool:
            looks.append(time.monotonic())
            if len(looks) == 4:
                enough.set()
            return False

        def wait(self, timeout: float) -> None:
            return  # something happens all the time

    enough = threading.Event()
    supervisor = Supervisor([Eager])
    supervisor.start()
    assert enough.wait(SOON)
    assert supervisor.stop(5) == []
    assert all(later - earlier > 0.049 for earlier, later in pairwise(looks))
