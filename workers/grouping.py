"""Ingest in the cluster: a process ingests the partitions that its consumer group gives it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from domain.ports import FactSource
from workers.ingest import Ingest


class Member(Protocol):
    """A member of a group that shares the partitions of the ingress log."""

    def assigned(self) -> frozenset[int]:
        """The partitions that are this member's now."""

    def close(self) -> None:
        """Leave the group, so that others need not wait to take over."""


class GroupIngest:
    """Ingests what is assigned to this process. Where a partition goes on, the event store says; should two
    processes believe that it is theirs, it lets only one of them save.
    """

    name = "ingest"
    pace = 0.0

    def __init__(
        self,
        join: Callable[[], tuple[Member, FactSource]],
        ingest: Callable[[int, FactSource], Ingest],
    ) -> None:
        self._member, self._source = join()
        self._ingest = ingest
        self._parts: dict[int, Ingest] = {}

    def step(self) -> bool:
        """Ingest at most one batch of each partition."""
        with self._leaving():
            assigned = self._member.assigned()
            self._parts = {
                each: self._parts.get(each) or self._ingest(each, self._source) for each in assigned
            }
            busy = [part.step() for part in self._parts.values()]
        return any(busy)

    def wait(self, timeout: float) -> None:
        with self._leaving():
            self._source.wait(timeout)

    @contextmanager
    def _leaving(self) -> Iterator[None]:
        """Leave the group when anything fails: whoever starts again joins anew, and a member that nobody
        steps any more would keep its partitions to itself.
        """
        try:
            yield
        except BaseException:
            self._member.close()
            raise
