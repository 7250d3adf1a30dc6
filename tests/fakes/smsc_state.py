"""What an SMSC of our own knows: its ledger, what it has to deliver, and how it is to misbehave."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from adapters.smpp.pdu import Command, Pdu, Status, Tlv
from tests.fakes.smsc_messages import ReceiptForm, receipt

if TYPE_CHECKING:
    from tests.fakes.smsc_link import Fault, Link

SYSTEM_ID = "parley"
PASSWORD = "secret"


@dataclass(frozen=True)
class Taken:
    """A submit_sm (or data_sm) that the SMSC took: it would go to the handset."""

    message_id: str
    pdu: Pdu
    connection: int  # by which it came, numbered from 1
    mode: Command  # what that connection is bound as

    @property
    def source(self) -> str:
        return str(self.pdu.fields["source_addr"])

    @property
    def destination(self) -> str:
        return str(self.pdu.fields["destination_addr"])

    @property
    def octets(self) -> bytes:
        """The short_message, or else the message_payload; with its header, if any."""
        short = self.pdu.fields.get("short_message", b"")
        assert isinstance(short, bytes)
        return short or self.pdu.tlvs.get(Tlv.MESSAGE_PAYLOAD, b"")


@dataclass(eq=False)
class Delivery:
    """A deliver_sm or data_sm for the peer, and what became of it."""

    pdu: Pdu
    sent: int = 0  # how often
    answers: list[int] = field(default_factory=list)  # the status of each answer, in order
    link: "Link | None" = None  # where it was sent, and no answer yet

    @property
    def acknowledged(self) -> bool:
        """The peer has taken it: it is not delivered again."""
        return Status.OK in self.answers


class State:
    """Changed in the server's thread only; its lists may be read from any."""

    def __init__(
        self,
        receipts: ReceiptForm | None,
        message_id: Callable[[int], str],
        receipt_id: Callable[[str], str],
    ) -> None:
        self.system_id = SYSTEM_ID
        self.password = PASSWORD
        self.receipts, self.message_id, self.receipt_id = receipts, message_id, receipt_id
        self.taken: list[Taken] = []  # the ledger, in order
        self.received: list[Pdu] = []  # every PDU that came
        self.deliveries: list[Delivery] = []  # all that it ever had to deliver
        self.connections = 0  # how many there have been
        self.links: list[Link] = []  # those that are there now
        self.errors: list[Exception] = []  # its own, and what came that was no SMPP
        self.faults: list[Fault] = []
        self.changes = threading.Condition()
        self._turn = 0

    @property
    def bound(self) -> int:
        """How many connections are bound now."""
        return sum(each.mode is not None for each in self.links)

    def changed(self) -> None:
        """Wake whoever waits for something."""
        with self.changes:
            self.changes.notify_all()

    def fault_for(self, pdu: Pdu) -> "Fault | None":
        """The misbehaviour that is due for what came."""
        return next((each for each in self.faults if each.is_due(pdu)), None)

    def take(self, pdu: Pdu, link: "Link") -> Taken:
        """Enter it into the ledger."""
        assert link.mode is not None
        taken = Taken(self.message_id(len(self.taken) + 1), pdu, link.number, link.mode)
        self.taken.append(taken)
        return taken

    def report(self, taken: Taken) -> None:
        """Deliver the receipt that a message asked for."""
        if self.receipts is not None and _number(taken.pdu, "registered_delivery") & 0x03 == 1:
            self.post([receipt(taken.pdu, self.receipt_id(taken.message_id), "DELIVRD", self.receipts)])

    def post(self, pdus: Sequence[Pdu]) -> list[Delivery]:
        """Deliver them now if anybody is bound to receive, else later."""
        deliveries = [Delivery(each) for each in pdus]
        self.deliveries += deliveries
        self._send(deliveries)
        return deliveries

    def post_again(self) -> None:
        """Deliver what is not acknowledged and not on its way."""
        self._send([each for each in self.deliveries if not each.acknowledged and each.link is None])

    def _send(self, deliveries: Sequence[Delivery]) -> None:
        receivers = [each for each in self.links if each.receives]
        for delivery in deliveries if receivers else ():
            self._turn += 1
            link = receivers[self._turn % len(receivers)]
            delivery.link, delivery.sent = link, delivery.sent + 1
            sequence = link.next_sequence()
            link.under_way[sequence] = delivery
            link.send(replace(delivery.pdu, sequence=sequence))


def _number(pdu: Pdu, name: str) -> int:
    value = pdu.fields.get(name, 0)
    assert isinstance(value, int)
    return value
