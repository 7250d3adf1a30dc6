"""Authenticated encryption: AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce.

Sealed bytes are a prefix, which is in clear and says which key it was; the nonce; and the ciphertext with
its tag. Prefix and context are bound to it: neither can be exchanged unnoticed.
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.errors import Unreadable

KEY_LENGTH = 32
NONCE_LENGTH = 12
TAG_LENGTH = 16


def new_key() -> bytes:
    """A random key."""
    return os.urandom(KEY_LENGTH)


def seal(prefix: bytes, key: bytes, plain: bytes, context: bytes) -> bytes:
    """Encrypt, bound to a context that must be given again to open it."""
    nonce = os.urandom(NONCE_LENGTH)
    return prefix + nonce + AESGCM(key).encrypt(nonce, plain, prefix + context)


def unseal(sealed: bytes, prefix_length: int, key: bytes, context: bytes) -> bytes:
    """Decrypt. Raises Unreadable when anything was altered, or key or context are others."""
    start = prefix_length + NONCE_LENGTH
    if len(sealed) < start + TAG_LENGTH:
        raise Unreadable(f"{len(sealed)} octets are too few to be anything encrypted.")
    prefix, nonce = sealed[:prefix_length], sealed[prefix_length:start]
    try:
        return AESGCM(key).decrypt(nonce, sealed[start:], prefix + context)
    except InvalidTag:
        raise Unreadable("Something encrypted was altered, or belongs to another key or place.") from None
