"""The SMSC of our own: what it delivers, how it counts, and that it is strict with whom it talks to."""

import socket
from collections.abc import Iterator
from typing import Self

import pytest

from adapters.smpp.pdu import Command, Pdu, Status, Tlv, decode, encode, frame_length
from tests.fakes.smsc import Method, ReceiptForm, Smsc
from tests.fakes.smsc_faults import Silent, Throttled

CUSTOMER, OURS = "447700900123", "15005550006"


class Client:
    """A peer that sends and reads one PDU at a time."""

    def __init__(self, smsc: Smsc) -> None:
        self._smsc = smsc
        self._socket = socket.create_connection((smsc.host, smsc.port), timeout=10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._smsc.wait_until(lambda: not self._smsc.links)

    def send(self, pdu: Pdu) -> None:
        self._socket.sendall(encode(pdu))

    def next(self) -> Pdu:
        start = self._read(4)
        return decode(start + self._read(frame_length(start) - 4))

    def ask(self, command: Command, sequence: int, **fields: str | int | bytes) -> Pdu:
        self.send(Pdu(command, sequence, fields=fields))
        return self.next()

    def bind(self, command: Command = Command.BIND_TRANSCEIVER) -> Pdu:
        return self.ask(command, 1, system_id=self._smsc.system_id, password=self._smsc.password)

    def _read(self, length: int) -> bytes:
        octets = b""
        while len(octets) < length:
            octets += self._socket.recv(length - len(octets))
        return octets


@pytest.fixture
def smsc() -> Iterator[Smsc]:
    with Smsc() as running:
        yield running


def test_it_keeps_what_it_took_in_order(smsc: Smsc) -> None:
    with Client(smsc) as client:
        client.bind()
        for number in range(3):
            client.ask(Command.SUBMIT_SM, 2 + number, destination_addr=CUSTOMER, short_message=b"%d" % number)
    assert [(each.message_id, each.octets, each.destination) for each in smsc.taken] == [
        ("1", b"0", CUSTOMER),
        ("2", b"1", CUSTOMER),
        ("3", b"2", CUSTOMER),
    ]


def test_it_takes_nothing_from_who_is_not_bound_to_send(smsc: Smsc) -> None:
    with Client(smsc) as client:
        assert client.ask(Command.SUBMIT_SM, 1).status == Status.INVALID_BIND
        client.bind(Command.BIND_RECEIVER)
        assert client.ask(Command.SUBMIT_SM, 2).status == Status.INVALID_BIND
        assert client.bind().status == Status.ALREADY_BOUND
    assert smsc.taken == []


def test_what_nobody_is_there_to_receive_waits(smsc: Smsc) -> None:
    delivery = smsc.send_text(CUSTOMER, OURS, "{€}")
    with Client(smsc) as client:
        client.bind(Command.BIND_TRANSMITTER)
    assert delivery.sent == 0
    with Client(smsc) as client:
        client.bind(Command.BIND_RECEIVER)
        text = client.next()
        assert text.fields["short_message"] == b"\x1b\x28\x1b\x65\x1b\x29"
        client.send(text.reply())
        smsc.wait_until(lambda: delivery.acknowledged)


def test_what_is_refused_comes_again_on_demand_and_what_is_acknowledged_does_not(smsc: Smsc) -> None:
    with Client(smsc) as client:
        client.bind()
        refused, kept = smsc.send_text(CUSTOMER, OURS, "one"), smsc.send_text(CUSTOMER, OURS, "two")
        client.send(client.next().reply(Status.QUEUE_FULL))
        client.send(client.next().reply())
        smsc.wait_until(lambda: kept.acknowledged)
        smsc.redeliver()
        client.send(client.next().reply())
        smsc.wait_until(lambda: refused.acknowledged)
    assert (refused.answers, refused.sent, kept.sent) == ([Status.QUEUE_FULL, 0], 2, 1)


@pytest.mark.parametrize("method", [Method.UDH_8, Method.UDH_16, Method.SAR])
def test_a_long_text_comes_in_parts_in_the_order_wanted(smsc: Smsc, method: Method) -> None:
    with Client(smsc) as client:
        client.bind()
        smsc.send_long_text(CUSTOMER, OURS, "x" * 150, method=method, reference=7, order=[3, 1])
        parts = [client.next(), client.next()]
    if method is Method.SAR:
        tags = (Tlv.SAR_MSG_REF_NUM, Tlv.SAR_TOTAL_SEGMENTS, Tlv.SAR_SEGMENT_SEQNUM)
        assert [[each.tlvs[tag][-1] for tag in tags] for each in parts] == [[7, 3, 3], [7, 3, 1]]
    else:
        assert all(each.fields["esm_class"] == 0x40 for each in parts)
        headers = [_octets(each)[3:7] for each in parts]
        wide = method is Method.UDH_16
        assert [each[-3:] if wide else each[:3] for each in headers] == [b"\7\3\3", b"\7\3\1"]


def test_a_receipt_says_what_its_form_holds() -> None:
    hexadecimal = Smsc(
        receipts=ReceiptForm.BOTH,
        message_id=lambda number: f"{number + 9:x}",
        receipt_id=lambda message_id: str(int(message_id, 16)),
    )
    with hexadecimal as smsc, Client(smsc) as client:
        client.bind()
        answer = client.ask(
            Command.SUBMIT_SM, 2, source_addr=OURS, destination_addr=CUSTOMER, registered_delivery=1
        )
        receipt = client.next()
        client.send(receipt.reply())
        client.ask(Command.SUBMIT_SM, 3)  # asks for none
        by_tlvs, by_text = (
            smsc.send_receipt(smsc.taken[0], "UNDELIV", form=form, error="069").pdu
            for form in (ReceiptForm.TLVS, ReceiptForm.TEXT)
        )
    assert answer.fields["message_id"] == "a"
    assert (receipt.fields["source_addr"], receipt.fields["esm_class"]) == (CUSTOMER, 4)
    assert _octets(receipt).startswith(b"id:10 sub:001 dlvrd:001 ")
    assert (receipt.tlvs[Tlv.RECEIPTED_MESSAGE_ID], receipt.tlvs[Tlv.MESSAGE_STATE]) == (b"10\0", b"\2")
    assert (by_tlvs.fields["short_message"], by_tlvs.tlvs[Tlv.NETWORK_ERROR_CODE]) == (b"", b"\3\0E")
    assert (by_text.tlvs, b" stat:UNDELIV err:069 " in _octets(by_text)) == ({}, True)
    assert len(smsc.deliveries) == 3


def _octets(pdu: Pdu) -> bytes:
    octets = pdu.fields["short_message"]
    assert isinstance(octets, bytes)
    return octets


def test_misbehaviour_strikes_as_often_as_it_is_told(smsc: Smsc) -> None:
    smsc.misbehave(Throttled(2, after=1))
    with Client(smsc) as client:
        client.bind()
        assert [client.ask(Command.SUBMIT_SM, 2 + n).status for n in range(4)] == [0, 0x58, 0x58, 0]
        smsc.misbehave(Silent(None))
        smsc.behave()
        assert client.ask(Command.SUBMIT_SM, 9).status == 0


def test_the_port_can_be_closed_and_opened_again(smsc: Smsc) -> None:
    smsc.refuse()
    with pytest.raises(ConnectionRefusedError):
        Client(smsc)
    smsc.accept()
    with Client(smsc) as client:
        assert client.bind().status == 0


def test_it_complains_of_what_is_no_smpp() -> None:
    def make_trouble() -> None:
        with Smsc() as smsc, socket.create_connection((smsc.host, smsc.port), timeout=10) as peer:
            peer.sendall(b"GET / HTTP/1.1\r\n\r\n")
            smsc.wait_until(lambda: bool(smsc.errors))

    with pytest.raises(ExceptionGroup, match="inside the SMSC"):
        make_trouble()


def test_it_complains_of_an_answer_to_nothing() -> None:
    def make_trouble() -> None:
        with Smsc() as smsc, Client(smsc) as client:
            client.bind()
            client.send(Pdu(Command.DELIVER_SM_RESP, 12))
            smsc.wait_until(lambda: bool(smsc.errors))

    with pytest.raises(ExceptionGroup, match="inside the SMSC"):
        make_trouble()


def test_who_waits_in_vain_is_told(smsc: Smsc) -> None:
    with pytest.raises(AssertionError, match="never came to be"):
        smsc.wait_until(lambda: False, seconds=0.01)
