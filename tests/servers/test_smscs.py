"""The SMSCs that others wrote: each takes a bind, a text and an unbind of smpplib, a client of others too.

Their ways are those that `Abilities` tells, so that a test of ours can rely on them.
"""

import re
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import smpplib.client
import smpplib.consts
import smpplib.exceptions
from smpplib.command import Command

from tests.servers.certificates import make_certificates
from tests.servers.process import wait_until
from tests.servers.smscs import ECHO, Smsc

_SECONDS = 10
_OURS = "15551234567"
_CUSTOMER = "447700900123"
_LONG = "0123456789" * 13


class Client:
    """A session of smpplib's, which notes what comes."""

    def __init__(self, smsc: Smsc, tls: ssl.SSLContext | None = None) -> None:
        self.smsc = smsc
        self._tls = tls
        self.answers: list[Command] = []
        self.delivered: list[Command] = []
        self.client = smpplib.client.Client(
            smsc.host, smsc.port, timeout=_SECONDS, allow_unknown_opt_params=True
        )
        self.client.set_message_sent_handler(self._answered)
        self.client.set_message_received_handler(self._deliver)
        # It would raise at an error status; the answer is noted anyhow.
        self.client.set_error_pdu_handler(lambda pdu: None)

    def _answered(self, pdu: Command) -> None:
        self.answers.append(pdu)

    def _deliver(self, pdu: Command) -> None:  # what it returned would be the answer's status
        self.delivered.append(pdu)

    def connect(self) -> None:
        self.client.connect()
        if self._tls is not None:
            self.client._socket = self._tls.wrap_socket(self.client._socket, server_hostname="localhost")

    def bind(self, password: str | None = None) -> None:
        self.client.bind_transceiver(system_id=self.smsc.system_id, password=password or self.smsc.password)

    def submit(self, text: bytes, *, to: str = _CUSTOMER, coding: int = 0) -> None:
        self.client.send_message(
            source_addr_ton=1,
            source_addr_npi=1,
            source_addr=_OURS,
            dest_addr_ton=1,
            dest_addr_npi=1,
            destination_addr=to,
            short_message=text,
            data_coding=coding,
            registered_delivery=1,
        )

    def read_until(self, enough: Callable[[], object]) -> None:
        def is_enough() -> bool:
            if not enough():
                self.client.read_once()
            return bool(enough())

        wait_until(is_enough, seconds=_SECONDS, what="The SMSC")


@contextmanager
def _bound(smsc: Smsc, tls: ssl.SSLContext | None = None) -> Iterator[Client]:
    client = Client(smsc, tls)
    client.connect()
    try:
        client.bind()
        yield client
        client.client.unbind()
    finally:
        client.client.disconnect()


def _texts(client: Client) -> list[bytes]:
    """What was delivered, receipts left out."""
    return [bytes(pdu.short_message or b"") for pdu in client.delivered if not pdu.esm_class & 0x3C]


def _receipts(client: Client) -> list[Command]:
    return [pdu for pdu in client.delivered if pdu.esm_class & 0x3C == 0x04]


def _told_id(smsc: Smsc, sent_id: str) -> str:
    """What a receipt is to call the message that the response called so."""
    if smsc.abilities.message_ids == "hex_then_decimal":
        return str(int(sent_id, 16))
    return f"{int(sent_id):X}" if smsc.abilities.message_ids == "decimal_then_hex" else sent_id


def test_each_takes_a_bind_a_text_and_an_unbind_and_gives_a_receipt(others_smsc: Smsc) -> None:
    with _bound(others_smsc) as client:
        client.submit(b"Hello")
        client.read_until(lambda: client.answers and _receipts(client))

    (answer,) = client.answers
    (receipt,) = _receipts(client)
    assert answer.status == smpplib.consts.SMPP_ESME_ROK
    told = re.match(rb"id:(\S+) .*stat:DELIVRD", receipt.short_message)
    assert told is not None
    assert told[1].decode() == _told_id(others_smsc, answer.message_id.decode())
    assert (receipt.receipted_message_id is not None) == others_smsc.abilities.receipt_tlvs


def test_each_refuses_another_password(others_smsc: Smsc) -> None:
    client = Client(others_smsc)
    client.connect()

    with pytest.raises(smpplib.exceptions.PDUError) as refused:
        client.bind("another")

    assert refused.value.args[1] == smpplib.consts.SMPP_ESME_RINVPASWD
    client.client.disconnect()


def test_each_delivers_in_its_way(others_smsc: Smsc) -> None:
    with _bound(others_smsc) as client:
        if others_smsc.abilities.delivers:
            others_smsc.deliver("Good morning")
        client.read_until(lambda: _texts(client))

    assert _texts(client) == [(others_smsc.abilities.greeting or "Good morning").encode()]


