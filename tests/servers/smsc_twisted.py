"""An SMSC on the server of smpp.twisted3, a program of its own: `smscs.py` starts it and says what it does.

Arguments: port, system_id, password, and the number whose texts come back. Each line of its standard input
is a text to deliver, as JSON: source, destination, text.
"""

import itertools
import json
import sys
from collections.abc import Callable
from typing import Any

from smpp.pdu import operations, pdu_types
from smpp.twisted.config import SMPPServerConfig
from smpp.twisted.protocol import DataHandlerResponse
from smpp.twisted.server import SMPPServerFactory
from twisted.cred.error import UnauthorizedLogin
from twisted.internet import reactor as installed_reactor
from twisted.internet.stdio import StandardIO
from twisted.protocols.basic import LineReceiver

reactor: Any = installed_reactor  # a module that becomes the reactor: no checker knows its methods

_PART = 60
"""Characters, of whatever alphabet: the point is to have parts."""
_RECEIPT_SECONDS = 0.05
_ENQUIRE_SECONDS = 0.5
_ANSWER_SECONDS = 2
_SAR = ("sar_msg_ref_num", "sar_total_segments", "sar_segment_seqnum")
_CONTENT = ("esm_class", "data_coding", "short_message", "message_payload", *_SAR)
_SCHEME = pdu_types.DataCodingScheme.DEFAULT
_LATIN_1 = pdu_types.DataCoding(_SCHEME, pdu_types.DataCodingDefault.LATIN_1)
_UCS_2 = pdu_types.DataCoding(_SCHEME, pdu_types.DataCodingDefault.UCS2)
_RECEIPT = pdu_types.EsmClass(pdu_types.EsmClassMode.DEFAULT, pdu_types.EsmClassType.SMSC_DELIVERY_RECEIPT)
_INTERNATIONAL = {
    "source_addr_ton": pdu_types.AddrTon.INTERNATIONAL,
    "source_addr_npi": pdu_types.AddrNpi.ISDN,
    "dest_addr_ton": pdu_types.AddrTon.INTERNATIONAL,
    "dest_addr_npi": pdu_types.AddrNpi.ISDN,
}
_ids = itertools.count(1_000)
_references = itertools.count(1)


class Console(LineReceiver):
    """Delivers what is told on the standard input."""

    delimiter = b"\n"

    def __init__(self, deliver: Callable[..., bool]) -> None:
        self._deliver = deliver

    def lineReceived(self, line: bytes) -> None:  # noqa: N802 - Twisted's name
        told = "delivered" if self._deliver(**json.loads(line)) else "nobody is bound"
        sys.stdout.write(f"{told}\n")
        sys.stdout.flush()


class Users:
    """The portal that the server asks: it lets in one user."""

    def __init__(self, system_id: str, password: str) -> None:
        self._user = (system_id, password)

    def login(self, credentials: Any, _mind: None, interface: Any) -> tuple[Any, str, None]:
        """Raise `UnauthorizedLogin` at anybody else."""
        if (credentials.username, credentials.password) != self._user:
            raise UnauthorizedLogin
        return interface, credentials.username, None


class Smsc:
    """Numbers what is submitted, gives receipts, sends back what is for `echo`."""

    def __init__(self, system_id: str, password: str, echo: str) -> None:
        self._system_id = system_id
        self._echo = echo.encode()
        config = SMPPServerConfig(
            msgHandler=self.accept,
            systems={system_id: {"max_bindings": 100}},
            enquireLinkTimerSecs=_ENQUIRE_SECONDS,
            responseTimerSecs=_ANSWER_SECONDS,
        )
        self.factory = SMPPServerFactory(config, auth_portal=Users(system_id, password))

    def accept(self, _system_id: str, session: Any, pdu: Any) -> Any:
        """Answer a submit_sm with a decimal id, of which the receipt tells the hexadecimal form."""
        number = next(_ids)
        asked = pdu.params["registered_delivery"]
        if asked and asked.receipt == pdu_types.RegisteredDeliveryReceipt.SMSC_DELIVERY_RECEIPT_REQUESTED:
            reactor.callLater(_RECEIPT_SECONDS, self._send, _receipt(pdu.params, f"{number:X}"))
        if pdu.params["destination_addr"] == self._echo:
            reactor.callLater(0, self._send, _back(pdu.params))
        return DataHandlerResponse(pdu_types.CommandStatus.ESME_ROK, message_id=str(number))

    def deliver(self, source: str, destination: str, text: str) -> bool:
        """Deliver a text, a long one in parts with sar_* parameters; False if nobody is bound to get it."""
        coding, codec = (_LATIN_1, "latin-1") if max(text, default="") <= "\xff" else (_UCS_2, "utf-16-be")
        parts = [text[start : start + _PART] for start in range(0, len(text), _PART)] or [""]
        reference = next(_references) % 0x10000
        addresses = {"source_addr": source, "destination_addr": destination, **_INTERNATIONAL}
        for number, part in enumerate(parts, 1):
            pdu = operations.DeliverSM(**addresses, short_message=part.encode(codec), data_coding=coding)
            if len(parts) > 1:
                pdu.params |= dict(zip(_SAR, (reference, len(parts), number), strict=True))
            if not self._send(pdu):
                return False
        return True

    def _send(self, pdu: Any) -> bool:
        binds = self.factory.getBoundConnections(self._system_id)
        receiver = binds and binds.getNextBindingForDelivery()
        if not receiver:
            return False
        receiver.sendDataRequest(pdu).addErrback(lambda failure: sys.stdout.write(f"{failure}\n"))
        return True


def _back(submitted: dict[str, Any]) -> Any:
    """The same octets, the other way."""
    content = {name: submitted[name] for name in _CONTENT if name in submitted}
    return operations.DeliverSM(**_other_way(submitted), **_INTERNATIONAL, **content)


def _receipt(submitted: dict[str, Any], told_id: str) -> Any:
    text = f"id:{told_id} sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 stat:DELIVRD err:000"
    return operations.DeliverSM(
        **_other_way(submitted),
        esm_class=_RECEIPT,
        short_message=text,
        receipted_message_id=told_id,
        message_state=pdu_types.MessageState.DELIVERED,
    )


def _other_way(submitted: dict[str, Any]) -> dict[str, Any]:
    return {"source_addr": submitted["destination_addr"], "destination_addr": submitted["source_addr"]}


def main(port: str, system_id: str, password: str, echo: str) -> None:
    """Serve until the process is ended."""
    smsc = Smsc(system_id, password, echo)
    StandardIO(Console(smsc.deliver))  # type: ignore[no-untyped-call]
    reactor.listenTCP(int(port), smsc.factory, interface="127.0.0.1")
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
