"""A key per customer. Destroying it makes everything that was encrypted under it unreadable for ever."""

from collections.abc import Collection
from dataclasses import dataclass, field
from uuid import UUID

from adapters.event_store.lru import Lru
from adapters.keys.sealing import new_key
from adapters.keys.vault import Tombstone, Vault
from domain.errors import Unreadable

KIND = "customer"
CACHED_KEYS = 20_000  # of 32 bytes; about 10 MB


@dataclass(frozen=True)
class CustomerKey:
    """A customer's present key. One who returns after being forgotten has another, with another id."""

    key_id: bytes
    key: bytes = field(repr=False)


class Keyring:
    """The customers' keys; fills the port `CustomerKeys`."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._present: Lru[UUID, CustomerKey] = Lru(CACHED_KEYS)
        self._by_id: Lru[bytes, bytes] = Lru(CACHED_KEYS)
        self._erasures = 0

    def keys_for(self, customer_ids: Collection[UUID]) -> dict[UUID, CustomerKey]:
        """The present keys of these customers, made where there is none.

        They may be destroyed at any moment: whoever stores something under them checks `vault.erased` in
        the same transaction.
        """
        generation = self._present.generation
        keys: dict[UUID, CustomerKey] = {}
        missing: dict[str, UUID] = {}
        for customer_id in customer_ids:
            key = self._present.get(customer_id)
            if key is None:
                missing[customer_id.hex] = customer_id
            else:
                keys[customer_id] = key
        if missing:
            for name, item in self._vault.obtain(KIND, missing, new_key).items():
                keys[missing[name]] = key = CustomerKey(item.id, item.value)
                self._present.put(missing[name], key, generation)
        return keys

    def by_key_ids(self, key_ids: Collection[bytes]) -> dict[bytes, bytes | None]:
        """The keys with these ids, None for those destroyed.

        Raises Unreadable for an id that never was a key's: what named it was altered, or the vault is older
        than the events.
        """
        generation = self._by_id.generation
        keys = {key_id: self._by_id.get(key_id) for key_id in key_ids}
        missing = [key_id for key_id, key in keys.items() if key is None]
        if missing:
            items = self._vault.find_by_id(KIND, missing)
            for key_id in missing:
                if key_id not in items:
                    raise Unreadable(f"There never was a customer key {key_id.hex()}.")
                if item := items[key_id]:
                    keys[key_id] = item.value
                    self._by_id.put(key_id, item.value, generation)
        return keys

    def by_key_id(self, key_id: bytes) -> bytes | None:
        """The key with this id, None when it was destroyed. Raises Unreadable as `by_key_ids` does."""
        return self.by_key_ids([key_id])[key_id]

    def destroy(self, customer_id: UUID) -> int:
        try:
            return len(self._vault.erase(KIND, [customer_id.hex]))
        finally:
            self._empty()

    def tombstones(self) -> list[Tombstone]:
        """Every destroyed key, its name being the customer's id in hexadecimal digits."""
        return self._vault.tombstones(KIND)

    def refresh(self) -> int:
        """Notice what any process destroyed meanwhile. A number that rises with each destruction."""
        erasures = self._vault.erasures()
        if erasures > self._erasures:
            self._erasures = erasures
            self._empty()
        return erasures

    def _empty(self) -> None:
        self._present.clear()
        self._by_id.clear()
