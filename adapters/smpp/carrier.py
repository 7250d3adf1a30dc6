"""Sending and receiving for one account by SMPP.

The connections of a carrier are kept by whoever runs it: `connect` and `disconnect`. Where nobody has ever
connected one (an account that is only checked, a test) each send binds for itself and unbinds again. What
customers send meanwhile is answered there as not kept, so that the SMSC keeps it for the standing ones.
"""

import asyncio
import hashlib
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from queue import Empty, SimpleQueue
from random import Random

from adapters.smpp.keeper import CREDENTIALS, refusal_words
from adapters.smpp.loop import loop, run
from adapters.smpp.pdu import Pdu, Status
from adapters.smpp.repeats import Repeats
from adapters.smpp.session import BindRefused, NotConnected, Session
from adapters.smpp.settings import Settings
from adapters.smpp.slot import NOT_KEPT, Slot
from adapters.smpp.submission import Plan, Submission, plan
from domain.addresses import is_phone, is_short_code
from domain.errors import FieldError
from domain.ids import Identities
from domain.ports import Clock
from domain.providers import (
    Account,
    Carrier,
    Deliver,
    Handed,
    Handover,
    Limits,
    Misconfigured,
    NotTaken,
    OutboundMessage,
    Rejected,
    Unknown,
)

LIMITS = Limits(characters=1600, media=0, media_bytes=0)

SEND_WITHIN = 25.0
"""Seconds for all segments of a message, the last one's answer included: less than dispatch waits for it."""

LONGEST = 60.0
"""Seconds after which the event loop must be stuck: everything on it has a shorter limit of its own."""

STUCK = "no outcome: the connections of this process are stuck"


