"""Masking: what a provider says of a failure may quote the customer, and no event shows that in clear."""

import re

_LINK = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
_NUMBER = re.compile(r"\+?\d[\d ().-]{5,}\d")


def masked(words: str) -> str:
    """The same words without links and without anything that looks like a phone number."""
    return _NUMBER.sub("[number]", _LINK.sub("[link]", words))
