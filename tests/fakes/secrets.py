"""Provider secrets in memory."""

from uuid import UUID


class FakeSecrets:
    """The port `Secrets`. References are numbered from 1."""

    def __init__(self) -> None:
        self.kept: dict[UUID, str] = {}
        self._last = 0

    def put(self, value: str) -> UUID:
        self._last += 1
        self.kept[UUID(int=self._last)] = value
        return UUID(int=self._last)

    def get(self, reference: UUID) -> str:
        return self.kept[reference]

    def remove(self, reference: UUID) -> None:
        self.kept.pop(reference, None)
