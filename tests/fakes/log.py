"""A log of one partition in memory, which is away when it is told to be."""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from domain.errors import LogUnavailable
from domain.ports import Appended, NewRecord, Record

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class MoodyLog:
    """The port `Log`. `away`: appends fail; `forgetful`: they fail once they are done, as when an answer is
    lost; `before` is called with the records of each append before anything else happens.
    """

    partitions = 1

    def __init__(self) -> None:
        self.records: list[NewRecord] = []
        self.away = False
        self.forgetful = False
        self.before: Callable[[Sequence[NewRecord]], None] = lambda _: None
        self._lock = threading.Lock()

    @property
    def values(self) -> list[str]:
        return [record.value.decode() for record in self.records]

    def append(self, records: Sequence[NewRecord]) -> list[Appended]:
        self.before(records)
        with self._lock:
            if self.away:
                raise LogUnavailable("the broker is away")
            first = len(self.records)
            self.records += records
            if self.forgetful:
                raise LogUnavailable("the broker does not answer")
            return [Appended(0, first + n, each.accepted_at or NOW) for n, each in enumerate(records)]

    def read(self, partition: int, after: int, limit: int) -> list[Record]:
        found = list(enumerate(self.records))[after + 1 :][:limit]
        return [Record(0, n, r.key, r.value, r.headers, r.accepted_at or NOW) for n, r in found]

    def end(self, partition: int) -> int:
        return len(self.records) - 1

    def wait(self, timeout: float) -> None:
        """Nothing to wait for: who appends tells."""

    def trim(self, before: datetime) -> int:
        return 0
