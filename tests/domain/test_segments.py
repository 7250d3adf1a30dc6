"""How texts are measured and cut."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.segments import BASIC, ESCAPE, EXTENSION, measure, split, split_at

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"  # man, woman, girl: five code points that show as one
CORPUS = Path(os.environ.get("PARLEY_CORPUS") or "not given")
# By code point, as in the Unicode Consortium's GSM0338.TXT, so that no look-alike slips in.
UNLIKE_ASCII = {
    **dict(
        enumerate(map(chr, [0x40, 0xA3, 0x24, 0xA5, 0xE8, 0xE9, 0xF9, 0xEC, 0xF2, 0xC7, 0x0A, 0xD8, 0xF8]))
    ),
    **dict(
        enumerate(map(chr, [0x0D, 0xC5, 0xE5, 0x394, 0x5F, 0x3A6, 0x393, 0x39B, 0x3A9, 0x3A0, 0x3A8]), 0x0D)
    ),
    **dict(enumerate(map(chr, [0x3A3, 0x398, 0x39E, 0x1B, 0xC6, 0xE6, 0xDF, 0xC9]), 0x18)),
    0x24: chr(0xA4),
    0x40: chr(0xA1),
    0x60: chr(0xBF),
    **dict(enumerate(map(chr, [0xC4, 0xD6, 0xD1, 0xDC, 0xA7]), 0x5B)),
    **dict(enumerate(map(chr, [0xE4, 0xF6, 0xF1, 0xFC, 0xE0]), 0x7B)),
}
ROOM = {"GSM-7": (160, 153), "UCS-2": (70, 67)}

gsm_texts = st.text(st.sampled_from([*BASIC.replace(ESCAPE, ""), *EXTENSION]), max_size=700)
texts = gsm_texts | st.text(max_size=300) | st.text(st.sampled_from("a é€^中😀\u200d\u0301"), max_size=400)


def units(text: str, encoding: str) -> int:
    if encoding == "UCS-2":
        return len(text.encode("utf-16-be")) // 2
    return sum(2 if character in EXTENSION else 1 for character in text)


@pytest.mark.parametrize(
    ("text", "encoding", "used", "segments", "left"),
    [
        ("", "GSM-7", 0, 0, 160),
        ("a", "GSM-7", 1, 1, 159),
        ("a" * 160, "GSM-7", 160, 1, 0),
        ("a" * 161, "GSM-7", 161, 2, 145),
        ("a" * 306, "GSM-7", 306, 2, 0),
        ("a" * 307, "GSM-7", 307, 3, 152),
        ("€" * 80, "GSM-7", 160, 1, 0),
        ("€" * 81, "GSM-7", 162, 2, 143),  # 76 fit in a part of 153, not 76 and a half
        ("a" * 152 + "€" + "a" * 152, "GSM-7", 306, 3, 152),  # 2 parts by division
        ("中" * 70, "UCS-2", 70, 1, 0),
        ("中" * 71, "UCS-2", 71, 2, 63),
        ("中" * 134, "UCS-2", 134, 2, 0),
        ("😀" * 35, "UCS-2", 70, 1, 0),
        ("😀" * 36, "UCS-2", 72, 2, 61),  # 33 fit in a part of 67
        ("中" * 66 + "😀" + "中" * 66, "UCS-2", 134, 3, 66),  # 2 parts by division
    ],
)
def test_measure(text: str, encoding: str, used: int, segments: int, left: int) -> None:
    found = measure(text)
    assert (found.encoding, found.characters, found.units) == (encoding, len(text), used)
    assert (found.segments, found.units_left_in_last) == (segments, left)
    assert len(split(text)) == segments


@pytest.mark.parametrize(
    ("text", "culprit"),
    [
        ("plain", None),
        (BASIC.replace(ESCAPE, "") + "".join(EXTENSION), None),
        ("it’s “quoted”", "’"),
        ("caffè ç", "ç"),  # the alphabet has the capital only
        ("a`b", "`"),
        ("a\x1bb", ESCAPE),
        ("a\tb", "\t"),
        ("a\x00b", "\x00"),
        ("ok 😀 中", "😀"),
        ("a\ud83d", "\ud83d"),
    ],
)
def test_culprit_is_the_first_character_outside_the_alphabet(text: str, culprit: str | None) -> None:
    found = measure(text)
    assert found.culprit == culprit
    assert found.encoding == ("GSM-7" if culprit is None else "UCS-2")


def test_a_character_is_at_its_septet() -> None:
    expected = {septet: chr(septet) for septet in range(0x20, 0x7F)} | UNLIKE_ASCII
    assert dict(enumerate(BASIC)) == expected


def test_an_extension_character_follows_the_escape_at_its_septet() -> None:
    assert {septet: character for character, septet in EXTENSION.items()} == {
        0x0A: "\f",
        0x14: "^",
        0x28: "{",
        0x29: "}",
        0x2F: "\\",
        0x3C: "[",
        0x3D: "~",
        0x3E: "]",
        0x40: "|",
        0x65: "€",
    }


def test_nothing_is_both_basic_and_extension() -> None:
    assert not set(EXTENSION) & set(BASIC)


def test_split_keeps_escape_and_surrogate_pairs_whole() -> None:
    assert split("a" * 152 + "€" + "a" * 20) == ["a" * 152, "€" + "a" * 20]
    assert split("中" * 66 + "😀" + "中" * 20) == ["中" * 66, "😀" + "中" * 20]


@given(texts)
def test_parts_join_back_and_are_filled_greedily(text: str) -> None:
    found, parts = measure(text), split(text)
    single, part = ROOM[found.encoding]
    sizes = [units(each, found.encoding) for each in parts]
    assert "".join(parts) == text
    assert (sum(sizes), len(sizes)) == (found.units, found.segments)
    assert (len(parts) > 1) == (found.units > single)
    if len(parts) > 1:
        assert max(sizes) <= part
        assert part - sizes[-1] == found.units_left_in_last
        for size, following in zip(sizes, parts[1:], strict=False):
            assert size + units(following[0], found.encoding) > part


@given(st.text(st.characters(), max_size=50) | st.text(st.sampled_from("\ud83d\ude00a"), max_size=200))
def test_lone_surrogates_are_measured_and_cut_too(text: str) -> None:
    assert len(split(text)) == measure(text).segments
    assert "".join(split(text)) == "".join(split_at(text, 7)) == text


@pytest.mark.parametrize(
    ("text", "limit", "parts"),
    [
        ("", 5, []),
        ("exact", 5, ["exact"]),
        ("one two three", 8, ["one two ", "three"]),
        ("one two", 6, ["one ", "two"]),
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
        ("   abcdef", 5, ["   ab", "cdef"]),  # leading spaces are no part
        ("ab  cd", 3, ["ab ", " cd"]),
        ("abcde\u0301f", 5, ["abcd", "e\u0301f"]),  # e and its accent
        ("ab " + FAMILY, 6, ["ab ", FAMILY]),
        ("ab" + FAMILY, 6, ["ab", FAMILY]),
        ("👍🏽👍🏽", 3, ["👍🏽", "👍🏽"]),
        ("🇫🇷🇩🇪🇮🇹", 3, ["🇫🇷", "🇩🇪", "🇮🇹"]),
        ("abc\r\ndef", 4, ["abc", "\r\nde", "f"]),
        ("abc❤️d", 4, ["abc", "❤️d"]),
        ("abc\ud83d\ude00", 4, ["abc", "\ud83d\ude00"]),
        ("a" + "\u0301" * 5, 3, ["a\u0301\u0301", "\u0301\u0301\u0301"]),  # longer than any part: cut anyhow
    ],
)
def test_split_at(text: str, limit: int, parts: list[str]) -> None:
    assert split_at(text, limit) == parts


@given(texts | st.text(st.sampled_from(" \nab🇫\u0301\u200d"), max_size=200), st.integers(1, 40))
def test_split_at_joins_back_within_the_limit(text: str, limit: int) -> None:
    parts = split_at(text, limit)
    assert "".join(parts) == text
    assert all(0 < len(part) <= limit for part in parts)


@given(st.lists(st.text(st.sampled_from("abc"), min_size=1, max_size=10), min_size=1, max_size=60))
def test_split_at_never_cuts_a_word_that_fits(words: list[str]) -> None:
    parts = split_at(" ".join(words), 11)
    assert [word for part in parts for word in part.split()] == words


@pytest.mark.parametrize("limit", [0, -1])
def test_split_at_refuses_a_limit_below_one(limit: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        split_at("a", limit)


@pytest.mark.skipif(not CORPUS.is_file(), reason="PARLEY_CORPUS names no file of label<TAB>text lines")
@pytest.mark.parametrize("cut", [split, lambda text: split_at(text, 40)], ids=["split", "split_at"])
def test_every_text_of_the_corpus_joins_back(cut: Callable[[str], list[str]]) -> None:
    lines = [line for line in CORPUS.read_text(encoding="utf-8").split("\n") if line]
    corpus = [line.partition("\t")[2] for line in lines]
    assert all(corpus), "a line without a label, a tab and a text"
    assert [text for text in corpus if "".join(cut(text)) != text] == []
    measures = [measure(text) for text in corpus]
    assert [len(split(text)) for text in corpus] == [found.segments for found in measures]
    # Real texts are mostly short: had the arithmetic gone wrong, most would be long.
    assert sum(found.segments > 1 for found in measures) < len(corpus) / 10
