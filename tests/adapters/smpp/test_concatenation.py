"""Long texts are cut as the air and the SMSC allow, and the parts that come are told from other texts."""

from random import Random

import pytest

from adapters.smpp.concatenation import Method, Part, Segment, alphabet_of, read, segments
from adapters.smpp.pdu import Command, Pdu, Tlv, decode, encode
from domain import alphabets
from domain.alphabets import Alphabet
from domain.segments import measure

_LONG = [Method.UDH_8, Method.UDH_16, Method.SAR]
_EMOJI = "\U0001f600"
_TEXTS = {
    Alphabet.GSM: "Grüße {aus} Köln [€] ~ ",
    Alphabet.LATIN_1: "Olá à façade, £5 ¼ ",
    Alphabet.ASCII: "Plain [text] ~ with ^signs^ ",
    Alphabet.UCS_2: f"Привет {_EMOJI} 你好 ",
}


def _submit(segment: Segment) -> Pdu:
    fields: dict[str, str | int | bytes] = {
        "esm_class": segment.esm_class,
        "short_message": segment.short_message,
    }
    return decode(encode(Pdu(Command.SUBMIT_SM, 1, fields=fields, tlvs=segment.tlvs)))


def _default(alphabet: Alphabet) -> Alphabet:
    return Alphabet.GSM if alphabet is Alphabet.UCS_2 else alphabet


# ── which alphabet, how many parts ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "default", "data_coding", "octets"),
    [
        ("é€", Alphabet.GSM, 0, b"\x05\x1be"),
        ("ê", Alphabet.GSM, 8, b"\x00\xea"),
        ("é", Alphabet.LATIN_1, 0, b"\xe9"),
        ("€", Alphabet.LATIN_1, 8, b"\x20\xac"),
        ("`{", Alphabet.ASCII, 0, b"`{"),
        ("é", Alphabet.ASCII, 8, b"\x00\xe9"),
        (_EMOJI, Alphabet.GSM, 8, b"\xd8\x3d\xde\x00"),
    ],
)
def test_a_text_goes_in_the_default_alphabet_if_that_holds_it_else_in_ucs_2(
    text: str, default: Alphabet, data_coding: int, octets: bytes
) -> None:
    for method in Method:
        assert segments(text, gsm=default, method=method, reference=1) == (data_coding, [Segment(0, octets)])


@pytest.mark.parametrize(
    ("character", "default", "single", "parts"),
    [
        ("a", Alphabet.GSM, 160, {Method.UDH_8: 153, Method.UDH_16: 152, Method.SAR: 152}),
        ("€", Alphabet.GSM, 80, {Method.UDH_8: 76, Method.UDH_16: 76, Method.SAR: 76}),
        ("a", Alphabet.ASCII, 160, {Method.UDH_8: 153, Method.UDH_16: 152, Method.SAR: 152}),
        ("{", Alphabet.ASCII, 80, {Method.UDH_8: 76, Method.UDH_16: 76, Method.SAR: 76}),
        ("a", Alphabet.LATIN_1, 140, {Method.UDH_8: 134, Method.UDH_16: 133, Method.SAR: 133}),
        ("ж", Alphabet.GSM, 70, {Method.UDH_8: 67, Method.UDH_16: 66, Method.SAR: 66}),
        (_EMOJI, Alphabet.GSM, 35, {Method.UDH_8: 33, Method.UDH_16: 33, Method.SAR: 33}),
    ],
)
def test_a_segment_holds_so_many(
    character: str, default: Alphabet, single: int, parts: dict[Method, int]
) -> None:
    for method, part in parts.items():
        for count, needed in ((single, 1), (single + 1, 2), (2 * part, 2), (2 * part + 1, 3)):
            _, made = segments(character * count, gsm=default, method=method, reference=1)
            assert len(made) == needed, (method, count)


