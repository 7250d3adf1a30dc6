"""What an SMSC may do wrong: one class for each misbehaviour, for `Smsc.misbehave`.

All concern submits unless they say otherwise, and strike once; `Throttled(3)` strikes three times,
`Silent(None)` for ever, `Throttled(after=2)` at the third. Those that hold something back let it go on
`Smsc.let_go`.
"""

import struct
from typing import ClassVar

from adapters.smpp.pdu import HEADER, Command, Pdu, Status, encode
from tests.fakes.smsc_link import ACKNOWLEDGEMENTS, BINDS, RESPONSE, Fault, Link
from tests.fakes.smsc_state import Taken

# ── answers that say no ────────────────────────────────────────────────────────────────────────────


class Refuses(Fault):
    """Takes nothing: answers with an error status."""

    def __init__(self, status: int, times: int | None = 1, *, after: int = 0) -> None:
        super().__init__(times, after=after)
        self.status = status

    def strike(self, link: Link, pdu: Pdu) -> None:
        link.error(pdu, self.status)


class RefusesWithoutBody(Refuses):
    """The same, with a header and nothing else (SMPP 3.4, 4.4.2: "not returned")."""

    def strike(self, link: Link, pdu: Pdu) -> None:
        link.error(pdu, self.status, b"")


class Throttled(Refuses):
    """ESME_RTHROTTLED."""

    def __init__(self, times: int | None = 1, *, after: int = 0) -> None:
        super().__init__(Status.THROTTLED, times, after=after)


class QueueFull(Refuses):
    """ESME_RMSGQFUL."""

    def __init__(self, times: int | None = 1, *, after: int = 0) -> None:
        super().__init__(Status.QUEUE_FULL, times, after=after)


class SubmitFailed(Refuses):
    """ESME_RSUBMITFAIL."""

    def __init__(self, times: int | None = 1, *, after: int = 0) -> None:
        super().__init__(Status.SUBMIT_FAILED, times, after=after)


class RefusesBind(Refuses):
    """Refuses binds with a status."""

    concerns = BINDS


class RefusesEnquiries(RefusesWithoutBody):
    """Answers enquire_link with an error status: it is there, at least."""

    concerns = frozenset({Command.ENQUIRE_LINK})


class Nacks(Fault):
    """Answers generic_nack, as if it did not know the command."""

    def strike(self, link: Link, pdu: Pdu) -> None:
        link.send(Pdu(Command.GENERIC_NACK, pdu.sequence, Status.INVALID_COMMAND))


# ── answers that do not come ───────────────────────────────────────────────────────────────────────


class Silent(Fault):
    """Neither takes nor answers."""

    def strike(self, link: Link, pdu: Pdu) -> None:
        return


class SilentAfterTaking(Fault):
    """Takes it, and never answers."""

    def strike(self, link: Link, pdu: Pdu) -> None:
        link.take(pdu)


class SilentToBinds(Silent):
    """Takes the connection, and never answers a bind."""

    concerns = BINDS


class SilentToEnquiries(Silent):
    """Never answers enquire_link."""

    concerns = frozenset({Command.ENQUIRE_LINK})


class SilentToUnbinds(Silent):
    """Never answers unbind."""

    concerns = frozenset({Command.UNBIND})


class StopsReading(Fault):
    """Leaves this submit and reads nothing more, until `Smsc.let_go`."""

    _left_at: tuple[Link, Pdu] | None = None

    def strike(self, link: Link, pdu: Pdu) -> None:
        self._left_at = link, pdu
        link.stop_reading()

    def release(self) -> None:
        if self._left_at is not None:
            link, pdu = self._left_at
            link.serve(pdu)
            link.go_on_reading()


# ── connections that end ───────────────────────────────────────────────────────────────────────────


class ResetsBeforeTaking(Fault):
    """Resets the connection, and has not taken it."""

    def strike(self, link: Link, pdu: Pdu) -> None:
        link.reset()


class ResetsAfterTaking(Fault):
    """Takes it, and resets the connection before it answers."""

    def strike(self, link: Link, pdu: Pdu) -> None:
        link.take(pdu)
        link.reset()