class SmppCarrier(Carrier):
    """Sends and receives for one account. `random` spreads reconnects and makes up numbers."""

    def __init__(self, account: Account, settings: Settings, clock: Clock, random: Random) -> None:
        self.standing = settings.standing
        self._account = account
        self._settings = settings
        self._clock = clock
        self._random = random
        self._repeats = Repeats()
        self._references = count(random.getrandbits(16))
        self._lock = threading.Lock()
        self._slots: dict[int, Slot] = {}
        self._is_kept = False  # somebody keeps connections, or did

    # ── standing connections ───────────────────────────────────────────────────────────────────

    def connect(self, number: int, ids: Identities, deliver: Deliver) -> None:
        with self._lock:
            self._is_kept = True
            self.at_once = self._settings.binds[0].window  # without, each would bind for itself
            if number in self._slots:
                return
            slot = Slot(
                number,
                self._account,
                self._settings,
                ids,
                deliver,
                self._repeats,
                self._clock,
                self._random,
            )
            self._slots[number] = slot
        loop().call_soon_threadsafe(slot.start)

    def disconnect(self, number: int) -> None:
        with self._lock:
            slot = self._slots.pop(number, None)
        if slot is not None:
            run(slot.stop(), LONGEST)

    def ready(self) -> bool:
        return any(slot.session is not None for slot in self._all())

    def connections(self) -> list[str]:
        return [f"connection {slot.number}: {slot.words}" for slot in self._all()]

    def close(self) -> None:
        with self._lock:
            slots, self._slots = self._slots, {}
        if slots:
            run(_stop(slots.values()), LONGEST)

    def _all(self) -> list[Slot]:
        with self._lock:
            return [self._slots[number] for number in sorted(self._slots)]

    # ── sending ────────────────────────────────────────────────────────────────────────────────

    def send(self, message: OutboundMessage) -> Handover:
        planned = self._plan(message)
        try:
            return run(self._send(planned), LONGEST)
        except TimeoutError:
            raise Unknown(STUCK) from None

    def send_all(self, messages: Sequence[OutboundMessage]) -> Iterator[Sequence[Handed]]:
        told: SimpleQueue[Handed] = SimpleQueue()
        sending = asyncio.run_coroutine_threadsafe(self._send_all(messages, told.put), loop())
        missing = {each.message_id: each for each in messages}
        until = time.monotonic() + LONGEST
        while missing:
            try:
                some = [told.get(timeout=max(0.0, until - time.monotonic()))]
            except Empty:
                sending.cancel()
                yield [(each, Unknown(STUCK)) for each in missing.values()]
                return
            while not told.empty():
                some.append(told.get())
            for message, _ in some:
                del missing[message.message_id]
            yield some

    async def _send_all(self, messages: Sequence[OutboundMessage], tell: Callable[[Handed], None]) -> None:
        async def send(message: OutboundMessage) -> None:
            try:
                tell((message, await self._send(self._plan(message))))
            except Exception as error:  # noqa: BLE001 - it is told, like a SendError
                tell((message, error))

        await asyncio.gather(*(send(each) for each in messages))

    def _plan(self, message: OutboundMessage) -> Plan:
        _refuse_unsupported(message)
        try:
            return plan(message, self._settings, next(self._references))
        except ValueError as error:
            raise Rejected(f"no text message can carry it: {error}") from None

    async def _send(self, planned: Plan) -> Handover:
        write_by = self._write_by(planned.message)
        if not self._is_kept:
            async with self._passing_session() as session:
                return await Submission(planned, session, write_by, self._random).run()
        slot = self._slot_for(planned.message.customer_address)
        if slot is None or slot.session is None:
            raise NotTaken(f"no connection is bound: {'; '.join(self.connections())}")
        return await slot.submit(Submission(planned, slot.session, write_by, self._random))

    def _write_by(self, message: OutboundMessage) -> float:
        """Until when, by the loop's clock, segments may be written: later, the answer would come too late."""
        longest = SEND_WITHIN - self._settings.binds[0].response_timeout
        return loop().time() + (longest if message.valid_for is None else min(longest, message.valid_for))

    def _slot_for(self, customer: str) -> Slot | None:
        """A customer's texts go by the same slot as long as that is bound (rendezvous hashing)."""

        def weight(slot: Slot) -> bytes:
            return hashlib.blake2b(f"{slot.number} {customer}".encode()).digest()

        return max((slot for slot in self._all() if slot.session), key=weight, default=None)

    @asynccontextmanager
    async def _passing_session(self) -> AsyncIterator[Session]:
        """A bind of our own, for where none is kept. Raises Misconfigured, NotTaken."""
        try:
            session = await Session.open(self._settings.binds[0], _not_kept)
        except NotConnected as error:
            raise NotTaken(f"the SMSC could not be reached: {error}") from None
        except BindRefused as refused:
            code = f"0x{refused.status:08X}"
            kind = Misconfigured if refused.status in CREDENTIALS else NotTaken
            raise kind(refusal_words(refused.status), code) from None
        except ValueError as error:
            raise Misconfigured(f"the bind cannot be written as SMPP: {error}") from None
        try:
            yield session
        finally:
            await session.close()

    # ── checking ───────────────────────────────────────────────────────────────────────────────

    def check(self) -> list[FieldError]:
        return [] if self.ready() else run(self._try_to_bind(), LONGEST)

    async def _try_to_bind(self) -> list[FieldError]:
        try:
            session = await Session.open(self._settings.binds[0], _not_kept)
        except NotConnected as error:
            if isinstance(error.__cause__, ssl.SSLError):
                return [FieldError("options.tls", f"the SMSC's TLS cannot be used: {error}")]
            return [FieldError("provider", f"SMSC could not be reached: {error}")]
        except BindRefused as refused:
            return _refusal(refused.status)
        except ValueError as error:
            return [FieldError("credentials", f"cannot be written as SMPP: {error}")]
        await session.close()
        return []


def _refuse_unsupported(message: OutboundMessage) -> None:
    if message.media_urls:
        raise Rejected("SMPP carries no pictures or files")
    if not message.text:
        raise Rejected("there is nothing to send: no text")
    if len(message.text) > LIMITS.characters:
        raise Rejected(f"the text is longer than {LIMITS.characters} characters")
    if not (is_phone(message.customer_address) or is_short_code(message.customer_address)):
        raise Rejected("only phone numbers and short codes can be sent to")


async def _not_kept(pdus: Sequence[Pdu]) -> Sequence[int]:
    return [NOT_KEPT] * len(pdus)


async def _stop(slots: Iterable[Slot]) -> None:
    await asyncio.gather(*(slot.stop() for slot in slots))


def _refusal(status: int) -> list[FieldError]:
    if status == Status.ALREADY_BOUND:
        return []  # by another process of ours, most likely: it has no doubt about the credentials
    field = "credentials.user" if status in CREDENTIALS else "provider"
    if status == Status.INVALID_PASSWORD:
        field = "credentials.password"
    return [FieldError(field, refusal_words(status))]
