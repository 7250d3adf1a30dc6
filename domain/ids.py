"""Opaque identities: keyed HMACs, so that no id, key or partition ever gives a phone number away.

An identity is the first 128 bits of HMAC-SHA256 (RFC 2104) under the platform's own key, shaped as
an RFC 9562 version 8 UUID. The same fact therefore has the same id for ever, in every process.
"""

import hmac
from functools import lru_cache
from uuid import UUID

REMEMBERED = 20_000
"""Ids: every text asks for those of its thread, customer and consent several times over."""

_VERSION_AND_VARIANT = (0x8 << 76) | (0x2 << 62)
_CLEARED = (1 << 128) - 1 - ((0xF << 76) | (0x3 << 62))


class Identities:
    """Derives every id that must be the same whenever the same thing is named again."""

    def __init__(self, key: bytes) -> None:
        if len(key) < 32:
            raise ValueError("the identity key needs at least 32 bytes")
        self._key = key
        self._derived = lru_cache(maxsize=REMEMBERED)(self._derive)

    def of(self, kind: str, *parts: str) -> UUID:
        """The id of the thing of this kind that these parts name, in this order."""
        return self._derived(kind, *parts)

    def _derive(self, kind: str, *parts: str) -> UUID:
        # Each part is preceded by its length, so that ("ab", "c") and ("a", "bc") differ.
        named = "".join(f"{len(part)}:{part}" for part in (kind, *parts))
        digest = hmac.digest(self._key, named.encode(), "sha256")
        number = int.from_bytes(digest[:16], "big") & _CLEARED | _VERSION_AND_VARIANT
        return UUID(int=number)

    def mapping(self, code: str) -> UUID:
        """The mapping with this code."""
        return self.of("mapping", code)

    def claim(self, address: str) -> UUID:
        """The claim on one of our addresses."""
        return self.of("claim", address)

    def connection(self, code: str) -> UUID:
        """The connection with this code."""
        return self.of("connection", code)

    def queue(self, code: str) -> UUID:
        """The skill queue with this code."""
        return self.of("queue", code)

    def agent(self, login: str) -> UUID:
        """The agent with this login."""
        return self.of("agent", login)

    def work_code(self, code: str) -> UUID:
        """The work code with this code."""
        return self.of("work-code", code)

    def canned_reply(self, code: str) -> UUID:
        """The canned reply with this code."""
        return self.of("canned-reply", code)

    def customer(self, address: str) -> UUID:
        """The customer who uses this address."""
        return self.of("customer", address)

    def thread(self, our_address: str, customer_address: str) -> UUID:
        """What lasts between one of our addresses and one customer address."""
        return self.of("thread", our_address, customer_address)

    def consent(self, scope: str, customer_address: str) -> UUID:
        """A customer's consent towards one sender scope."""
        return self.of("consent", scope, customer_address)

    def capacity(self, mapping_id: UUID) -> UUID:
        """The count of open conversations of a mapping with a maximum."""
        return self.of("capacity", mapping_id.hex)

    def inbound(self, scope: str, provider_message_id: str) -> UUID:
        """The message that a provider names so within its scope (an account, an SMSC)."""
        return self.of("inbound", scope, provider_message_id)

    def content(self, scope: str, our_address: str, customer_address: str, text: str) -> UUID:
        """What a text without an id says, from whom and to whom: the same for equal ones."""
        return self.of("content", scope, our_address, customer_address, text)

    def long_text(
        self, scope: str, our_address: str, customer_address: str, reference: int, total: int
    ) -> UUID:
        """The long texts whose parts a customer's telephone gives this reference, one after the other."""
        return self.of("long-text", scope, our_address, customer_address, str(reference), str(total))

    def outbound(self, who: str, idempotency_key: str) -> UUID:
        """The message that a caller asked for under an idempotency key of its own."""
        return self.of("outbound", who, idempotency_key)

    def caused(self, cause: UUID, what: str) -> UUID:
        """What follows from something already named: deciding it again gives the same id."""
        return self.of("caused", cause.hex, what)
