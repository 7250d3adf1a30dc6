"""Octets of a short message to text, and back.

SMPP names the alphabet of a message by its data coding (SMPP 3.4, 5.2.19). GSM text comes unpacked: one
septet an octet (3GPP TS 23.038, sections 6.2.1 and 6.2.1.1).
"""

from codecs import charmap_encode
from enum import StrEnum

from domain.segments import BASIC, ESCAPE, EXTENSION

UNKNOWN = "\ufffd"
"""Stands for what means nothing (Unicode's replacement character)."""

_ESCAPE = BASIC.index(ESCAPE)
_EXTENDED = {septet: character for character, septet in EXTENSION.items()}
# Escape twice is kept for a table yet to come: "a receiving entity shall display a space until then".
_EXTENDED[_ESCAPE] = " "
_OCTETS = {ord(character): bytes([septet]) for septet, character in enumerate(BASIC) if septet != _ESCAPE} | {
    ord(character): bytes([_ESCAPE, septet]) for character, septet in EXTENSION.items()
}


class Alphabet(StrEnum):
    """What the octets of a text stand for."""

    GSM = "gsm"
    LATIN_1 = "latin-1"
    ASCII = "ascii"
    UCS_2 = "ucs-2"  # in fact UTF-16, most significant octet first


_CODECS = {Alphabet.LATIN_1: "latin-1", Alphabet.ASCII: "ascii", Alphabet.UCS_2: "utf-16-be"}


def decode(octets: bytes, alphabet: Alphabet) -> str:
    """The text that the octets stand for, whatever they are: what means nothing becomes `UNKNOWN`.

    In GSM text an escape before what the extension table lacks is passed over, as TS 23.038 (6.2.1.1) asks;
    so is one at the end.
    """
    if alphabet is Alphabet.GSM:
        return _decode_gsm(octets)
    return octets.decode(_CODECS[alphabet], errors="replace")


def encode(text: str, alphabet: Alphabet) -> bytes | None:
    """The octets that stand for the text; None when the alphabet lacks one of its characters."""
    try:
        if alphabet is Alphabet.GSM:
            return charmap_encode(text, "strict", _OCTETS)[0]
        return text.encode(_CODECS[alphabet])
    except UnicodeEncodeError:
        return None


def _decode_gsm(octets: bytes) -> str:
    characters: list[str] = []
    escaped = False
    for octet in octets:
        if octet == _ESCAPE and not escaped:
            escaped = True
            continue
        basic = BASIC[octet] if octet < len(BASIC) else UNKNOWN
        characters.append(_EXTENDED.get(octet, basic) if escaped else basic)
        escaped = False
    return "".join(characters)
