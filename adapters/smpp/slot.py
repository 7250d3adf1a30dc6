"""One standing connection of a carrier: kept open, and what comes by it made durable."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime
from random import Random

from adapters.smpp.inbound import Inbound, scope
from adapters.smpp.keeper import Keeper, pause
from adapters.smpp.pdu import Pdu, Status
from adapters.smpp.repeats import Repeats
from adapters.smpp.session import Mode, Session
from adapters.smpp.settings import Settings
from adapters.smpp.submission import Plan, Submission
from domain.errors import Unavailable
from domain.facts import Fact, Outcome, SendSettled, TextWithoutId
from domain.ids import Identities
from domain.ports import Clock
from domain.providers import Account, Deliver, Handover, Unknown

log = logging.getLogger(__name__)

NOT_KEPT = Status.SYSTEM_ERROR
"""What a delivery is answered that could not be made durable.

SMPP means ESME_RX_T_APPN (0x64) for that, but an SMSC delivers again only after errors that it holds to be
passing, and SMSCs disagree: Vonage's list has no 0x64, RestComm's no ESME_RMSGQFUL (0x14). ESME_RSYSERR is on
both.
"""

TRIES = 20
"""At making a late answer durable; the SMSC says it only once."""


class Slot:
    """A connection of one session, or of two: a transmitter and a receiver.

    Everything but `words` is only to be used on the event loop.
    """

    def __init__(
        self,
        number: int,
        account: Account,
        settings: Settings,
        ids: Identities,
        deliver: Deliver,
        repeats: Repeats,
        clock: Clock,
        random: Random,
    ) -> None:
        self.number = number
        self._account = account
        self._settings = settings
        self._ids = ids
        self._deliver = deliver
        self._repeats = repeats
        self._clock = clock
        self._random = random
        self._inbound = Inbound(account, settings, ids, random)
        self._keepers: list[Keeper] = []
        self._has_ended = False  # a session of it, in this process
        self._awaited: dict[int, Plan] = {}  # by the sequence of the request that was given up
        self._telling: set[asyncio.Task[None]] = set()

    @property
    def session(self) -> Session | None:
        """The session that messages can go by now."""
        return self._keepers[0].session if self._keepers else None

    @property
    def words(self) -> str:
        """How it stands, for people."""
        states = {keeper.mode: keeper.state for keeper in list(self._keepers)}
        if len(states) > 1:
            return ", ".join(f"{mode} {state}" for mode, state in states.items())
        return "".join(states.values()) or "connecting"

    def start(self) -> None:
        """Keep it open from now on."""
        name = f"mapping {self._account.code}, connection {self.number}"
        self._keepers = [Keeper(name, bind, self, self._random) for bind in self._settings.binds]

    async def stop(self) -> None:
        """Leave cleanly."""
        await asyncio.gather(*(keeper.stop() for keeper in self._keepers))

    async def submit(self, submission: Submission) -> Handover:
        """Hand a message over by this slot's session. Raises SendError."""
        try:
            return await submission.run()
        except Unknown:
            if submission.awaited is not None:
                self._awaited[submission.awaited] = submission.plan
            raise

    # ── what its sessions say ──────────────────────────────────────────────────────────────────

    def bound(self, mode: Mode) -> None:
        if mode is not Mode.RECEIVER:
            self._awaited.clear()  # a new session counts its requests from 1
        if mode is not Mode.TRANSMITTER:
            self._repeats.bound(self._clock.now(), is_first=not self._has_ended)

    def ended(self, mode: Mode, proven_at: datetime) -> None:
        if mode is not Mode.TRANSMITTER:
            self._has_ended = True
            self._repeats.ended(self._clock.now(), proven_at)

    def now(self) -> datetime:
        return self._clock.now()

    async def delivered(self, pdus: Sequence[Pdu]) -> Sequence[int]:
        came_at = self._clock.now()
        facts = [self._judged(self._inbound.fact(pdu), came_at) for pdu in pdus]
        try:
            await asyncio.to_thread(self._deliver, facts)
        except Unavailable as error:
            log.warning("mapping %s: %d deliveries refused: %s", self._account.code, len(pdus), error)
            self._repeats.refused((each for each in facts if isinstance(each, TextWithoutId)), came_at)
            return [NOT_KEPT] * len(pdus)
        return [Status.OK] * len(pdus)

    def late(self, sequence: int, answer: Pdu) -> None:
        plan = self._awaited.pop(sequence, None)
        if plan is not None and answer.status == Status.OK:
            task = asyncio.create_task(self._tell(self._accepted(plan, answer)))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    def _judged(self, fact: Fact, came_at: datetime) -> Fact:
        return self._repeats.judged(fact, came_at) if isinstance(fact, TextWithoutId) else fact

    def _accepted(self, plan: Plan, answer: Pdu) -> SendSettled:
        message = plan.message
        return SendSettled(
            key=self._ids.thread(message.our_address, message.customer_address),
            message_id=message.message_id,
            attempt=message.attempt,
            outcome=Outcome.ACCEPTED,
            scope=scope(self._account),
            provider_message_id=plan.accepted(answer).provider_message_id,
            error_code=None,
            detail="the SMSC's answer came late",
            retry_at=None,
            reconciled=False,
        )

    async def _tell(self, fact: SendSettled) -> None:
        for failures in range(TRIES):
            try:
                await asyncio.to_thread(self._deliver, [fact])
            except Unavailable:
                await asyncio.sleep(pause(self._random, failures))
            else:
                return
        log.error("message %s: that it was accepted, late, could not be kept", fact.message_id)
