"""Which texts are consent keywords, and which only look like one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.keywords import Keyword, classify, looks_like_opt_out

STOP_WORDS = [
    "STOP",
    "STOPALL",
    "STOP ALL",
    "END",
    "QUIT",
    "CANCEL",
    "UNSUBSCRIBE",
    "REVOKE",
    "OPTOUT",
    "OPT-OUT",
    "OPT OUT",
    "ARRET",
    "ARRÊT",
    "REMOVE",
    "TD",
]
START_WORDS = ["START", "UNSTOP"]
HELP_WORDS = ["HELP", "INFO", "AIDE"]


@pytest.mark.parametrize("opted_out", [True, False])
@pytest.mark.parametrize(
    ("text", "keyword"),
    [(word, Keyword.STOP) for word in STOP_WORDS]
    + [(word, Keyword.START) for word in START_WORDS]
    + [(word, Keyword.HELP) for word in HELP_WORDS],
)
def test_a_keyword_is_one_in_any_case_and_dress(text: str, keyword: Keyword, opted_out: bool) -> None:
    for dressed in (
        text,
        text.lower(),
        text.title(),
        f" {text}\r\n",
        f'"{text}".',
        f"({text}!!)",
        f"\x00{text}\x00",
    ):
        assert classify(dressed, opted_out=opted_out) == keyword


@pytest.mark.parametrize(
    "text",
    [
        "ＳＴＯＰ",
        "ST\u200bOP",
        "\u202eSTOP\u202c",
        "\ufeffstop\ufe0f",
        "ſtop",
        "opt‑out",
        "opt–out",
        "Opt   Out",
        "arre\u0302t",
    ],
)
def test_a_keyword_in_disguise(text: str) -> None:
    assert classify(text, opted_out=False) is Keyword.STOP


@pytest.mark.parametrize("text", ["yes", "YES!", " Yes. "])
def test_yes_opts_in_only_somebody_who_opted_out(text: str) -> None:
    assert classify(text, opted_out=True) is Keyword.START
    assert classify(text, opted_out=False) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "...",
        "\x00",
        "STOP PLEASE",
        "please stop",
        "Stop by at 5?",
        "s t o p",
        "stopp",
        "STOP 2",
        "help me",
        "info please",
        "yes please",
        "no",
        "the end",
        "START NOW",
        "STØP",
        "STOP" + " " * 2000,
        "stop�",
    ],
)
def test_ordinary_text_is_no_keyword(text: str) -> None:
    assert classify(text, opted_out=True) is None


@pytest.mark.parametrize(
    "text",
    [
        "please stop texting me",
        "opt me out",
        "do not contact me",
        "STOP PLEASE",
        "please stop",
        "Stop now!",
        "Stop it",
        "don’t text me again",
        "DONT MESSAGE ME",
        "do not ever call me",
        "never write to me",
        "Stop sending me these",
        "quit texting",
        "stop all messages",
        "no more texts pls",
        "opting out",
        "I want to unsubscribe",
        "remove me from your list",
        "take my number off",
        "delete my number",
        "leave me alone!",
        "lose my number",
        "I revoke my consent",
        "I want to opt out",
    ],
)
def test_a_wish_to_opt_out_is_noticed_and_is_no_keyword(text: str) -> None:
    assert looks_like_opt_out(text)
    assert classify(text, opted_out=False) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Stop by at 5?",
        "I'm at the bus stop",
        "don't stop",
        "please stop the payment",
        "cancel my order",
        "Please text me",
        "can I opt in",
        "remove the second item",
        "the end of the month",
        "is this the end",
        "call me",
        "do not forget",
        "I can't stop laughing",
        "no more questions",
    ],
)
def test_other_texts_raise_no_flag(text: str) -> None:
    assert not looks_like_opt_out(text)


@given(st.text(st.characters()), st.booleans())
def test_any_text_gets_an_answer(text: str, opted_out: bool) -> None:
    keyword = classify(text, opted_out=opted_out)
    assert keyword is None or keyword in Keyword
    assert looks_like_opt_out(text) or keyword is not Keyword.STOP


@given(
    st.sampled_from(STOP_WORDS),
    st.text(st.sampled_from(" .,!?\"'()\n\t\u200b\u200f\ufe0f\u00a0"), max_size=10),
)
def test_what_surrounds_a_keyword_does_not_matter(word: str, around: str) -> None:
    assert classify(around + word + around, opted_out=False) is Keyword.STOP
    assert looks_like_opt_out(around + word + around)