@pytest.mark.parametrize("alphabet", Alphabet)
@pytest.mark.parametrize("method", _LONG)
def test_parts_read_back_are_the_text_and_none_is_cut_inside_a_character(
    alphabet: Alphabet, method: Method
) -> None:
    for shift in range(8):
        text = "x" * shift + _TEXTS[alphabet] * 20
        data_coding, made = segments(text, gsm=_default(alphabet), method=method, reference=0x1234)
        read_back = [read(_submit(each)) for each in made]
        reference = 0x34 if method is Method.UDH_8 else 0x1234
        assert [part for part, _ in read_back] == [
            Part(reference, len(made), number) for number in range(1, len(made) + 1)
        ]
        assert data_coding == (8 if alphabet is Alphabet.UCS_2 else 0)
        # Each by itself: a pair cut in two would not come back.
        assert "".join(alphabets.decode(octets, alphabet) for _, octets in read_back) == text


def test_with_the_usual_method_there_are_as_many_parts_as_the_number_shown_to_agents() -> None:
    random = Random(5)
    for _ in range(300):
        characters = random.choice(["ab €", "abж", f"a{_EMOJI}"])
        text = "".join(random.choices(characters, k=random.randint(1, 600)))
        _, made = segments(text, gsm=Alphabet.GSM, method=Method.UDH_8, reference=1)
        assert len(made) == measure(text).segments


@pytest.mark.parametrize("alphabet", Alphabet)
def test_a_payload_is_one_segment(alphabet: Alphabet) -> None:
    text = _TEXTS[alphabet] * 20
    _, [made] = segments(text, gsm=_default(alphabet), method=Method.PAYLOAD, reference=1)
    assert made.short_message == b""
    assert read(_submit(made)) == (None, alphabets.encode(text, alphabet))


def test_headers_are_written_octet_for_octet() -> None:
    text = "a" * 161
    _, eight = segments(text, gsm=Alphabet.GSM, method=Method.UDH_8, reference=0x1FE)
    _, sixteen = segments(text, gsm=Alphabet.GSM, method=Method.UDH_16, reference=0x1FE)
    _, sar = segments(text, gsm=Alphabet.GSM, method=Method.SAR, reference=0x101FE)
    assert eight[1] == Segment(0x40, bytes.fromhex("050003FE0202") + b"a" * 8)
    assert sixteen[1] == Segment(0x40, bytes.fromhex("06080401FE0202") + b"a" * 9)
    assert sar[1] == Segment(0, b"a" * 9, {0x20C: b"\x01\xfe", 0x20E: b"\2", 0x20F: b"\2"})


def test_what_cannot_be_sent_is_said() -> None:
    most = "a" * 153 * 255
    assert len(segments(most, gsm=Alphabet.GSM, method=Method.UDH_8, reference=1)[1]) == 255
    with pytest.raises(ValueError, match="text must need at most 255 parts, not 256"):
        segments(most + "a", gsm=Alphabet.GSM, method=Method.UDH_8, reference=1)
    with pytest.raises(ValueError, match="surrogate"):
        segments("\ud83d", gsm=Alphabet.GSM, method=Method.UDH_8, reference=1)


# ── what comes ─────────────────────────────────────────────────────────────────────────────────


def _delivery(octets: bytes, esm_class: int = 0x40, tlvs: dict[int, bytes] | None = None) -> Pdu:
    return Pdu(
        Command.DELIVER_SM, 1, fields={"esm_class": esm_class, "short_message": octets}, tlvs=tlvs or {}
    )


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("0500030A0302", Part(10, 3, 2)),
        ("0608040A0B0302", Part(0x0A0B, 3, 2)),
        ("0B0504158A00000003FF0201", Part(255, 2, 1)),  # ports before
        ("0B0003FF02010504158A0000", Part(255, 2, 1)),  # ports after
        ("0A00030A03020003 0B0403", Part(11, 4, 3)),  # twice: the last
        ("060504158A0000", None),  # ports alone
        ("00", None),  # empty
        ("0500030A0101", None),  # the only part of one
        ("0500030A0304", None),  # the fourth of three
        ("0500030A0300", None),  # the part before the first
        ("0500030A0001", None),  # of none
        ("0300010A", None),  # an element too short for what it says it is
    ],
)
def test_a_header_is_read_and_taken_off(header: str, part: Part | None) -> None:
    assert read(_delivery(bytes.fromhex(header) + b"text")) == (part, b"text")


