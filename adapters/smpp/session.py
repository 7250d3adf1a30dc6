"""One bind to an SMSC: SMPP 3.4 over one connection, on asyncio.

    session = await Session.open(bind, deliver)
    response = await session.request(Pdu(Command.SUBMIT_SM, 0, fields=…))
    await session.close()

Nothing is retried and nothing is kept here: every request ends with its answer or with a SessionError that
says what is known of it. One task reads, one writes, one hands over what the SMSC delivers, one asks whether
it is still there.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from adapters.smpp.bind import Bind, BindRefused, Mode, NotConnected, bind_request, connect
from adapters.smpp.exchanges import Exchange, Exchanges, NotSent, Refused, SessionError, Unanswered
from adapters.smpp.pdu import BadPdu, Command, Pdu, Status, decode, encode, frame_length
from adapters.smpp.window import Window

__all__ = [
    "Bind",
    "BindRefused",
    "Deliver",
    "Mode",
    "NotConnected",
    "NotSent",
    "Refused",
    "Session",
    "SessionError",
    "Unanswered",
]

BATCH = 200  # deliveries handed over together, at most
BACKLOG = 1000  # deliveries, or answers of ours, that may wait before we stop reading
CHUNK = 64 * 1024  # octets read or written at once

Deliver = Callable[[Sequence[Pdu]], Awaitable[Sequence[int]]]
"""Makes deliver_sm and data_sm durable; returns, only then, the status to answer each with."""

Now = Callable[[], datetime]
"""The time by the clock that accepted texts are dated by."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Session:
    """A bind that stands. All of it belongs to the event loop that opened it.

    `late` may be set to hear of answers that came after their request was given up.
    """

    late: Callable[[int, Pdu], None] | None = None
    proven_at: datetime  # up to then, all that was answered has surely arrived

    @classmethod
    async def open(cls, bind: Bind, deliver: Deliver, now: Now = _utc_now) -> "Session":
        """Connect and bind.

        `deliver` gets what came meanwhile together, at most 200 at a time; when it raises, none of them is
        answered and the session is over. Raises NotConnected, BindRefused, and ValueError when a field of the
        bind does not fit.
        """
        request = bind_request(bind)
        encode(request)  # what does not fit is known before anyone is connected to
        session = cls(bind, deliver, *await connect(bind), now)
        try:
            await session._ask(request)
        except Refused as refused:
            session._end("the bind was refused")
            raise BindRefused(refused.status) from None
        except SessionError as error:
            session._end("the bind was not answered")
            raise NotConnected(f"{bind.host}:{bind.port} did not answer the bind: {error}") from error
        except asyncio.CancelledError:
            session._end("it was not wanted any more")
            raise
        session._start(session._enquire())
        return session

    def __init__(
        self,
        bind: Bind,
        deliver: Deliver,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        now: Now,
    ) -> None:
        """Use `open`."""
        self._bind, self._deliver = bind, deliver
        self._now, self.proven_at = now, now()
        self._reader, self._writer = reader, writer
        # The transport gets no more while it could not pass all of it on to the kernel. So what is still in
        # our own queue surely never left, and memory does not grow when the SMSC stops reading.
        writer.transport.set_write_buffer_limits(high=1, low=0)
        self._window = Window(bind.window)
        self._exchanges = Exchanges(bind.response_timeout, self._came_late)
        self._outgoing: deque[Exchange | bytes] = deque()
        self._arrived: deque[Pdu] = deque()  # deliveries not answered yet, oldest first
        self._wake_writer, self._wake_deliverer = asyncio.Event(), asyncio.Event()
        self._less = asyncio.Event()  # something that was waited for has become less
        self._over = asyncio.Event()
        self._reason = ""
        self._leaving = ""  # why, as soon as either side wants to end it
        self._tasks: set[asyncio.Task[None]] = set()
        for work in (self._read(), self._write(), self._hand_over()):
            self._start(work)

    @property
    def window(self) -> int:
        """How many requests may be unanswered at once, at present."""
        return self._window.width

    async def request(self, pdu: Pdu, *, write_by: float | None = None) -> Pdu:
        """Wait for room in the window, write the request, and wait for its answer. It gets a sequence here.

        After `write_by` (by the loop's clock) it is not written any more. When this is cancelled and it was
        written, its answer goes to `late`. Raises NotSent, Unanswered, Refused, and ValueError when a field
        does not fit.
        """
        try:
            async with asyncio.timeout_at(write_by):
                entered = await self._window.enter()
        except TimeoutError:
            raise NotSent("there was no room in the window in time") from None
        if not entered:
            raise NotSent(self._reason or "the session is ending")
        try:
            response = await self._ask(pdu, write_by)
        except Refused as refused:
            if refused.status in {Status.THROTTLED, Status.QUEUE_FULL}:
                self._window.halve()
            raise
        finally:
            self._window.leave()
        self._window.answered_well()
        return response

    async def over(self) -> str:
        """Wait until the session is over; why it is, for people."""
        await self._over.wait()
        return self._reason

    async def close(self) -> None:
        """Start nothing new, wait for what is under way, unbind. Takes two response timeouts at most.

        Once the SMSC has answered the unbind, it surely has the answer to every delivery that was kept.
        """
        await self._settle("closed")
        with suppress(SessionError, TimeoutError):
            async with asyncio.timeout(self._bind.response_timeout):
                await self._ask(Pdu(Command.UNBIND, 0))
        self._end(self._leaving)

    def abort(self) -> None:
        """Drop the connection now. What is under way is Unanswered."""
        self._end("aborted")

    # ── requests of ours ───────────────────────────────────────────────────────────────────────

    async def _ask(self, pdu: Pdu, write_by: float | None = None) -> Pdu:
        sequence = self._exchanges.next_sequence()
        frame = encode(replace(pdu, sequence=sequence))
        answer: asyncio.Future[Pdu] = asyncio.get_running_loop().create_future()
        self._put(Exchange(sequence, pdu.command, frame, write_by, answer))
        return await answer

    def _put(self, item: Exchange | bytes) -> None:
        if not self._over.is_set():
            self._outgoing.append(item)
            self._wake_writer.set()
        elif isinstance(item, Exchange):
            item.answer.set_exception(NotSent(self._reason))

    def _came_late(self, sequence: int, response: Pdu) -> None:
        if self.late is not None:
            self.late(sequence, response)

    async def _enquire(self) -> None:
        while True:
            await asyncio.sleep(self._bind.enquire_every)
            asked_at = self._now()
            try:
                async with asyncio.timeout(self._bind.response_timeout):
                    with suppress(Refused):  # it is there
                        await self._ask(Pdu(Command.ENQUIRE_LINK, 0))
                self.proven_at = asked_at  # it has read what was written before
            except (TimeoutError, SessionError):
                self._end(f"the SMSC did not answer enquire_link in {self._bind.response_timeout:g} s")
                return

    # ── writing ────────────────────────────────────────────────────────────────────────────────

    async def _write(self) -> None:
        while True:
            await self._wake_writer.wait()
            self._wake_writer.clear()
            while self._outgoing:
                self._writer.write(self._next_chunk())
                self._less.set()
                await self._writer.drain()
            self._less.set()

    def _next_chunk(self) -> bytes:
        """Take as much from the queue as goes at once; what must not be written any more is not."""
        now, frames, length = asyncio.get_running_loop().time(), [], 0
        while self._outgoing and length < CHUNK:
            item = self._outgoing.popleft()
            if isinstance(item, Exchange):
                if item.answer.done():  # cancelled
                    continue
                if item.write_by is not None and item.write_by <= now:
                    item.answer.set_exception(NotSent("it could not be written in time"))
                    continue
                self._exchanges.begin(item)
                item = item.frame
            frames.append(item)
            length += len(item)
        return b"".join(frames)

    # ── reading ────────────────────────────────────────────────────────────────────────────────

    async def _read(self) -> None:
        unread = bytearray()
        try:
            while chunk := await self._reader.read(CHUNK):
                unread += chunk
                for frame in _frames(unread):
                    self._take(frame)
                self._less.set()
                await self._until(self._has_room)
            self._end(self._leaving or "the SMSC closed the connection")
        except BadPdu as bad:  # where the next one begins cannot be known any more
            self._put(_nack(bad))
            await self._leave(f"the SMSC sent what is no SMPP: {bad}")

    def _has_room(self) -> bool:
        """Whether more may be read: neither deliveries nor answers of ours (besides our requests) pile up."""
        return len(self._arrived) < BACKLOG and len(self._outgoing) < BACKLOG + self._bind.window

    def _take(self, frame: bytes) -> None:
        try:
            pdu = decode(frame)
        except BadPdu as bad:
            if bad.fatal:
                raise
            if not frame[4] & 0x80:  # a response is not answered, however bad
                self._put(_nack(bad))
            return
        if pdu.is_response:
            self._exchanges.end(pdu)
        elif pdu.command in {Command.DELIVER_SM, Command.DATA_SM}:
            if not self._leaving:  # else it is not answered, and comes again
                self._arrived.append(pdu)
                self._wake_deliverer.set()
        elif pdu.command == Command.ENQUIRE_LINK:
            self._put(encode(pdu.reply()))
        elif pdu.command == Command.UNBIND:
            self._start(self._unbound(pdu))  # others are read meanwhile
        elif pdu.command not in {Command.ALERT_NOTIFICATION, Command.OUTBIND}:  # these have no response
            self._put(encode(Pdu(Command.GENERIC_NACK, pdu.sequence, Status.INVALID_COMMAND)))

    async def _hand_over(self) -> None:
        while True:
            await self._wake_deliverer.wait()
            self._wake_deliverer.clear()
            while self._arrived:
                batch = list(islice(self._arrived, BATCH))
                try:
                    answers = list(zip(batch, await self._deliver(batch), strict=True))
                except Exception as error:  # noqa: BLE001 - whatever it is, they are not kept, and come again
                    self._end(f"what the SMSC delivered could not be kept: {_words(error)}")
                    return
                for pdu, status in answers:
                    self._arrived.popleft()
                    self._put(encode(pdu.reply(status)))
                self._less.set()

    # ── the end ────────────────────────────────────────────────────────────────────────────────

    async def _settle(self, reason: str) -> None:
        """Start nothing new; wait, for one response timeout at most, until nothing is under way."""
        self._leaving = self._leaving or reason
        self._window.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._bind.response_timeout):
                await self._until(lambda: not (self._outgoing or self._exchanges or self._arrived))

    async def _unbound(self, request: Pdu) -> None:
        await self._settle("the SMSC unbound")
        self._put(encode(request.reply()))
        await self._leave(self._leaving)

    async def _leave(self, reason: str) -> None:
        """End it as soon as all is written."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._bind.response_timeout):
                await self._until(self._has_written)
        self._end(reason)

    def _has_written(self) -> bool:
        return not self._outgoing and not self._writer.transport.get_write_buffer_size()

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not (condition() or self._over.is_set()):
            self._less.clear()
            await self._less.wait()

    def _end(self, reason: str) -> None:
        """Be over, now. Whoever waits is told; only the first reason counts."""
        if self._over.is_set():
            return
        self._reason = reason
        self._over.set()
        self._less.set()
        self._window.close()
        for item in self._outgoing:
            if isinstance(item, Exchange) and not item.answer.done():
                item.answer.set_exception(NotSent(reason))
        self._outgoing.clear()
        self._exchanges.give_up(reason)
        self._writer.transport.abort()
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._end(f"the connection broke: {_words(error)}" if isinstance(error, OSError) else repr(error))


def _frames(unread: bytearray) -> Iterator[bytes]:
    """Cut the PDUs that are whole off its front. Raises BadPdu as soon as a length cannot be."""
    start = 0
    while len(unread) >= start + 4:
        end = start + frame_length(bytes(unread[start : start + 4]))
        if len(unread) < end:
            break
        yield bytes(unread[start:end])
        start = end
    del unread[:start]


def _nack(bad: BadPdu) -> bytes:
    return encode(Pdu(Command.GENERIC_NACK, bad.sequence, bad.status))


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
