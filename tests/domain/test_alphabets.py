"""How octets become text, and text octets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.alphabets import Alphabet, decode, encode
from domain.segments import BASIC, ESCAPE, EXTENSION

gsm_texts = st.text(st.sampled_from([*BASIC.replace(ESCAPE, ""), *EXTENSION]))
# What an encoded text cannot hold: half of a surrogate pair.
whole_texts = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("octets", "alphabet", "text"),
    [
        (b"", Alphabet.GSM, ""),
        (b"Hello", Alphabet.GSM, "Hello"),
        (b"\x00\x02\x11\x40\x7f", Alphabet.GSM, "@$_¡à"),
        (b"\x1b\x65\x1b\x3c5\x1b\x3e", Alphabet.GSM, "€[5]"),
        (b"\x1b\x0a", Alphabet.GSM, "\f"),
        (b"caf\xe9", Alphabet.LATIN_1, "café"),
        (b"\x00@", Alphabet.LATIN_1, "\x00@"),
        (b"@$[", Alphabet.ASCII, "@$["),
        (b"\x00H\x20\xac\xd8\x3d\xde\x00", Alphabet.UCS_2, "H€😀"),
    ],
)
def test_octets_become_text_and_text_the_same_octets(octets: bytes, alphabet: Alphabet, text: str) -> None:
    assert decode(octets, alphabet) == text
    assert encode(text, alphabet) == octets


@pytest.mark.parametrize(
    ("octets", "alphabet", "text"),
    [
        pytest.param(b"a\x1b", Alphabet.GSM, "a", id="an escape that nothing follows"),
        pytest.param(b"a\x1bbc", Alphabet.GSM, "abc", id="an escape before a septet without extension"),
        pytest.param(b"a\x1b\x1bc", Alphabet.GSM, "a c", id="two escapes: a table that does not exist yet"),
        pytest.param(b"a\x80b\xff", Alphabet.GSM, "a\ufffdb\ufffd", id="octets that are no septets"),
        pytest.param(b"\x1b\xe9", Alphabet.GSM, "\ufffd", id="an escape before what is no septet"),
        pytest.param(b"caf\xe9!", Alphabet.ASCII, "caf\ufffd!", id="octets that are not ASCII"),
        pytest.param(b"\x00H\x00", Alphabet.UCS_2, "H\ufffd", id="an odd octet"),
        pytest.param(b"\xd8\x3d\x00H", Alphabet.UCS_2, "\ufffdH", id="a high surrogate alone"),
        pytest.param(b"\x00H\xd8\x3d", Alphabet.UCS_2, "H\ufffd", id="a high surrogate at the end"),
        pytest.param(b"\xde\x00\x00H", Alphabet.UCS_2, "\ufffdH", id="a low surrogate alone"),
    ],
)
def test_what_means_nothing_is_replaced_and_the_rest_stays(
    octets: bytes, alphabet: Alphabet, text: str
) -> None:
    assert decode(octets, alphabet) == text


@pytest.mark.parametrize(
    ("text", "alphabet"),
    [
        ("中", Alphabet.GSM),
        ("`", Alphabet.GSM),
        (ESCAPE, Alphabet.GSM),
        ("€", Alphabet.LATIN_1),
        ("é", Alphabet.ASCII),
        ("\ud83d", Alphabet.UCS_2),
    ],
)
def test_a_text_that_the_alphabet_lacks_is_not_encoded(text: str, alphabet: Alphabet) -> None:
    assert encode(f"a{text}b", alphabet) is None


@given(gsm_texts)
def test_every_gsm_text_survives(text: str) -> None:
    octets = encode(text, Alphabet.GSM)
    assert octets is not None
    assert max(octets, default=0) < 0x80
    assert decode(octets, Alphabet.GSM) == text


@given(whole_texts)
def test_every_text_survives_in_ucs_2(text: str) -> None:
    octets = encode(text, Alphabet.UCS_2)
    assert octets is not None
    assert decode(octets, Alphabet.UCS_2) == text


@given(st.binary(), st.sampled_from(Alphabet))
def test_any_octets_become_a_text_that_can_be_kept(octets: bytes, alphabet: Alphabet) -> None:
    assert decode(octets, alphabet).encode("utf-8") is not None
