"""Links under which a provider fetches the pictures and files of an outbound message.

A provider cannot sign in, so the link itself is the permission: it names one file and the moment it
expires, and carries an HMAC-SHA256 (RFC 2104) of both under the platform's own key.
"""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from uuid import UUID

LINK_TIME = timedelta(hours=4)
"""A provider may queue a message for some hours and fetches what belongs to it only then."""


class MediaLinks:
    """Makes links, and tells ours from others."""

    def __init__(self, key: bytes, public_url: str) -> None:
        """`key` has at least 32 bytes; `public_url` is what providers reach us under."""
        if len(key) < 32:
            raise ValueError("the key for media links needs at least 32 bytes")
        self._key = key
        self._public_url = public_url.rstrip("/")

    def url(self, media_id: UUID, at: datetime) -> str:
        """A link to this file for `LINK_TIME` from then on."""
        expires = int((at + LINK_TIME).timestamp())
        return (
            f"{self._public_url}/media/{media_id}?expires={expires}&signature={self.sign(media_id, expires)}"
        )

    def sign(self, media_id: UUID, expires: int) -> str:
        """The signature, in hexadecimal; `expires` in seconds since 1970."""
        return hmac.new(self._key, f"media:{media_id}:{expires}".encode(), hashlib.sha256).hexdigest()

    def is_valid(self, media_id: UUID, expires: int, signature: str, at: datetime) -> bool:
        """Whether we made this link and it has not expired."""
        # Compared first and in constant time: how long it takes tells nothing.
        is_ours = hmac.compare_digest(self.sign(media_id, expires).encode(), signature.encode())
        return is_ours and at.astimezone(UTC).timestamp() < expires
