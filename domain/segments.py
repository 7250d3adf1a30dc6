"""How a text is cut into SMS parts, and what it costs.

The alphabet is the GSM 7-bit default alphabet and its default extension table: 3GPP TS 23.038, sections
6.2.1 and 6.2.1.1. A text wholly in it is sent as GSM-7, any other as UCS-2 (UTF-16). A single message carries
140 octets; each part of a longer one gives 6 of them to the concatenation header with an 8-bit reference
(3GPP TS 23.040, section 9.2.3.24.1): hence 160 or 153 septets, 70 or 67 UTF-16 units.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Encoding = Literal["GSM-7", "UCS-2"]

ESCAPE = "\x1b"

# A character's index is its septet. The one at 0x1B is the escape itself, which no text may contain.
BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅå"
    "Δ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./"
    "0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmno"
    "pqrstuvwxyzäöñüà"
)

# Sent as two septets: the escape, then this one.
EXTENSION = {
    "\f": 0x0A, "^": 0x14, "{": 0x28, "}": 0x29, "\\": 0x2F,
    "[": 0x3C, "~": 0x3D, "]": 0x3E, "|": 0x40, "€": 0x65,
}  # fmt: skip

_SEPTETS = {character: 1 for character in BASIC if character != ESCAPE} | dict.fromkeys(EXTENSION, 2)
_SINGLE: dict[Encoding, int] = {"GSM-7": 160, "UCS-2": 70}
_PART: dict[Encoding, int] = {"GSM-7": 153, "UCS-2": 67}

_JOINER = "\u200d"


@dataclass(frozen=True, slots=True)
class Measure:
    """What a text costs to send.

    `characters` are Unicode code points; `units` are septets for GSM-7 and UTF-16 units for UCS-2; `segments`
    are messages on the air (0 for an empty text); `units_left_in_last` is the room in the last of them;
    `culprit` is the first character that forced UCS-2, or None.
    """

    encoding: Encoding
    characters: int
    units: int
    segments: int
    units_left_in_last: int
    culprit: str | None


def measure(text: str) -> Measure:
    """Say how `text` is encoded and how many segments it takes, exactly as `split` would cut it."""
    culprit = _culprit(text)
    encoding: Encoding = "GSM-7" if culprit is None else "UCS-2"
    units = [_units(character, encoding) for character in text]
    total, room = sum(units), _SINGLE[encoding]
    if total <= room:
        return Measure(encoding, len(text), total, 1 if text else 0, room - total, culprit)
    room = _PART[encoding]
    segments, used = 1, 0
    for size in units:
        if used + size > room:
            segments, used = segments + 1, 0
        used += size
    return Measure(encoding, len(text), total, segments, room - used, culprit)


def split(text: str) -> list[str]:
    """Cut `text` into the parts to send, in order; joined they are `text` again.

    Parts are filled greedily. An escape pair or a surrogate pair is never cut in two, so a part may end one
    unit short. All parts go out in the encoding that `measure` gives for the whole text.
    """
    encoding: Encoding = "GSM-7" if _culprit(text) is None else "UCS-2"
    if sum(_units(character, encoding) for character in text) <= _SINGLE[encoding]:
        return [text] if text else []
    parts, start, used = [], 0, 0
    for index, character in enumerate(text):
        size = _units(character, encoding)
        if used + size > _PART[encoding]:
            parts.append(text[start:index])
            start, used = index, 0
        used += size
    return [*parts, text[start:]]


def split_at(text: str, limit: int) -> list[str]:
    """Cut `text` into parts of at most `limit` code points, in order; joined they are `text` again.

    A part ends after a space where it can, else between two visible characters (an accent, an emoji sequence
    or a flag stays whole), else, when one visible character is longer than `limit`, inside it.

    Raises ValueError when `limit` is below 1.
    """
    if limit < 1:
        raise ValueError(f"limit must be at least 1 character, not {limit}")
    return list(_pieces(text, limit))


def _pieces(text: str, limit: int) -> Iterator[str]:
    start = 0
    while len(text) - start > limit:
        end = _cut(text, start, start + limit)
        yield text[start:end]
        start = end
    if start < len(text):
        yield text[start:]


def _cut(text: str, start: int, end: int) -> int:
    """The best place after `start`, and no later than `end`, to end a part of `text`."""
    # Leading spaces end no part: a part of nothing but spaces would be an empty message.
    first = next((index for index in range(start, end) if not text[index].isspace()), end)
    for index in range(end, first, -1):
        if text[index - 1].isspace() and not _joined(text, index):
            return index
    for index in range(end, start, -1):
        if not _joined(text, index):
            return index
    return end


def _joined(text: str, index: int) -> bool:
    """Whether the characters on both sides of `index` show as one (UAX #29, without Hangul and Indic)."""
    before, after = text[index - 1], text[index]
    if _is_flag_half(before) and _is_flag_half(after):
        return _flag_halves_before(text, index) % 2 == 1
    return (
        before + after == "\r\n"
        or _JOINER in (before, after)
        or unicodedata.category(after) in ("Mn", "Me", "Mc")
        or "\U0001f3fb" <= after <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= after <= "\U000e007f"  # tags, as in the flag of Wales
        or ("\ud800" <= before <= "\udbff" and "\udc00" <= after <= "\udfff")
    )


def _is_flag_half(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _flag_halves_before(text: str, index: int) -> int:
    first = index
    while first > 0 and _is_flag_half(text[first - 1]):
        first -= 1
    return index - first


def _culprit(text: str) -> str | None:
    return next((character for character in text if character not in _SEPTETS), None)


def _units(character: str, encoding: Encoding) -> int:
    if encoding == "GSM-7":
        return _SEPTETS[character]
    return 2 if character > "\uffff" else 1
