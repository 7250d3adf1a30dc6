"""One connection to an SMSC of our own, and how a misbehaviour gets hold of it."""

import asyncio
import socket
import struct
from contextlib import suppress
from typing import ClassVar

from adapters.smpp.pdu import HEADER, Command, Pdu, Status, Tlv, decode, encode, frame_length
from tests.fakes.smsc_state import Delivery, State, Taken

RESPONSE = 0x80000000  # what a response's command adds to its request's

BINDS = frozenset({Command.BIND_RECEIVER, Command.BIND_TRANSMITTER, Command.BIND_TRANSCEIVER})
SUBMITS = frozenset({Command.SUBMIT_SM, Command.DATA_SM})
ACKNOWLEDGEMENTS = frozenset({Command.DELIVER_SM_RESP, Command.DATA_SM_RESP})


class Fault:
    """A misbehaviour: see smsc_faults.

    It concerns certain commands; of those it lets `after` pass, then strikes so many `times` (None: always).
    """

    concerns: ClassVar[frozenset[Command]] = SUBMITS

    def __init__(self, times: int | None = 1, *, after: int = 0) -> None:
        self._left = times
        self._before = after

    def is_due(self, pdu: Pdu) -> bool:
        """Whether it strikes at this one; counts."""
        if pdu.command not in self.concerns or self._left == 0:
            return False
        if self._before:
            self._before -= 1
            return False
        if self._left is not None:
            self._left -= 1
        return True

    def strike(self, link: "Link", pdu: Pdu) -> None:
        """Do it, in place of what the SMSC would have done with this PDU (`link.serve`)."""
        raise NotImplementedError

    def release(self) -> None:
        """Let go of what it holds back, if anything."""
        return


