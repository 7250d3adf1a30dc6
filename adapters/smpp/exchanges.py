"""The requests that a session has under way: each is answered, or given up after a while."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from adapters.smpp.pdu import Command, Pdu, Status

LAST_SEQUENCE = 0x7FFFFFFF  # SMPP 3.4, 3.2
REMEMBERED = 1000  # requests given up whose answer may still come


class SessionError(Exception):
    """Why a session, or one request on it, came to nothing."""


class NotSent(SessionError):
    """This request surely never left."""


class Unanswered(SessionError):
    """It was written, wholly or in part, and no answer came: nobody knows what the SMSC did with it."""

    def __init__(self, message: str, sequence: int) -> None:
        super().__init__(message)
        self.sequence = sequence  # as `Session.late` will name it, should the answer still come


class Refused(SessionError):
    """The SMSC answered with an error status, or with generic_nack."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the SMSC answered with status 0x{status:08X}{_name(status)}")
        self.status = status


@dataclass(eq=False, slots=True)
class Exchange:
    """A request, and the answer that is waited for."""

    sequence: int
    command: int
    frame: bytes
    write_by: float | None  # by the loop's clock
    answer: asyncio.Future[Pdu]
    give_up_at: float = 0.0


class Exchanges:
    """Matches answers to requests by their sequence, in whatever order they come."""

    def __init__(self, timeout: float, late: Callable[[int, Pdu], None]) -> None:
        self._timeout = timeout
        self._late = late
        self._loop = asyncio.get_running_loop()
        self._under_way: dict[int, Exchange] = {}  # in the order of writing: so is when to give them up
        self._given_up: dict[int, int] = {}  # sequence and command of the last few, oldest first
        self._timer: asyncio.TimerHandle | None = None
        self._last = 0

    def __len__(self) -> int:
        """How many are under way."""
        return len(self._under_way)

    def next_sequence(self) -> int:
        """From 1 to 0x7FFFFFFF, then again from 1."""
        self._last = self._last % LAST_SEQUENCE + 1
        return self._last

    def begin(self, exchange: Exchange) -> None:
        """It is being written now."""
        exchange.give_up_at = self._loop.time() + self._timeout
        self._given_up.pop(exchange.sequence, None)  # the numbers have come round
        self._under_way[exchange.sequence] = exchange
        self._set_timer()

    def end(self, response: Pdu) -> None:
        """An answer came. One that fits nothing is ignored: SMSCs make them up."""
        exchange = self._under_way.get(response.sequence)
        if exchange is None:
            command = self._given_up.get(response.sequence)
            if command is not None and _answers(response, command):
                del self._given_up[response.sequence]
                self._late(response.sequence, response)
        elif _answers(response, exchange.command):
            del self._under_way[response.sequence]
            if exchange.answer.done():  # who asked has gone away meanwhile
                self._late(response.sequence, response)
            elif response.status == Status.OK and response.command != Command.GENERIC_NACK:
                exchange.answer.set_result(response)
            else:
                exchange.answer.set_exception(Refused(response.status))

    def give_up(self, reason: str) -> None:
        """Give up all: no answer will be taken any more."""
        if self._timer is not None:
            self._timer.cancel()
        while self._under_way:
            self._give_up_oldest(reason)
        self._given_up.clear()

    def _set_timer(self) -> None:
        if self._timer is None and self._under_way:
            oldest = next(iter(self._under_way.values()))
            self._timer = self._loop.call_at(oldest.give_up_at, self._give_up_overdue)

    def _give_up_overdue(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self._under_way and next(iter(self._under_way.values())).give_up_at <= now:
            self._give_up_oldest(f"no answer in {self._timeout:g} s")
        self._set_timer()

    def _give_up_oldest(self, reason: str) -> None:
        sequence = next(iter(self._under_way))
        exchange = self._under_way.pop(sequence)
        if len(self._given_up) == REMEMBERED:
            del self._given_up[next(iter(self._given_up))]
        self._given_up[sequence] = exchange.command
        if not exchange.answer.done():
            exchange.answer.set_exception(Unanswered(reason, sequence))


def _answers(response: Pdu, command: int) -> bool:
    return response.command in {command | Command.GENERIC_NACK, Command.GENERIC_NACK}


def _name(status: int) -> str:
    try:
        return f" ({Status(status).name})"
    except ValueError:
        return ""
