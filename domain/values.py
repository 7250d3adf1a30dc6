"""Small values that several aggregates share."""

from enum import StrEnum

ERASED = "[erased]"
"""What a customer's text or number reads as once the customer has been forgotten."""


class DeliveryProvider(StrEnum):
    """Where a mapping's conversations go."""

    SYMBEE = "symbee"  # Parley's own skill queues and agent desk
    AMAZON = "amazon"  # Amazon Connect chat


def conversations(count: int) -> str:
    """So many conversations, in words: "1 conversation", "2 conversations"."""
    return f"{count} conversation" if count == 1 else f"{count} conversations"
