"""Keeping a session open: bind, use, and bind again whenever it is over."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime
from random import Random
from typing import Protocol

from adapters.smpp.pdu import Pdu, Status
from adapters.smpp.session import Bind, BindRefused, Mode, NotConnected, Session

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds before connecting again: doubling, of which a random part is waited (full jitter)."""

REFUSED_PAUSE = 60.0
"""After credentials were refused: asking more often would only lock the account."""

ALREADY_BOUND_PAUSE = 10.0
"""While the SMSC holds on to an earlier session of ours: until it misses that one's answers."""

LEAVE_WITHIN = 5.0
"""Seconds for taking leave of an SMSC: far less than the lease lasts under which the connection is kept."""

CREDENTIALS = frozenset({Status.BIND_FAILED, Status.INVALID_PASSWORD, Status.INVALID_SYSTEM_ID})


class Watcher(Protocol):
    """Who is told of what happens to a session."""

    def bound(self, mode: Mode) -> None:
        """It is bound now: said before anything else of it."""

    async def delivered(self, pdus: Sequence[Pdu]) -> Sequence[int]:
        """The SMSC delivered these; the statuses to answer, once they are durable."""

    def late(self, sequence: int, answer: Pdu) -> None:
        """An answer came after its request was given up."""

    def ended(self, mode: Mode, proven_at: datetime) -> None:
        """It is over, and not because we left. What was answered after that moment may not have arrived."""

    def now(self) -> datetime:
        """The time."""


def pause(random: Random, failures: int) -> float:
    """Seconds to wait after so many failures in a row."""
    return random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures, 10)))


class Keeper:
    """One session that is to stay open. Only to be used on the event loop, but for `state`."""

    def __init__(self, name: str, bind: Bind, watcher: Watcher, random: Random) -> None:
        self._name = name  # for the log
        self._bind = bind
        self._watcher = watcher
        self._random = random
        self._failures = 0
        self._words = "connecting"
        self._again_at: float | None = None
        self._announced = False
        self._loop = asyncio.get_running_loop()
        self.session: Session | None = None
        self._task = self._loop.create_task(self._keep())

    @property
    def mode(self) -> Mode:
        """What its session is for."""
        return self._bind.mode

    @property
    def state(self) -> str:
        """How it stands, in words for people."""
        if self._again_at is None:
            return self._words
        return f"reconnecting in {max(0.0, self._again_at - self._loop.time()):.0f} s: {self._words}"

    async def stop(self) -> None:
        """Leave cleanly."""
        session, self.session = self.session, None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._again_at, self._words = None, "closed"
        if session is not None:
            try:
                async with asyncio.timeout(LEAVE_WITHIN):
                    await session.close()
            except TimeoutError:
                session.abort()

    async def _keep(self) -> None:
        while True:
            self._words = "connecting"
            try:
                seconds = await self._once()
            except Exception as error:  # a bug of ours: whatever it is, the connection is still wanted
                log.exception("%s: failed", self._name)
                self.session, self._words, seconds = None, f"failed: {type(error).__name__}", self._pause()
            self._again_at = self._loop.time() + seconds
            log.warning("%s: %s", self._name, self.state)
            await asyncio.sleep(seconds)
            self._again_at = None

    async def _once(self) -> float:
        """Bind, and return when it is over or could not be: how long to wait before the next time."""
        self._announced = False
        try:
            session = await Session.open(self._bind, self._delivered, self._watcher.now)
        except NotConnected as error:
            self._words = str(error)
            return self._pause()
        except BindRefused as error:
            self._words = refusal_words(error.status)
            return self._refused_pause(error.status)
        except ValueError as error:  # what `SmppProvider.check` would have said
            self._words = str(error)
            return REFUSED_PAUSE
        self._announce()
        session.late = self._watcher.late
        since = self._loop.time()
        self.session, self._words = session, "bound"
        log.info("%s: bound", self._name)
        self._words = await session.over()
        self.session = None
        self._watcher.ended(self._bind.mode, session.proven_at)
        if self._loop.time() - since > LONGEST_PAUSE:
            self._failures = 0
        return self._pause()

    async def _delivered(self, pdus: Sequence[Pdu]) -> Sequence[int]:
        self._announce()  # SMSCs deliver on the heels of the bind's answer, before `open` returns
        return await self._watcher.delivered(pdus)

    def _announce(self) -> None:
        if not self._announced:
            self._announced = True
            self._watcher.bound(self._bind.mode)

    def _refused_pause(self, status: int) -> float:
        if status in CREDENTIALS:
            return REFUSED_PAUSE
        return ALREADY_BOUND_PAUSE if status == Status.ALREADY_BOUND else self._pause()

    def _pause(self) -> float:
        self._failures += 1
        return pause(self._random, self._failures - 1)


def refusal_words(status: int) -> str:
    """Why an SMSC refused a bind, in words for people."""
    return f"{_REFUSALS.get(status, 'the SMSC refused the bind')} (0x{status:08X})"


_REFUSALS = {
    int(Status.BIND_FAILED): "the SMSC refused the bind: check user, password and system_type",
    int(Status.INVALID_PASSWORD): "the SMSC refused the password",
    int(Status.INVALID_SYSTEM_ID): "the SMSC does not know the user",
    int(Status.ALREADY_BOUND): "the SMSC says that the user is bound already, as often as it may",
}
