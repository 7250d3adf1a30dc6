"""The platform's own keys, for what must be the same for ever: the identities' HMAC."""

from adapters.keys.sealing import new_key
from adapters.keys.vault import Vault

KIND = "platform"


def platform_key(vault: Vault, name: str) -> bytes:
    """The random 32-byte key of this name, made at first use and the same ever after."""
    return vault.obtain(KIND, [name], new_key)[name].value