class Link:
    """What the SMSC does on one connection. Lives in the server's thread."""

    def __init__(
        self, state: State, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.state = state
        self.number = number  # from 1
        self.mode: Command | None = None  # the bind that succeeded
        self.under_way: dict[int, Delivery] = {}
        self.dribbling = False  # write single octets
        self._reader, self._writer = reader, writer
        self._socket: socket.socket = writer.get_extra_info("socket")
        self._reading = asyncio.Event()
        self._reading.set()
        self._to_dribble = bytearray()
        self._dribbler: asyncio.Task[None] | None = None
        self._sequence = 0

    @property
    def receives(self) -> bool:
        """Whether it may be sent deliver_sm."""
        return self.mode in {Command.BIND_RECEIVER, Command.BIND_TRANSCEIVER}

    async def run(self) -> None:
        """Serve until either side ends it."""
        self.state.links.append(self)
        try:
            while not self._writer.is_closing():  # then what is read already is lost, too
                self._handle(await self._next())
                self.state.changed()
                await self._writer.drain()
                await self._reading.wait()
        except (asyncio.IncompleteReadError, OSError):
            pass  # the peer is gone, or we are
        except Exception as error:  # noqa: BLE001 - raised when the test leaves the SMSC
            self.state.errors.append(error)
        finally:
            self._over()

    # ── for misbehaviour, too ──────────────────────────────────────────────────────────────────

    def serve(self, pdu: Pdu) -> None:
        """Do what a good SMSC does."""
        if pdu.command in BINDS:
            self._bind(pdu)
        elif pdu.command in SUBMITS:
            self._submit(pdu)
        elif pdu.command in ACKNOWLEDGEMENTS:
            self._acknowledged(pdu)
        elif pdu.command == Command.ENQUIRE_LINK:
            self.send(pdu.reply())
        elif pdu.command == Command.UNBIND:
            self.send(pdu.reply())
            self.close()
        elif pdu.command == Command.UNBIND_RESP:
            self.close()
        elif pdu.command < RESPONSE:
            self.send(Pdu(Command.GENERIC_NACK, pdu.sequence, Status.INVALID_COMMAND))

    def take(self, pdu: Pdu) -> Taken:
        """Enter a message into the ledger; no answer yet."""
        return self.state.take(pdu, self)

    def answer(self, taken: Taken) -> None:
        """Say that it is taken."""
        self.send(taken.pdu.reply(message_id=taken.message_id))

    def error(self, pdu: Pdu, status: int, body: bytes = b"\0") -> None:
        """Answer a request with an error status, with or without a body."""
        header = struct.pack(">IIII", HEADER + len(body), pdu.command | RESPONSE, status, pdu.sequence)
        self.write(header + body)

    def send(self, pdu: Pdu) -> None:
        """Write a PDU."""
        self.write(encode(pdu))

    def write(self, octets: bytes) -> None:
        """Write octets, which need not be SMPP."""
        if not self.dribbling:
            self._writer.write(octets)
            return
        self._to_dribble += octets
        if self._dribbler is None or self._dribbler.done():
            self._dribbler = asyncio.create_task(self._dribble())

    def unbind(self) -> None:
        """Ask the peer to leave."""
        self.send(Pdu(Command.UNBIND, self.next_sequence()))

    def next_sequence(self) -> int:
        """A number for a request of the SMSC's."""
        self._sequence += 1
        return self._sequence

    def stop_reading(self) -> None:
        """Leave all further octets in the kernel's buffer, and then in the peer's."""
        self._reading.clear()

    def go_on_reading(self) -> None:
        """Read what has piled up."""
        self._reading.set()

    def close(self) -> None:
        """End it in order, when what was written is gone."""
        self._writer.close()
        self._reading.set()

    def reset(self) -> None:
        """End it now: what was not sent yet is lost, and the peer sees a reset."""
        with suppress(OSError):  # it may be over already
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()
        self._reading.set()

    # ── what a good SMSC does ──────────────────────────────────────────────────────────────────

    async def _next(self) -> Pdu:
        start = await self._reader.readexactly(4)
        return decode(start + await self._reader.readexactly(frame_length(start) - 4))

    def _handle(self, pdu: Pdu) -> None:
        self.state.received.append(pdu)
        fault = self.state.fault_for(pdu)
        if fault is not None:
            fault.strike(self, pdu)
        else:
            self.serve(pdu)

    def _bind(self, pdu: Pdu) -> None:
        if self.mode is not None:
            self.error(pdu, Status.ALREADY_BOUND)
        elif pdu.fields["system_id"] != self.state.system_id:
            self.error(pdu, Status.INVALID_SYSTEM_ID)
        elif pdu.fields["password"] != self.state.password:
            self.error(pdu, Status.INVALID_PASSWORD)
        else:
            self.mode = Command(pdu.command)
            response = pdu.reply(system_id="smsc")
            self.send(Pdu(response.command, response.sequence, 0, response.fields, _VERSION))
            if self.receives:
                self.state.post_again()

    def _submit(self, pdu: Pdu) -> None:
        if self.mode not in {Command.BIND_TRANSMITTER, Command.BIND_TRANSCEIVER}:
            self.error(pdu, Status.INVALID_BIND)
            return
        taken = self.take(pdu)
        self.answer(taken)
        self.state.report(taken)

    def _acknowledged(self, pdu: Pdu) -> None:
        delivery = self.under_way.pop(pdu.sequence, None)
        if delivery is None:
            raise AssertionError(f"an answer to nothing: {pdu}")
        delivery.answers.append(pdu.status)
        delivery.link = None

    async def _dribble(self) -> None:
        while self._to_dribble:
            self._writer.write(self._to_dribble[:1])
            del self._to_dribble[:1]
            await asyncio.sleep(0)  # the next octet in a packet of its own

    def _over(self) -> None:
        self.state.links.remove(self)
        self.mode = None
        for delivery in self.under_way.values():
            delivery.link = None
        self.under_way.clear()
        self._writer.close()
        self.state.changed()


_VERSION = {int(Tlv.SC_INTERFACE_VERSION): b"\x34"}
