"""One message on its way to an SMSC: its segments one after the other, and what each answer means.

SMPP has no idempotency: what was written and not answered may have been taken, and is never written again.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from adapters.smpp import receipts
from adapters.smpp.addressing import to_wire
from adapters.smpp.concatenation import Segment, segments
from adapters.smpp.keeper import pause
from adapters.smpp.pdu import Command, Pdu, Status
from adapters.smpp.receipts import IdFormat
from adapters.smpp.session import NotSent, Refused, Session, Unanswered
from adapters.smpp.settings import Settings
from domain.providers import (
    Handover,
    Misconfigured,
    NotTaken,
    OutboundMessage,
    Rejected,
    SendError,
    Unknown,
)

RETRY_AFTER = 1.0
"""Seconds until a message that the SMSC has no room for is worth another try."""

LONGEST_VALIDITY = 30 * 86_400
"""Seconds: in a relative time the days stay below a month (SMPP 3.4, 7.1.1.2)."""

NOT_NOW: Mapping[int, str] = {
    Status.THROTTLED: "too many at once",
    Status.QUEUE_FULL: "its queue is full",
    Status.SYSTEM_ERROR: "an error of its own",
    Status.SUBMIT_FAILED: "the submission failed",
    Status.TEMPORARY_APP_ERROR: "a passing error of its own",
    Status.INVALID_BIND: "it does not see us as bound",
}
"""Surely not taken, and not because of the message."""


@dataclass(frozen=True)
class Plan:
    """A message as requests, without sequence numbers."""

    message: OutboundMessage
    requests: tuple[Pdu, ...]
    ids: IdFormat

    def accepted(self, last_answer: Pdu) -> Handover:
        """What came of it when the last request has been answered well.

        An SMSC that names no message has taken it all the same: it gets a name that no receipt will match.
        """
        named = str(last_answer.fields.get("message_id", ""))
        message_id = receipts.canonical(named, of_receipt=False, format=self.ids) if named else ""
        return Handover(
            message_id or f"{self.message.message_id.hex}.{self.message.attempt}", len(self.requests)
        )


def plan(message: OutboundMessage, settings: Settings, reference: int) -> Plan:
    """Cut a message up."""
    coding, cut = segments(
        message.text, gsm=settings.default_alphabet, method=settings.long_messages, reference=reference
    )
    common = {**_common(message, settings), "data_coding": coding}
    last = len(cut) - 1
    requests = tuple(
        # The last one's id stands for the message: by its receipt, all of it has arrived.
        _request(common, segment, receipt=settings.receipts and index == last)
        for index, segment in enumerate(cut)
    )
    return Plan(message, requests, settings.message_ids)


class Submission:
    """Hands a planned message over on one session.

    `awaited`: the number of the request whose answer would still settle the message, should it come late.
    """

    def __init__(self, planned: Plan, session: Session, write_by: float, random: Random) -> None:
        self.plan = planned
        self._session = session
        self._write_by = write_by  # by the loop's clock
        self._random = random
        self._taken = 0
        self.awaited: int | None = None

    async def run(self) -> Handover:
        """Hand it over. Raises SendError."""
        *earlier, last = self.plan.requests
        for request in earlier:
            await self._submit(request)
            self._taken += 1
        return self.plan.accepted(await self._submit(last))

    async def _submit(self, request: Pdu) -> Pdu:
        failures = 0
        while True:
            try:
                return await self._session.request(request, write_by=self._write_by)
            except Refused as refusal:
                # Before anything is taken, all of it may be tried again later; afterwards only here and now.
                if refusal.status not in NOT_NOW or not self._taken:
                    raise self._meaning(refusal.status) from None
            except NotSent as error:
                raise self._not_taken(f"not sent: {error}") from None
            except Unanswered as error:
                if self._taken == len(self.plan.requests) - 1:
                    self.awaited = error.sequence
                raise Unknown(f"{self._so_far()}the SMSC did not answer: {error}") from None
            except ValueError as error:  # a field that SMPP has no room for
                raise Rejected(f"it cannot be written as SMPP: {error}") from None
            await asyncio.sleep(pause(self._random, failures))
            failures += 1

    def _meaning(self, status: int) -> SendError:
        code = f"0x{status:08X}"
        if status in NOT_NOW:
            return self._not_taken(f"the SMSC cannot take it now: {NOT_NOW[status]}", code, RETRY_AFTER)
        if status == Status.INVALID_SOURCE:
            return Misconfigured(f"{self._so_far()}the SMSC lets nothing be sent from our number", code)
        if status == Status.INVALID_DESTINATION:
            return Rejected(f"{self._so_far()}the SMSC cannot send to the customer's number", code)
        return Rejected(f"{self._so_far()}the SMSC refused it", code)

    def _not_taken(self, detail: str, code: str | None = None, retry_after: float | None = None) -> SendError:
        if self._taken:
            return Unknown(f"{self._so_far()}{detail}", code)
        return NotTaken(detail, code, retry_after)

    def _so_far(self) -> str:
        if not self._taken:
            return ""
        which = "part 1" if self._taken == 1 else f"parts 1 to {self._taken}"
        return f"{which} of {len(self.plan.requests)} went; "


def _common(message: OutboundMessage, settings: Settings) -> dict[str, str | int | bytes]:
    source = to_wire(message.our_address, settings.source)
    destination = to_wire(message.customer_address, settings.destination)
    validity = message.valid_for if settings.validity else None
    return {
        "service_type": settings.service_type,
        "source_addr_ton": source.ton,
        "source_addr_npi": source.npi,
        "source_addr": source.address,
        "dest_addr_ton": destination.ton,
        "dest_addr_npi": destination.npi,
        "destination_addr": destination.address,
        "validity_period": "" if validity is None else relative_time(validity),
    }


def _request(common: Mapping[str, str | int | bytes], segment: Segment, *, receipt: bool) -> Pdu:
    fields = {
        **common,
        "esm_class": segment.esm_class,
        "registered_delivery": int(receipt),
        "short_message": segment.short_message,
    }
    return Pdu(Command.SUBMIT_SM, 0, fields=fields, tlvs=segment.tlvs)


def relative_time(seconds: int) -> str:
    """So many seconds from now: YYMMDDhhmmss000R (SMPP 3.4, 7.1.1.2)."""
    minutes, second = divmod(max(1, min(seconds, LONGEST_VALIDITY)), 60)
    hours, minute = divmod(minutes, 60)
    day, hour = divmod(hours, 24)
    return f"0000{day:02}{hour:02}{minute:02}{second:02}000R"
