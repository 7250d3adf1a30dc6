"""Providers' secrets, sealed under the master key."""

from uuid import UUID, uuid4

from adapters.keys.vault import Vault

KIND = "secret"


class SecretStore:
    """The port `Secrets`."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def put(self, value: str) -> UUID:
        reference = uuid4()
        self._vault.obtain(KIND, [reference.hex], value.encode)
        return reference

    def get(self, reference: UUID) -> str:
        item = self._vault.find(KIND, [reference.hex]).get(reference.hex)
        if item is None:
            raise KeyError(reference)
        return item.value.decode()

    def remove(self, reference: UUID) -> None:
        self._vault.erase(KIND, [reference.hex])
