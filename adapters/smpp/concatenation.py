"""Long texts: cut into segments for sending, and the part that a delivery is.

Parts are told by a user data header before the text (3GPP TS 23.040, 9.2.3.24.1 and .8) or by the sar_*
optional parameters (SMPP 3.4, 5.3.2.22 to 24); or the whole text is a message_payload, and the SMSC cuts it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from adapters.smpp.pdu import Pdu, Tlv
from domain.alphabets import Alphabet, encode
from domain.segments import EXTENSION

USER_DATA_HEADER = 0x40
"""In esm_class: the text begins with a header (SMPP 3.4, 5.2.12)."""

_REFERENCE_8, _REFERENCE_16 = 0x00, 0x08  # information elements of the header
_MOST_PARTS = 255
_DEFAULT_CODING, _UCS_2_CODING = 0, 8


class Method(StrEnum):
    """How a text too long for one message is sent."""

    UDH_8 = "udh_8"
    UDH_16 = "udh_16"
    SAR = "sar"
    PAYLOAD = "payload"


@dataclass(frozen=True)
class Part:
    """Which part of which long text; `number` from 1 to `total`."""

    reference: int
    total: int
    number: int


@dataclass(frozen=True)
class Segment:
    """What one submit_sm is to carry."""

    esm_class: int
    short_message: bytes
    tlvs: Mapping[int, bytes] = field(default_factory=dict)


# On the air: septets where the SMSC sends its default alphabet as GSM text, else octets. An SMSC may give
# sar_* parts a header with a 16-bit reference, so they are cut as for one.
_SEPTETS = {Method.UDH_8: 153, Method.UDH_16: 152, Method.SAR: 152}
_OCTETS = {Method.UDH_8: 134, Method.UDH_16: 133, Method.SAR: 133}
_SINGLE_SEPTETS, _SINGLE_OCTETS = 160, 140


def segments(text: str, *, gsm: Alphabet, method: Method, reference: int) -> tuple[int, list[Segment]]:
    """The data_coding for a text, and its segments in order; a text that fits in one needs no `method`.

    `gsm` is the SMSC's default alphabet: text that it holds goes as that (data_coding 0), any other as UCS-2.
    Of `reference` as many bits are used as the method has. An escape pair or a surrogate pair is never cut.

    Raises ValueError when the text needs more than 255 parts, or holds half a surrogate pair.
    """
    whole, alphabet = encode(text, gsm), gsm
    if whole is None:
        whole, alphabet = _octets(text, Alphabet.UCS_2), Alphabet.UCS_2
    data_coding = _UCS_2_CODING if alphabet is Alphabet.UCS_2 else _DEFAULT_CODING
    septets = alphabet in (Alphabet.GSM, Alphabet.ASCII)
    # ASCII alone takes more on the air than here: as GSM text, its brackets are escaped.
    escapes = sum(map(text.count, EXTENSION)) if alphabet is Alphabet.ASCII else 0
    if len(whole) + escapes <= (_SINGLE_SEPTETS if septets else _SINGLE_OCTETS):
        return data_coding, [Segment(0, whole)]
    if method is Method.PAYLOAD:
        return data_coding, [Segment(0, b"", {Tlv.MESSAGE_PAYLOAD: whole})]
    room = (_SEPTETS if septets else _OCTETS)[method]
    pieces = [_octets(piece, alphabet) for piece in _pieces(text, alphabet, room)]
    if len(pieces) > _MOST_PARTS:
        raise ValueError(f"text must need at most {_MOST_PARTS} parts, not {len(pieces)}: send it in several")
    parts = (Part(reference, len(pieces), number) for number in range(1, len(pieces) + 1))
    return data_coding, [_segment(*each, method) for each in zip(parts, pieces, strict=True)]


def read(pdu: Pdu) -> tuple[Part | None, bytes]:
    """The part of a long text that a delivery is, if it is one, and its octets without header.

    Other elements of a header (ports, for one) are passed over. A header that does not add up is left where
    it is: better a text with odd characters than none.
    """
    octets = _user_data(pdu)
    if _number(pdu, "esm_class") & USER_DATA_HEADER:
        return _read_header(octets)
    names = (Tlv.SAR_MSG_REF_NUM, Tlv.SAR_TOTAL_SEGMENTS, Tlv.SAR_SEGMENT_SEQNUM)
    if all(name in pdu.tlvs for name in names):
        return _part(*(int.from_bytes(pdu.tlvs[name][-2:], "big") for name in names)), octets
    return None, octets


def alphabet_of(data_coding: int, default: Alphabet) -> Alphabet | None:
    """What the octets of a text with this data_coding stand for; None: no text that we can read.

    SMPP 3.4, 5.2.19; from 0x10 on, where SMPP takes them over, the groups of 3GPP TS 23.038, section 4.
    `default` is the SMSC's default alphabet, in which it also hands out what phones sent as GSM text.
    """
    if data_coding < 0x10:
        # Some, node-smpp among them, call GSM text IA5.
        ia5 = default if default is Alphabet.GSM else Alphabet.ASCII
        return {0: default, 1: ia5, 3: Alphabet.LATIN_1, 8: Alphabet.UCS_2}.get(data_coding)
    if data_coding < 0x80:  # general: 0x20 compressed, then two bits for the alphabet
        readable = {0x00: default, 0x08: Alphabet.UCS_2}
        return None if data_coding & 0x20 else readable.get(data_coding & 0x0C)
    if data_coding >= 0xF0:  # with a message class: 0x04 is 8-bit data
        return None if data_coding & 0x04 else default
    # Waiting messages in UCS-2; else waiting messages in GSM text, and reserved groups, to be read as such.
    return Alphabet.UCS_2 if data_coding >= 0xE0 else default


def _octets(text: str, alphabet: Alphabet) -> bytes:
    octets = encode(text, alphabet)
    if octets is None:  # UCS-2 lacks nothing else
        raise ValueError("text must not hold half a surrogate pair")
    return octets


def _cost(character: str, alphabet: Alphabet) -> int:
    """What a character takes on the air, in septets or octets."""
    if alphabet is Alphabet.UCS_2:
        return 4 if character > "\uffff" else 2
    if alphabet is Alphabet.LATIN_1:
        return 1
    return 2 if character in EXTENSION else 1


def _pieces(text: str, alphabet: Alphabet, room: int) -> Iterator[str]:
    start = used = 0
    for index, character in enumerate(text):
        cost = _cost(character, alphabet)
        if used + cost > room:
            yield text[start:index]
            start, used = index, 0
        used += cost
    yield text[start:]


def _segment(part: Part, octets: bytes, method: Method) -> Segment:
    if method is Method.SAR:
        tlvs: dict[int, bytes] = {
            Tlv.SAR_MSG_REF_NUM: (part.reference & 0xFFFF).to_bytes(2, "big"),
            Tlv.SAR_TOTAL_SEGMENTS: bytes((part.total,)),
            Tlv.SAR_SEGMENT_SEQNUM: bytes((part.number,)),
        }
        return Segment(0, octets, tlvs)
    if method is Method.UDH_8:
        header = bytes((5, _REFERENCE_8, 3, part.reference & 0xFF, part.total, part.number))
    else:
        reference = (part.reference & 0xFFFF).to_bytes(2, "big")
        header = bytes((6, _REFERENCE_16, 4, *reference, part.total, part.number))
    return Segment(USER_DATA_HEADER, header + octets)


def _user_data(pdu: Pdu) -> bytes:
    octets = pdu.fields.get("short_message", b"")
    return octets if isinstance(octets, bytes) and octets else pdu.tlvs.get(Tlv.MESSAGE_PAYLOAD, b"")


def _number(pdu: Pdu, name: str) -> int:
    value = pdu.fields.get(name, 0)
    return value if isinstance(value, int) else 0


def _read_header(octets: bytes) -> tuple[Part | None, bytes]:
    end = octets[0] + 1 if octets else 1
    if end > len(octets):
        return None, octets
    part, at = None, 1
    while at < end:
        if at + 2 > end or at + 2 + octets[at + 1] > end:
            return None, octets
        element, value = octets[at], octets[at + 2 : at + 2 + octets[at + 1]]
        if (element, len(value)) in ((_REFERENCE_8, 3), (_REFERENCE_16, 4)):
            # TS 23.040, 9.2.3.24: of several the last counts; one that makes no sense is as if not there.
            part = _part(int.from_bytes(value[:-2], "big"), value[-2], value[-1]) or part
        at += 2 + len(value)
    return part, octets[end:]


def _part(reference: int, total: int, number: int) -> Part | None:
    """None when it makes no sense, or there is nothing to put together."""
    return Part(reference, total, number) if 1 < total <= _MOST_PARTS and 0 < number <= total else None
