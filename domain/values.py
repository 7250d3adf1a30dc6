"""Small values that several aggregates share."""

from enum import StrEnum

ERASED = "[erased]"
"""What a customer's text or number reads as once the customer has been forgotten."""


class DeliveryProvider(StrEnum):
    """Where a mapping's conversations go."""

    SYMBEE = "symbee"  # Parley's own skill queues and agent desk
    AMAZON = "amazon"  # Amazon Connect chat
