"""A key per day (UTC) for what is kept only for days: the ingress log, the spool, parked facts."""

from datetime import UTC, date, datetime

from adapters.event_store.lru import Lru
from adapters.keys.sealing import new_key, seal, unseal
from adapters.keys.vault import Vault
from domain.errors import Unreadable
from domain.ports import Clock

KIND = "period"
CACHED_DAYS = 100
VERSION = 1
PREFIX_LENGTH = 5  # the version's octet, and the day's number in the proleptic Gregorian calendar


class PeriodKeys:
    """The port `Cipher`. Sealed: version, day, nonce, ciphertext."""

    def __init__(self, vault: Vault, clock: Clock) -> None:
        self._vault = vault
        self._clock = clock
        self._keys: Lru[str, bytes] = Lru(CACHED_DAYS)

    def seal(self, plain: bytes, context: bytes) -> bytes:
        today = self._clock.now().astimezone(UTC).date()
        prefix = bytes((VERSION,)) + today.toordinal().to_bytes(4)
        return seal(prefix, self._present_key(today.isoformat()), plain, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        if len(sealed) < PREFIX_LENGTH or sealed[0] != VERSION:
            raise Unreadable("These octets were not encrypted under a period's key.")
        try:
            day = date.fromordinal(int.from_bytes(sealed[1:PREFIX_LENGTH])).isoformat()
        except (ValueError, OverflowError):
            raise Unreadable("Something encrypted was altered: it names no day.") from None
        return unseal(sealed, PREFIX_LENGTH, self._past_key(day), context)

    def destroy_before(self, moment: datetime) -> int:
        """Destroy the keys of all days that were over by then; how many."""
        today = moment.astimezone(UTC).date().isoformat()
        over = [day for day in self._vault.names(KIND) if day < today]
        try:
            return len(self._vault.erase(KIND, over))
        finally:
            self._keys.clear()

    def _past_key(self, day: str) -> bytes:
        generation = self._keys.generation
        key = self._keys.get(day)
        if key is None:
            item = self._vault.find(KIND, [day]).get(day)
            if item is None:
                raise Unreadable(f"The key of {day} was destroyed.")
            key = item.value
            self._keys.put(day, key, generation)
        return key

    def _present_key(self, day: str) -> bytes:
        generation = self._keys.generation
        key = self._keys.get(day)
        if key is None:
            key = self._vault.obtain(KIND, [day], new_key)[day].value
            self._keys.put(day, key, generation)
        return key
