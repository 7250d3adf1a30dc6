"""Made-up texts of ordinary length, always the same, and the webhooks of them."""

import random
from collections.abc import Sequence

from bench.scene import NUMBERS
from bench.webhooks import Text, customers, raw_request

CUSTOMERS = 300
_WORDS = (
    *("ok", "later", "please", "call", "me", "when", "you", "are", "home", "the", "order", "has", "not"),
    *("yet", "thanks", "£5", "for", "big", "one", "😀", "sorry", "cannot", "talk", "now", "what", "time"),
    *("it", "open", "on", "sunday", "my", "number", "changed", "yes", "no", "maybe", "tonight", "see", "at"),
)


def made_up(count: int, series: str, many: int = CUSTOMERS) -> list[Text]:
    """So many texts from so many customers. No two series share a message id."""
    chance = random.Random(series)
    who = [(each, NUMBERS[place % len(NUMBERS)]) for place, each in enumerate(customers(many))]
    return [
        Text(
            sid=f"SM{chance.getrandbits(128):032x}",
            customer=customer,
            ours=ours,
            body=" ".join(chance.choices(_WORDS, k=chance.randint(2, 24))),
        )
        for customer, ours in chance.choices(who, k=count)
    ]


def as_requests(texts: Sequence[Text], url: str) -> list[bytes]:
    """Their webhooks, signed."""
    return [raw_request(url, each.form()) for each in texts]
