"""What an SMSC delivers: texts, long texts and receipts, as deliver_sm without a sequence number.

Written apart from adapters/smpp, so that the two do not share their mistakes.
"""

from enum import StrEnum

from adapters.smpp.pdu import Command, Pdu, Tlv
from domain.segments import BASIC, ESCAPE, EXTENSION

RECEIPT = 0x04  # esm_class (SMPP 3.4, 5.2.12)
USER_DATA_HEADER = 0x40
UCS_2 = 8  # data_coding (5.2.19)

_PART_OCTETS = 132  # 66 UTF-16 units: room for either header

_STATES = {
    "ENROUTE": 1, "DELIVRD": 2, "EXPIRED": 3, "DELETED": 4,
    "UNDELIV": 5, "ACCEPTD": 6, "UNKNOWN": 7, "REJECTD": 8,
}  # fmt: skip


class Method(StrEnum):
    """How the parts of a long text say what they belong to."""

    UDH_8 = "udh_8"
    UDH_16 = "udh_16"
    SAR = "sar"
    PAYLOAD = "payload"  # one deliver_sm, the text in message_payload


class ReceiptForm(StrEnum):
    """Where a receipt says what it has to say."""

    TEXT = "text"
    TLVS = "tlvs"
    BOTH = "both"


def text(source: str, destination: str, content: str | bytes, data_coding: int = 0) -> Pdu:
    """A short text. By `data_coding` a str becomes GSM 03.38 (0), ASCII (1), Latin-1 (3) or UCS-2 (8)."""
    octets = content if isinstance(content, bytes) else _encoded(content, data_coding)
    return _deliver(source, destination, octets, data_coding=data_coding)


def long_text(source: str, destination: str, content: str, method: Method, reference: int) -> list[Pdu]:
    """A text in UCS-2, in as many parts as it takes: of 66 UTF-16 units each, wherever that cuts."""
    octets = content.encode("utf-16-be", "surrogatepass")
    if method is Method.PAYLOAD:
        tlvs = {int(Tlv.MESSAGE_PAYLOAD): octets}
        return [_deliver(source, destination, b"", data_coding=UCS_2, tlvs=tlvs)]
    cuts = [octets[at : at + _PART_OCTETS] for at in range(0, len(octets), _PART_OCTETS)]
    return [
        _part(source, destination, cut, method, (reference, len(cuts), number))
        for number, cut in enumerate(cuts, 1)
    ]


def receipt(submitted: Pdu, message_id: str, stat: str, form: ReceiptForm, error: str = "000") -> Pdu:
    """A receipt of a submit_sm, in the form of SMPP 3.4's appendix B, in TLVs, or in both."""
    tlvs, words = {}, b""
    if form is not ReceiptForm.TEXT:
        tlvs = {
            int(Tlv.RECEIPTED_MESSAGE_ID): message_id.encode() + b"\0",
            int(Tlv.MESSAGE_STATE): bytes([_STATES[stat]]),
            int(Tlv.NETWORK_ERROR_CODE): b"\x03" + int(error).to_bytes(2, "big"),
        }
    if form is not ReceiptForm.TLVS:
        delivered = "001" if stat == "DELIVRD" else "000"
        words = (
            f"id:{message_id} sub:001 dlvrd:{delivered} submit date:2611220101 done date:2611220102 "
            f"stat:{stat} err:{error} text:"
        ).encode() + bytes(submitted.fields.get("short_message", b""))[:20]  # type: ignore[arg-type]
    source, destination = str(submitted.fields["destination_addr"]), str(submitted.fields["source_addr"])
    return _deliver(source, destination, words, esm_class=RECEIPT, tlvs=tlvs)


def _part(source: str, destination: str, octets: bytes, method: Method, place: tuple[int, int, int]) -> Pdu:
    reference, total, number = place
    if method is Method.SAR:
        tlvs = {
            int(Tlv.SAR_MSG_REF_NUM): reference.to_bytes(2, "big"),
            int(Tlv.SAR_TOTAL_SEGMENTS): bytes([total]),
            int(Tlv.SAR_SEGMENT_SEQNUM): bytes([number]),
        }
        return _deliver(source, destination, octets, data_coding=UCS_2, tlvs=tlvs)
    if method is Method.UDH_8:
        header = bytes([5, 0, 3, reference, total, number])
    else:
        header = bytes([6, 8, 4, *reference.to_bytes(2, "big"), total, number])
    return _deliver(source, destination, header + octets, data_coding=UCS_2, esm_class=USER_DATA_HEADER)


def _deliver(
    source: str,
    destination: str,
    octets: bytes,
    *,
    data_coding: int = 0,
    esm_class: int = 0,
    tlvs: dict[int, bytes] | None = None,
) -> Pdu:
    fields: dict[str, str | int | bytes] = {
        "source_addr_ton": 1,
        "source_addr_npi": 1,
        "source_addr": source,
        "dest_addr_ton": 1,
        "dest_addr_npi": 1,
        "destination_addr": destination,
        "esm_class": esm_class,
        "data_coding": data_coding,
        "short_message": octets,
    }
    return Pdu(Command.DELIVER_SM, 0, fields=fields, tlvs=tlvs or {})


def _encoded(content: str, data_coding: int) -> bytes:
    if data_coding == 0:
        return b"".join(
            bytes([0x1B, EXTENSION[each]]) if each in EXTENSION else bytes([_basic(each)]) for each in content
        )
    return content.encode({1: "ascii", 3: "latin-1", UCS_2: "utf-16-be"}[data_coding])


def _basic(character: str) -> int:
    if character == ESCAPE:
        raise ValueError("the escape is no character")
    return BASIC.index(character)
