"""Bare SMPP sessions beside the codec alone: nothing is kept, nothing is decided."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

from adapters.smpp.pdu import Command, Pdu, decode, encode
from adapters.smpp.session import Bind, Session
from bench.profiles import profile
from bench.smpp_smsc import SendingSmsc
from bench.texts import made_up

TEXT = "We open at nine, and close at five. See you then!"
CODED = 20_000
COUNTS = {1: 3_000, 10: 10_000, 100: 20_000}  # messages by window
ROUNDS = 2  # of which the quicker counts: what else the machine does only makes things slower
PROFILED = 5_000


class Listening(Protocol):
    """An SMSC to bind to."""

    host: str
    port: int
    system_id: str
    password: str


class Rate(NamedTuple):
    """Messages a second, and the microseconds of processor time that each took this process."""

    per_second: float
    cpu: float


_COMMON: dict[str, str | int | bytes] = {
    "source_addr_ton": 1,
    "source_addr_npi": 1,
    "source_addr": "15005550006",
    "dest_addr_ton": 1,
    "dest_addr_npi": 1,
    "destination_addr": "12025550000",
    "short_message": TEXT.encode("ascii"),
}
SUBMIT = Pdu(Command.SUBMIT_SM, 1, fields={**_COMMON, "validity_period": "000001000000000R"})
DELIVERY = Pdu(Command.DELIVER_SM, 1, fields=_COMMON)


def code_submits() -> float:
    """Messages a second whose submit_sm is written, and whose response is read."""
    answer = encode(SUBMIT.reply(message_id="1234567"))
    return max(_per_second(lambda: (encode(SUBMIT), decode(answer))) for _ in range(ROUNDS))


def code_deliveries() -> float:
    """Messages a second whose deliver_sm is read, and whose response is written."""
    frame = encode(DELIVERY)
    return max(_per_second(lambda: encode(decode(frame).reply())) for _ in range(ROUNDS))


def submit(smsc: Listening, window: int) -> Rate:
    """What one session submits, with so many requests unanswered at once."""
    return best(asyncio.run(_submit(bind_of(smsc, window), COUNTS[window])) for _ in range(ROUNDS))


def profile_submits(smsc: Listening) -> tuple[str, ...]:
    """Why it does not submit more."""
    return profile(lambda: asyncio.run(_submit(bind_of(smsc, max(COUNTS)), PROFILED)))


def acknowledge(smsc: SendingSmsc, window: int) -> Rate:
    """What one session acknowledges without keeping it, so many being unacknowledged at once."""
    return best(asyncio.run(_acknowledge(smsc, window)) for _ in range(ROUNDS))


def best(rounds: Iterable[Rate]) -> Rate:
    """The quickest of some rounds."""
    return max(rounds)


def bind_of(smsc: Listening, window: int) -> Bind:
    """How to bind to an SMSC."""
    return Bind(smsc.host, smsc.port, smsc.system_id, smsc.password, window=window)


def _per_second(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    for _ in range(CODED):
        work()
    return CODED / (time.perf_counter() - began)


async def _submit(bind: Bind, count: int) -> Rate:
    session = await Session.open(bind, _take)
    numbers = iter(range(count))

    async def one_after_the_other() -> None:
        for _ in numbers:
            await session.request(SUBMIT)

    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(one_after_the_other() for _ in range(bind.window)))
    rate = Rate(count / (time.perf_counter() - began), 1e6 * (time.process_time() - cpu) / count)
    await session.close()
    return rate


async def _acknowledge(smsc: SendingSmsc, window: int) -> Rate:
    session = await Session.open(bind_of(smsc, window), _take)
    count = COUNTS[window]
    texts = made_up(count, "bare")
    cpu = time.process_time()
    smsc.pour(texts, window)
    seconds = await asyncio.to_thread(smsc.poured)
    rate = Rate(count / seconds, 1e6 * (time.process_time() - cpu) / count)
    await session.close()
    return rate


async def _take(pdus: Sequence[Pdu]) -> Sequence[int]:
    return [0] * len(pdus)
