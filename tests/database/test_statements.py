"""Statements mean the same on both databases."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from database import postgres, sqlite
from database.sql import Row, Values, folded, hexed, like, micros, moment, packed, unhexed, unpacked
from tests.database.conftest import WORDS
from tests.fakes.databases import Opened


def put(database: Opened, *rows: tuple[str, int | None]) -> None:
    with database.writing() as c:
        c.put(WORDS, [{"word": word, "number": number} for word, number in rows])


def words(database: Opened, condition: str, values: Values) -> list[str]:
    rows = database.rows(f"SELECT word FROM words WHERE {condition} ORDER BY word", values)  # noqa: S608
    return [row["word"] for row in rows]


# ── words and parameters ───────────────────────────────────────────────────────────────────────


def test_parameters_and_lists_are_translated() -> None:
    statement = "SELECT a::text, '%' FROM t WHERE a = :a AND b IN :many AND c NOT IN :many AND d LIKE :a"
    assert sqlite._translated("a IN :many AND b NOT IN :many") == (
        "a IN (SELECT value FROM json_each(:many)) AND b NOT IN (SELECT value FROM json_each(:many))"
    )
    assert postgres._translated(statement) == (
        "SELECT a::text, '%%' FROM t WHERE a = %(a)s AND b = ANY(%(many)s) AND c <> ALL(%(many)s)"
        " AND d LIKE %(a)s"
    )


@pytest.mark.parametrize("make", [list, tuple, set, frozenset, lambda them: dict.fromkeys(them, "x")])
@pytest.mark.parametrize(
    "wanted", [[], ["a"], ["a", "ż%", "nowhere"], [f"w{n}" for n in range(5_000)] + ["b"]]
)
def test_in_takes_none_one_and_many(database: Opened, wanted: list[str], make: Any) -> None:
    put(database, ("a", 1), ("b", 2), ("ż%", 3))
    found = [each for each in ("a", "b", "ż%") if each in wanted]
    assert words(database, "word IN :wanted", {"wanted": make(wanted)}) == found
    rest = [each for each in ("a", "b", "ż%") if each not in wanted]
    assert words(database, "word NOT IN :wanted", {"wanted": make(wanted)}) == rest


@pytest.mark.parametrize("wanted", [[], [2], [1, 2**40, -3]])
def test_in_takes_numbers(database: Opened, wanted: list[int]) -> None:
    put(database, ("a", 1), ("b", 2), ("c", 2**40), ("d", None))
    found = [word for word, number in (("a", 1), ("b", 2), ("c", 2**40)) if number in wanted]
    assert words(database, "number IN :wanted", {"wanted": wanted}) == found


def test_percent_signs_and_colons_are_texts(database: Opened) -> None:
    put(database, ("100% :sure", 1), ("100", 2))
    assert words(database, "word LIKE '100%'", {}) == ["100", "100% :sure"]
    assert words(database, "word LIKE '100%' AND number < :n", {"n": 2}) == ["100% :sure"]
    assert words(database, "word = :word", {"word": "100% :sure"}) == ["100% :sure"]


def test_what_like_means_itself_is_escaped(database: Opened) -> None:
    put(database, ("a_b", 1), ("axb", 2), ("50% !", 3), ("straße", 4))
    for part, found in (("a_B", "a_b"), ("% !", "50% !"), ("STRASSE", None)):
        matching = words(database, "word LIKE :like ESCAPE '!'", {"like": like(part)})
        assert matching == ([found] if found else [])
    assert folded("STRAßE") == "strasse"


# ── values ─────────────────────────────────────────────────────────────────────────────────────


def test_truth_is_one_or_zero(database: Opened) -> None:
    with database.writing() as c:
        c.run("INSERT INTO words VALUES (:word, :number)", {"word": "run", "number": True})
        c.run_many("INSERT INTO words VALUES (:word, :number)", [{"word": "many", "number": False}])
        c.put(WORDS, [{"word": "put", "number": True}])
    rows = database.rows("SELECT word, number FROM words")
    assert {row["word"]: row["number"] for row in rows} == {"run": 1, "many": 0, "put": 1}
    assert words(database, "number = :truth", {"truth": True}) == ["put", "run"]
    assert words(database, "number IN :truths", {"truths": [True]}) == ["put", "run"]


def test_a_text_with_nul_characters_is_kept_and_found(database: Opened) -> None:
    put(database, ("a\0b", 1), ("ab", 2))
    with database.writing() as c:
        c.run("INSERT INTO words VALUES (:word, 3)", {"word": "\0"})
    kept = {row["number"]: row["word"] for row in database.rows("SELECT * FROM words")}
    nul = "\0" if isinstance(database, sqlite.SQLiteDatabase) else "\ufffd"  # PostgreSQL's text has no NUL
    assert kept == {1: f"a{nul}b", 2: "ab", 3: nul}
    assert words(database, "word = :word", {"word": "a\0b"}) == [kept[1]]
    # In JSON, SQLite does not read them: among many such a text is not found there.
    among = [] if isinstance(database, sqlite.SQLiteDatabase) else sorted([kept[1], kept[3]])
    assert words(database, "word IN :words", {"words": ["a\0b", "\0"]}) == among


@pytest.mark.parametrize(
    "text", ["", "żółw 👋", "'; DROP TABLE words; --", '"', "\\", "\r\n\t", "%s %(word)s"]
)
def test_a_text_comes_back_as_it_was(database: Opened, text: str) -> None:
    put(database, (text, 1))
    assert words(database, "word = :text", {"text": text}) == [text]
    assert words(database, "word IN :texts", {"texts": [text]}) == [text]


@pytest.mark.parametrize("number", [0, -1, 2**15, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), None])
def test_a_number_comes_back_as_it_was(database: Opened, number: int | None) -> None:
    put(database, ("a", number))
    assert database.rows("SELECT number FROM words") == [{"number": number}]


def test_octets_come_back_as_they_were(database: Opened) -> None:
    octets = bytes(range(256))
    with database.writing() as c:
        database.create(c, "CREATE TABLE kept (octets BLOB NOT NULL)")
        c.run("INSERT INTO kept VALUES (:octets)", {"octets": octets})
        assert c.one("SELECT octets FROM kept") == {"octets": octets}


def test_texts_are_in_the_order_of_their_code_points(database: Opened) -> None:
    unsorted = ["b", "B", "a", "_", "é", "Z", "zz", "z z", "👋", "~", "1", "10", "9"]
    put(database, *((word, 1) for word in unsorted))
    assert words(database, "TRUE", {}) == sorted(unsorted)
    assert words(database, "word > :after", {"after": "Z"}) == [
        each for each in sorted(unsorted) if each > "Z"
    ]


# ── rows ───────────────────────────────────────────────────────────────────────────────────────


def row(word: str, number: int | None) -> Row:
    return {"word": word, "number": number}


def test_rows_are_put_replaced_and_removed(database: Opened) -> None:
    with database.writing() as c:
        c.put(WORDS, [row("a", 1), row("b", 2)])
        c.put(WORDS, [row("b", 3), row("c", 4)])
        c.put(WORDS, [])
        c.remove(WORDS, [{"word": "a"}, {"word": "nowhere"}])
        c.remove(WORDS, [])
        c.run_many("INSERT INTO words VALUES (:word, :number)", [])
        assert c.all("SELECT * FROM words ORDER BY word") == [row("b", 3), row("c", 4)]
        assert c.one(WORDS.select, {"word": "b"}) == row("b", 3)
        assert c.one(WORDS.select, {"word": "a"}) is None


def test_answers_are_not_mixed_up_with_those_of_statements_before(database: Opened) -> None:
    with database.writing() as c:
        c.run("SELECT 1 AS one")
        c.run("INSERT INTO words VALUES ('a', 1) RETURNING word")
        assert c.one("SELECT number FROM words") == {"number": 1}
        c.run_many("UPDATE words SET number = :n WHERE word = 'a'", [{"n": 2}, {"n": 3}])
        assert c.all("SELECT number FROM words") == [{"number": 3}]


def test_a_serial_number_rises_and_never_comes_again(database: Opened) -> None:
    with database.writing() as c:
        database.create(c, "CREATE TABLE numbered (number SERIAL PRIMARY KEY, word TEXT NOT NULL)")
        first, second = (c.one("INSERT INTO numbered (word) VALUES ('x') RETURNING number") for _ in range(2))
        c.run("DELETE FROM numbered")
        third = c.one("INSERT INTO numbered (word) VALUES ('x') RETURNING number")
    assert first
    assert second
    assert third
    assert first["number"] < second["number"] < third["number"]


# ── values as rows keep them ───────────────────────────────────────────────────────────────────


def test_moments_keep_their_microseconds() -> None:
    at = datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    assert moment(micros(at)) == at
    assert moment(micros(at.astimezone(timezone(timedelta(hours=-5))))) == at
    assert micros(datetime(1970, 1, 1, tzinfo=UTC)) == 0
    assert (micros(None), moment(None)) == (None, None)


def test_ids_and_documents_come_back() -> None:
    assert unhexed(hexed(UUID(int=5))) == UUID(int=5)
    assert (hexed(None), unhexed(None)) == (None, None)
    assert unpacked(packed({"b": [1, None, "ż"], "a": True})) == {"a": True, "b": [1, None, "ż"]}
    assert packed({"b": 1, "a": "ż"}) == '{"a":"ż","b":1}'
