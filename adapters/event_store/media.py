"""Pictures and files of messages, in the store, encrypted with the customer's key."""

from uuid import UUID

from adapters.keys.customers import Keyring
from adapters.keys.sealing import seal, unseal
from adapters.keys.vault import ID_LENGTH, erased
from database.database import Database
from domain.errors import Conflict, Unreadable

VERSION = 1
PREFIX_LENGTH = 1 + ID_LENGTH  # the version's octet and the key's id


class MediaStore:
    """The port `Media`."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database
        self._keyring = keyring

    def put(self, media_id: UUID, customer_id: UUID, content_type: str, content: bytes) -> None:
        """As the port says. Raises Conflict when the customer was forgotten this very moment."""
        self._keyring.refresh()
        key = self._keyring.keys_for([customer_id])[customer_id]
        prefix = bytes((VERSION,)) + key.key_id
        sealed = seal(prefix, key.key, content, _context(media_id, content_type))
        with self._database.writing() as c:
            if erased(c, [key.key_id]):
                raise Conflict
            c.run(
                "INSERT INTO media VALUES (:media_id, :content_type, :sealed) ON CONFLICT DO NOTHING",
                {"media_id": media_id.hex, "content_type": content_type, "sealed": sealed},
            )

    def get(self, media_id: UUID) -> tuple[str, bytes]:
        """As the port says. Raises Unreadable when it was altered."""
        self._keyring.refresh()
        with self._database.reading() as c:
            row = c.one("SELECT * FROM media WHERE media_id = :media_id", {"media_id": media_id.hex})
        if row is None:
            raise KeyError(media_id)
        content_type, sealed = row["content_type"], row["sealed"]
        if sealed[0] != VERSION:
            raise Unreadable(f"Media {media_id} was altered: it does not begin as any.")
        key = self._keyring.by_key_id(sealed[1:PREFIX_LENGTH])
        if key is None:
            raise KeyError(media_id)
        return content_type, unseal(sealed, PREFIX_LENGTH, key, _context(media_id, content_type))


def _context(media_id: UUID, content_type: str) -> bytes:
    return f"media:{media_id.hex}:{content_type}".encode()
