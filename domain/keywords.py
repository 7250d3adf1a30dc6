"""Consent keywords: the words by which a customer opts out, opts back in, or asks for help.

The set is the union of what FCC 47 CFR 64.1200(a)(10), CTIA practice, Twilio's defaults and AWS's defaults
ask or honour. A keyword is the whole text, whatever its case, punctuation and spacing: "Stop." is one,
"STOP PLEASE" is not.
"""

import re
import unicodedata
from enum import StrEnum
from functools import lru_cache


class Keyword(StrEnum):
    """What a keyword asks for."""

    STOP = "STOP"
    START = "START"
    HELP = "HELP"


# As `_fold` leaves them: punctuation inside a text has become a space, so "opt out" is also "OPT-OUT".
_STOP = frozenset(
    [
        "stop", "stopall", "stop all", "end", "quit", "cancel", "unsubscribe", "revoke", "optout", "opt out",
        "arret", "arrêt", "remove", "td",
    ]
)  # fmt: skip
_START = frozenset(["start", "unstop"])
_START_AFTER_STOP = frozenset(["yes"])
_HELP = frozenset(["help", "info", "aide"])

# No provider's message is longer. Folding hostile text takes time that grows with the square of its length.
_LONGEST = 1600

# Variation selectors and the grapheme joiner: invisible, though Unicode files them under marks.
_INVISIBLE_MARKS = re.compile("[\ufe00-\ufe0f\u034f\U000e0100-\U000e01ef]")

_CONTACT = r"(?:texts?|texting|messages?|messaging|msgs?|contact|contacting|calls?|calling|sms|write|writing)"
_NOT = r"(?:do not|don t|dont|never|stop|quit|cease)"
_POLITE = r"(?:please|pls|plz|now|it|this|immediately|thanks|thank you|ok|okay)"
_OPT_OUT_PHRASES = re.compile(
    rf"^(?:{_POLITE} )*(?:stop|stop all|unsubscribe|opt out|optout)(?: {_POLITE})*$"
    r"|\bunsubscribe\b"
    r"|\bopt(?:ing|ed)? (?:me |us )?out\b"
    rf"|\b{_NOT} (?:ever )?(?:{_CONTACT}|send|sending) (?:to )?(?:me|us|this number|my (?:phone|number))\b"
    rf"|\b(?:stop|quit|cease) (?:all |the |these |those |your |with the )*{_CONTACT}$"
    rf"|\b(?:stop|quit) (?:sending|bothering|spamming|harassing)\b"
    rf"|\bno (?:more|further) {_CONTACT}\b"
    r"|\b(?:take|remove|delete) (?:me|us|my (?:phone |mobile )?number|this number) (?:off|from)\b"
    r"|\b(?:remove me|delete my number|lose my number|leave me alone)\b"
    r"|\brevoke (?:my )?consent\b"
)


def classify(text: str, *, opted_out: bool) -> Keyword | None:
    """The keyword that `text`, as a whole, is; None for ordinary text.

    `opted_out` says how the customer stands: "YES" opts back in only somebody who had opted out, and is an
    ordinary answer from anybody else. Never raises.
    """
    if len(text) > _LONGEST:
        return None
    folded = _fold(text)
    if folded in _STOP:
        return Keyword.STOP
    if folded in _START or (opted_out and folded in _START_AFTER_STOP):
        return Keyword.START
    if folded in _HELP:
        return Keyword.HELP
    return None


def looks_like_opt_out(text: str) -> bool:
    """Whether `text` reads, in English, like a wish not to be texted any more ("please stop texting me").

    True of every STOP keyword too. It is a guess for an agent to judge, and changes nobody's consent. Never
    raises.
    """
    folded = _fold(text[:_LONGEST])
    return folded in _STOP or _OPT_OUT_PHRASES.search(folded) is not None


def _fold(text: str) -> str:
    """`text` in one case and one form (NFKC), nothing invisible in it, words apart by single spaces only."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    visible = _INVISIBLE_MARKS.sub("", folded)
    return " ".join("".join(map(_letter_or_space, visible)).split())


@lru_cache(maxsize=2_000)  # texts use the same few characters again and again
def _letter_or_space(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cf":  # zero-width characters and direction marks
        return ""
    return " " if category == "Cc" or category[0] in "PZ" else character
