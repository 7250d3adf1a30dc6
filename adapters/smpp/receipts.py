"""Receipts: what an SMSC says became of a message (SMPP 3.4, 5.2.12, 5.3.2 and appendix B).

They come as deliver_sm or data_sm, with optional parameters, with a text like
`id:1 sub:001 dlvrd:001 submit date:2401311200 done date:2401311201 stat:DELIVRD err:000 text:Hello`, or both.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from adapters.smpp import concatenation
from adapters.smpp.pdu import Command, Pdu, Tlv
from domain.facts import ReceiptStatus

_KIND = 0x3C  # the bits of esm_class that say what a delivery is
_KINDS = (0x04, 0x20)  # a receipt; an intermediate notification, which is written like one

# By message_state; the texts begin so too, in several spellings: DELIVRD, DELIVERED.
_STATES = {
    0: "SCHEDULED", 1: "ENROUTE", 2: "DELIVRD", 3: "EXPIRED", 4: "DELETED", 5: "UNDELIV", 6: "ACCEPTD",
    7: "UNKNOWN", 8: "REJECTD", 9: "SKIPPED",
}  # fmt: skip
_STATUS_BY_BEGINNING = {
    "SCHED": ReceiptStatus.QUEUED,
    "DELIV": ReceiptStatus.DELIVERED,
    "EXPIR": ReceiptStatus.UNDELIVERED,
    "DELET": ReceiptStatus.UNDELIVERED,
    "UNDEL": ReceiptStatus.UNDELIVERED,
    "SKIPP": ReceiptStatus.UNDELIVERED,
    "REJEC": ReceiptStatus.FAILED,
    "FAILE": ReceiptStatus.FAILED,
}  # others, ENROUTE, ACCEPTD and UNKNOWN among them, end nothing: the message is with the SMSC

# A key with nothing after it is followed by the next key.
_KEYS = "id|sub|dlvrd|submit date|done date|stat|err|text"
_FIELD = re.compile(rf"(?:^|\s)(id|stat|err): ?(?!(?:{_KEYS}):)(\S+)", re.IGNORECASE)
_TEXT = re.compile(r"(?:^|\s)text:", re.IGNORECASE)


@dataclass(frozen=True)
class Receipt:
    """A receipt. `message_id` is as the SMSC wrote it, "" when it named none."""

    message_id: str
    status: ReceiptStatus
    provider_status: str
    error_code: str | None


class IdFormat(StrEnum):
    """How an SMSC writes one message's id: in the response to the submit_sm, then in the receipt."""

    SAME = "same"
    HEX_THEN_DECIMAL = "hex_then_decimal"
    DECIMAL_THEN_HEX = "decimal_then_hex"


def read(pdu: Pdu) -> Receipt | None:
    """The receipt that a delivery is; None when it is none. What its optional parameters say goes first."""
    esm_class = pdu.fields.get("esm_class", 0)
    if pdu.command not in (Command.DELIVER_SM, Command.DATA_SM) or not isinstance(esm_class, int):
        return None
    if esm_class & _KIND not in _KINDS:
        return None
    said = _read_text(concatenation.read(pdu)[1])
    state = pdu.tlvs.get(Tlv.MESSAGE_STATE)
    named = _STATES.get(int.from_bytes(state, "big")) if state else None
    provider_status = named or said.get("stat", "UNKNOWN").upper()
    return Receipt(
        # Its NUL at the end is sometimes left out.
        pdu.tlvs.get(Tlv.RECEIPTED_MESSAGE_ID, b"").split(b"\0")[0].decode("latin-1") or said.get("id", ""),
        _STATUS_BY_BEGINNING.get(provider_status[:5], ReceiptStatus.SENT),
        provider_status,
        _network_error(pdu) or _significant(said.get("err", "")),
    )


def canonical(message_id: str, *, of_receipt: bool, format: IdFormat) -> str:
    """An id in the one spelling that response and receipt come to, whatever each looks like.

    It is in lower case without leading zeros; a hexadecimal number, where `format` says so, becomes decimal.
    An id that is no number after all only loses capitals and leading zeros.
    """
    plain = message_id.strip().lower()
    is_hexadecimal = format is (IdFormat.DECIMAL_THEN_HEX if of_receipt else IdFormat.HEX_THEN_DECIMAL)
    if is_hexadecimal and re.fullmatch("(0x)?[0-9a-f]{1,64}", plain):
        return str(int(plain, 16))
    return plain.lstrip("0") or plain[:1]


def _read_text(octets: bytes) -> dict[str, str]:
    """The fields of a receipt's text, by key in lower case; what comes after `text:` may be anything."""
    # Some send the text as UCS-2, others only say so: without the NULs both read the same.
    line = octets.replace(b"\0", b"").decode("latin-1")
    return {key.lower(): value for key, value in _FIELD.findall(_TEXT.split(line, maxsplit=1)[0])}


def _network_error(pdu: Pdu) -> str | None:
    """One octet for the kind of network, two for its own code."""
    code = pdu.tlvs.get(Tlv.NETWORK_ERROR_CODE, b"")[1:3]
    return str(int.from_bytes(code, "big")) if any(code) else None


def _significant(code: str) -> str | None:
    """Only noughts: no error."""
    return code if code.strip("0") else None
