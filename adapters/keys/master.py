"""The master key: the one key that is not in the database. Who has it and the files can read everything."""

import base64
import binascii
import os
import tempfile
from pathlib import Path
from typing import Self

from adapters.keys.sealing import KEY_LENGTH, new_key, seal, unseal


class MasterKey:
    """Wraps the other keys. Never shown: it has no readable form."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_LENGTH:
            raise ValueError(f"The master key must have {KEY_LENGTH} bytes, not {len(key)}.")
        self._key = key

    @classmethod
    def from_text(cls, text: str) -> Self:
        """A master key written as 64 hexadecimal digits or in base64. Raises ValueError for anything else."""
        text = text.strip()
        try:
            is_hex = len(text) == 2 * KEY_LENGTH
            key = bytes.fromhex(text) if is_hex else base64.b64decode(text, validate=True)
        except (ValueError, binascii.Error):
            raise ValueError(
                f"The master key must be {KEY_LENGTH} random bytes in base64 or hexadecimal digits."
            ) from None
        return cls(key)

    def wrap(self, value: bytes, context: bytes) -> bytes:
        """Encrypt a key or a secret, bound to what it is."""
        return seal(b"", self._key, value, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Decrypt it. Raises Unreadable under another master key, or when it was altered."""
        return unseal(wrapped, 0, self._key, context)


def load_or_create(path: Path) -> MasterKey:
    """The master key in a file, which is made, readable by its owner alone, when it is missing.

    Raises ValueError when the file does not hold one. Without this file nothing in the store can be read:
    keep a copy of it, but not beside the backups of the store.
    """
    if not path.exists():
        _create(path)
    try:
        return MasterKey.from_text(path.read_text("ascii"))
    except ValueError as error:
        raise ValueError(f"{path.name}: {error} Restore the file from its copy.") from None


def _create(path: Path) -> None:
    """Make the file in one step, so that of several processes the first wins and none sees half of it."""
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(base64.b64encode(new_key()) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
        _sync_folder(path.parent)
    finally:
        Path(draft).unlink()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