def test_the_scripted_ones_deliver_ucs_2_from_and_to_whom_they_are_told(scripted_smsc: Smsc) -> None:
    with _bound(scripted_smsc) as client:
        scripted_smsc.deliver("Grüße 👋", source=_CUSTOMER, destination=_OURS)
        client.read_until(lambda: _texts(client))

    (pdu,) = client.delivered
    assert (pdu.source_addr, pdu.destination_addr) == (_CUSTOMER.encode(), _OURS.encode())
    assert pdu.data_coding == 8
    assert pdu.short_message.decode("utf-16-be") == "Grüße 👋"


def _delivered(smsc: Smsc, text: str) -> list[Command]:
    """What comes when it delivers a text of three parts."""
    with _bound(smsc) as client:
        smsc.deliver(text, source=_CUSTOMER, destination=_OURS)
        client.read_until(lambda: len(client.delivered) == 3)
    return client.delivered


def test_smpp_twisted_delivers_long_texts_with_sar_parameters(smpp_twisted: Smsc) -> None:
    parts = _delivered(smpp_twisted, _LONG)

    assert [(part.sar_total_segments, part.sar_segment_seqnum) for part in parts] == [(3, 1), (3, 2), (3, 3)]
    assert len({part.sar_msg_ref_num for part in parts}) == 1
    assert b"".join(part.short_message for part in parts).decode() == _LONG


def test_node_smpp_delivers_long_texts_with_a_user_data_header(node_smpp: Smsc) -> None:
    parts = _delivered(node_smpp, _LONG)

    assert all(part.esm_class == 0x40 for part in parts)
    headers = [part.short_message[:6] for part in parts]
    assert [(header[:3], *header[4:]) for header in headers] == [(b"\5\0\3", 3, n) for n in (1, 2, 3)]
    assert len({header[3] for header in headers}) == 1
    assert b"".join(part.short_message[6:] for part in parts).decode() == _LONG


def test_what_is_sent_to_the_number_that_echoes_comes_back(scripted_smsc: Smsc) -> None:
    with _bound(scripted_smsc) as client:
        client.submit("✓ 👍".encode("utf-16-be"), to=ECHO, coding=8)
        client.read_until(lambda: _texts(client))

    assert [text.decode("utf-16-be") for text in _texts(client)] == ["✓ 👍"]


def test_node_smpp_throttles_every_so_manieth_text(new_node_smpp: Callable[..., Smsc]) -> None:
    with _bound(new_node_smpp(throttle_every=3)) as client:
        for _ in range(6):
            client.submit(b"Hello")
        client.read_until(lambda: len(client.answers) == 6)

    throttled = smpplib.consts.SMPP_ESME_RTHROTTLED
    assert [answer.status for answer in client.answers] == [0, 0, throttled] * 2


def test_node_smpp_speaks_tls(new_node_smpp: Callable[..., Smsc], server_folder: Path) -> None:
    certificates = make_certificates(server_folder / "certificates")
    trust = ssl.create_default_context(cafile=str(certificates.authority))
    with _bound(new_node_smpp(certificates=certificates), trust) as client:
        client.submit(b"Hello")
        client.read_until(lambda: client.answers)

    assert client.answers[0].status == smpplib.consts.SMPP_ESME_ROK


def test_opensmpp_tells_what_it_cannot_deliver(opensmpp: Smsc) -> None:
    with pytest.raises(ValueError, match="leaves both addresses empty"):
        opensmpp.deliver("Hello", source=_CUSTOMER)
    with pytest.raises(ValueError, match="ASCII texts of one line that are not a number"):
        opensmpp.deliver("0")


def test_jsmpp_delivers_nothing_on_demand(jsmpp: Smsc) -> None:
    with pytest.raises(ValueError, match="delivers nothing on demand"):
        jsmpp.deliver("Hello")


def test_one_that_ended_is_started_again(node_smpp: Smsc) -> None:
    node_smpp.kill()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((node_smpp.host, node_smpp.port))

    node_smpp.start()

    with _bound(node_smpp) as client:
        assert client.client.state == smpplib.consts.SMPP_CLIENT_STATE_BOUND_TRX


def test_jsmpp_is_started_again_when_it_has_stopped_listening(jsmpp: Smsc) -> None:
    with jsmpp.log_path.open("a") as log:
        log.write("[main] ERROR - IO error occurred\n")

    jsmpp.start()

    assert jsmpp.log_path.read_text().count("Listening on port") == 2
