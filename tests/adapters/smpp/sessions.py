"""What the tests of a session share: a loop, a bind to the SMSC of our own, and what it delivers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import wraps
from typing import Any

from adapters.smpp.pdu import Command, Pdu
from adapters.smpp.session import Bind, Session
from tests.fakes.smsc import Smsc

PATIENCE = 20  # seconds that a test may take
CUSTOMER, OURS = "447700900123", "15005550006"


def on_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test on an event loop of its own, in bounded time."""

    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), PATIENCE))

    return run


class Inbox:
    """Takes deliveries, once its gate is open, and answers each with `status`."""

    def __init__(self) -> None:
        self.batches: list[Sequence[Pdu]] = []
        self.status = 0
        self.gate = asyncio.Event()
        self.gate.set()

    @property
    def pdus(self) -> list[Pdu]:
        return [pdu for batch in self.batches for pdu in batch]

    async def __call__(self, pdus: Sequence[Pdu]) -> Sequence[int]:
        self.batches.append(pdus)
        await self.gate.wait()
        return [self.status] * len(pdus)


def bind_to(smsc: Smsc, **settings: Any) -> Bind:
    return replace(Bind(smsc.host, smsc.port, smsc.system_id, smsc.password), **settings)


@asynccontextmanager
async def bound(
    smsc: Smsc, deliver: Callable[[Sequence[Pdu]], Awaitable[Sequence[int]]] | None = None, **settings: Any
) -> AsyncIterator[Session]:
    """A session, dropped in the end if it is not over by then."""
    session = await Session.open(bind_to(smsc, **settings), deliver or Inbox())
    try:
        yield session
    finally:
        session.abort()
        await until(lambda: len(asyncio.all_tasks()) <= 2, smsc)  # this test, and its deadline


def impatient(session: Session) -> None:
    """Wait for answers for 20 ms only, from now on: a bind may take longer on a machine that is busy."""
    exchanges = session._exchanges
    exchanges._timeout = 0.02
    if exchanges._timer is not None:  # it was set for the bind
        exchanges._timer.cancel()
        exchanges._timer = None


def suspicious(session: Session) -> None:
    """Wait for 20 ms only, from now on, for an answer to enquire_link and in closing."""
    session._bind = replace(session._bind, response_timeout=0.02)


def reads(session: Session) -> bool:
    """Whether it takes octets from the connection at present."""
    transport = session._writer.transport
    assert isinstance(transport, asyncio.Transport)
    return transport.is_reading()


def submit(text: str = "Hello") -> Pdu:
    return Pdu(
        Command.SUBMIT_SM,
        0,
        fields={"source_addr": OURS, "destination_addr": CUSTOMER, "short_message": text.encode()},
    )


async def submit_all(session: Session, *texts: str) -> list[Pdu | BaseException]:
    """Submit them at once; what became of each."""
    return await asyncio.gather(*(session.request(submit(each)) for each in texts), return_exceptions=True)


async def until(condition: Callable[[], bool], smsc: Smsc) -> None:
    """Wait for something that the loop or the SMSC is doing, for 10 seconds at most."""
    deadline = asyncio.get_running_loop().time() + 10
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, (
            f"it never came to be; the SMSC got {smsc.received}"
        )
        await asyncio.sleep(0.001)