@pytest.mark.parametrize("octets", ["", "05", "0500030A03", "FF0003", "0500040A0302", "010041"])
def test_a_header_that_does_not_add_up_stays_where_it_is(octets: str) -> None:
    assert read(_delivery(bytes.fromhex(octets))) == (None, bytes.fromhex(octets))


def test_without_the_indicator_there_is_no_header() -> None:
    octets = bytes.fromhex("0500030A0302")
    assert read(_delivery(octets, esm_class=0)) == (None, octets)


def test_a_header_may_be_in_the_payload() -> None:
    payload: dict[int, bytes] = {Tlv.MESSAGE_PAYLOAD: bytes.fromhex("0500030A0302") + b"text"}
    assert read(_delivery(b"", tlvs=payload)) == (Part(10, 3, 2), b"text")
    data_sm = Pdu(Command.DATA_SM, 1, fields={"esm_class": 0x40}, tlvs=payload)
    assert read(data_sm) == (Part(10, 3, 2), b"text")


@pytest.mark.parametrize(
    ("reference", "total", "number", "part"),
    [
        (b"\1\2", b"\3", b"\2", Part(0x0102, 3, 2)),
        (b"\2", b"\3", b"\2", Part(2, 3, 2)),
        (b"\1\2", b"\0\3", b"\0\2", Part(0x0102, 3, 2)),  # wider than they should be
        (b"\1\2", b"\1", b"\1", None),
        (b"\1\2", b"\3", b"\4", None),
        (b"\1\2", b"\1\3", b"\2", None),
        (b"", b"", b"", None),
    ],
)
def test_parts_by_optional_parameters(
    reference: bytes, total: bytes, number: bytes, part: Part | None
) -> None:
    tlvs = {0x20C: reference, 0x20E: total, 0x20F: number}
    assert read(_delivery(b"text", esm_class=0, tlvs=tlvs)) == (part, b"text")


def test_optional_parameters_that_are_not_all_there_tell_nothing() -> None:
    assert read(_delivery(b"text", esm_class=0, tlvs={0x20E: b"\2", 0x20F: b"\1"})) == (None, b"text")


@pytest.mark.parametrize(
    ("data_coding", "alphabet"),
    [
        (0x01, Alphabet.ASCII),
        (0x02, None),
        (0x03, Alphabet.LATIN_1),
        (0x04, None),
        (0x06, None),  # Cyrillic
        (0x08, Alphabet.UCS_2),
        (0x10, Alphabet.LATIN_1),  # shown at once, in the default alphabet
        (0x14, None),
        (0x18, Alphabet.UCS_2),
        (0x1C, None),  # reserved
        (0x20, None),  # compressed
        (0x58, Alphabet.UCS_2),  # deleted once read
        (0xC8, Alphabet.LATIN_1),  # a message waits
        (0xE0, Alphabet.UCS_2),
        (0xF1, Alphabet.LATIN_1),
        (0xF5, None),
    ],
)
def test_the_data_coding_names_the_alphabet(data_coding: int, alphabet: Alphabet | None) -> None:
    assert alphabet_of(data_coding, Alphabet.LATIN_1) is alphabet


@pytest.mark.parametrize("default", Alphabet)
def test_what_the_default_alphabet_is_the_mapping_says(default: Alphabet) -> None:
    assert alphabet_of(0, default) is default


def test_ia5_from_an_smsc_of_gsm_text_is_gsm_text() -> None:
    assert alphabet_of(1, Alphabet.GSM) is Alphabet.GSM
