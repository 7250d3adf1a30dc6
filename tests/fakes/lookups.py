"""What commands need to know of other streams, counted from the events themselves."""

from uuid import UUID

from domain.conversations import Conversation, State
from domain.ports import EventStore


class StoreLookups:
    """The port `Lookups`, always up to date; slow, because it loads every conversation."""

    def __init__(self, store: EventStore) -> None:
        self._store = store

    def conversations(self) -> list[Conversation]:
        """Every conversation, the oldest first."""
        everything = self._store.read(0, self._store.head())
        begun = [each.event for each in everything if isinstance(each.event, Conversation.Created)]
        loaded = self._store.load({each.originator_id for each in begun})
        found = (loaded[each.originator_id] for each in begun)
        return [each for each in found if isinstance(each, Conversation)]

    def open_conversations(self, mapping_code: str, our_address: str | None = None) -> int:
        return sum(
            each.is_open
            and each.terms.mapping_code == mapping_code
            and our_address in (None, each.our_address)
            for each in self.conversations()
        )

    def open_with_customer(self, customer_id: UUID) -> int:
        return sum(each.is_open and each.customer_id == customer_id for each in self.conversations())

    def waiting_in(self, queue: str) -> int:
        return sum(each.state is State.WAITING and each.queue == queue for each in self.conversations())