class LosesAcknowledgements(Fault):
    """Resets the connection when an answer to its deliver_sm comes, and has not seen it."""

    concerns = ACKNOWLEDGEMENTS

    def strike(self, link: Link, pdu: Pdu) -> None:
        link.reset()


class DropsInTheMiddle(Fault):
    """Takes it, writes half of the answer, and closes the connection."""

    def strike(self, link: Link, pdu: Pdu) -> None:
        taken = link.take(pdu)
        answer = encode(pdu.reply(message_id=taken.message_id))
        link.write(answer[: len(answer) // 2])
        link.close()


class UnbindsItself(Fault):
    """Answers, then asks to unbind."""

    def strike(self, link: Link, pdu: Pdu) -> None:
        link.serve(pdu)
        link.unbind()


# ── what is no SMPP ────────────────────────────────────────────────────────────────────────────────


class Garbage(Fault):
    """Takes it, and writes what is no SMPP at all in place of its answer."""

    octets: ClassVar[bytes] = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"

    def strike(self, link: Link, pdu: Pdu) -> None:
        link.take(pdu)
        link.write(self.octets)


class AbsurdLength(Garbage):
    """Announces a PDU of 2 GiB in place of its answer."""

    octets = struct.pack(">IIII", 0x7FFFFFFF, Command.DELIVER_SM, 0, 7)


class TooShortLength(Garbage):
    """Announces a PDU shorter than its own header in place of its answer."""

    octets = struct.pack(">IIII", 8, Command.DELIVER_SM, 0, 7)


class BrokenBody(Fault):
    """Sends a deliver_sm (7) of the right length whose body ends too early; then answers."""

    octets: ClassVar[bytes] = struct.pack(">IIII", HEADER + 3, Command.DELIVER_SM, 0, 7) + b"abc"

    def strike(self, link: Link, pdu: Pdu) -> None:
        link.write(self.octets)
        link.serve(pdu)


class UnknownCommand(BrokenBody):
    """Sends a request (7) that SMPP does not know, well framed; then answers."""

    octets = struct.pack(">IIII", HEADER + 3, 0x0000BEEF, 0, 7) + b"abc"


class SlowWrites(Fault):
    """Writes single octets from now on."""

    def strike(self, link: Link, pdu: Pdu) -> None:
        link.dribbling = True
        link.serve(pdu)


# ── answers out of place ───────────────────────────────────────────────────────────────────────────


class OutOfOrder(Fault):
    """Takes so many, answers none, then all of them, the last one first."""

    def __init__(self, many: int) -> None:
        super().__init__(many)
        self._many = many
        self._taken: list[Taken] = []

    def strike(self, link: Link, pdu: Pdu) -> None:
        self._taken.append(link.take(pdu))
        if len(self._taken) == self._many:
            for taken in reversed(self._taken):
                link.answer(taken)


class LateResponse(Fault):
    """Takes it, and answers on `Smsc.let_go` only, if its connection is still there."""

    def __init__(self, times: int | None = 1, *, after: int = 0) -> None:
        super().__init__(times, after=after)
        self._held: list[tuple[Link, Taken]] = []

    def strike(self, link: Link, pdu: Pdu) -> None:
        self._held.append((link, link.take(pdu)))

    def release(self) -> None:
        for link, taken in self._held:
            if link in link.state.links:
                link.answer(taken)
        self._held.clear()


class Unsolicited(Fault):
    """Answers what nobody asked (a submit, an enquiry, nothing), then this one, then this one again."""

    def strike(self, link: Link, pdu: Pdu) -> None:
        link.send(Pdu(Command.SUBMIT_SM_RESP, 0x7FFFFFF0, fields={"message_id": "stray"}))
        link.send(Pdu(Command.ENQUIRE_LINK | RESPONSE, 0x7FFFFFF1))
        link.send(Pdu(Command.GENERIC_NACK, 0, Status.INVALID_COMMAND))
        taken = link.take(pdu)
        link.answer(taken)
        link.answer(taken)


class ReceiptBeforeResponse(Fault):
    """Takes it, delivers its receipt (in the SMSC's form, if the message asks for one), then answers."""

    def strike(self, link: Link, pdu: Pdu) -> None:
        taken = link.take(pdu)
        link.state.report(taken)
        link.answer(taken)
