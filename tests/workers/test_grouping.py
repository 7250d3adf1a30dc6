"""Ingest as a member of a group."""

from collections.abc import Callable

import pytest

from domain.errors import LogUnavailable
from domain.ports import Accepted, FactSource
from workers.grouping import GroupIngest
from workers.ingest import Ingest


class Member:
    def __init__(self) -> None:
        self.mine: frozenset[int] = frozenset({0, 1})
        self.closed = False
        self.away = False

    def assigned(self) -> frozenset[int]:
        return self.mine

    def close(self) -> None:
        self.closed = True

    def read(self, partition: int, after: int, limit: int) -> list[Accepted]:
        return []

    def wait(self, timeout: float) -> None:
        if self.away:
            raise LogUnavailable("away")


class Part(Ingest):
    """Notes its steps."""

    def __init__(self, partition: int, steps: list[int]) -> None:
        self.partition = partition
        self.steps = steps

    def step(self) -> bool:
        self.steps.append(self.partition)
        if self.partition == 13:
            raise LogUnavailable("away")
        return False


@pytest.fixture
def member() -> Member:
    return Member()


@pytest.fixture
def steps() -> list[int]:
    return []


@pytest.fixture
def ingest(member: Member, steps: list[int]) -> GroupIngest:
    def part(partition: int, source: FactSource) -> Part:
        assert source is member
        steps.append(-partition)
        return Part(partition, steps)

    return GroupIngest(lambda: (member, member), part)


def test_it_ingests_what_is_assigned_and_nothing_else(
    ingest: GroupIngest, member: Member, steps: list[int]
) -> None:
    assert not ingest.step()
    assert sorted(steps) == [-1, 0, 0, 1]
    member.mine = frozenset({1, 2})
    steps.clear()
    ingest.step()
    assert sorted(steps) == [-2, 1, 2]  # partition 1 goes on where it stood


@pytest.mark.parametrize("fail", ["step", "wait"])
def test_who_fails_leaves_the_group(ingest: GroupIngest, member: Member, fail: str) -> None:
    member.mine = frozenset({13})
    member.away = True
    act: Callable[[], object] = ingest.step if fail == "step" else lambda: ingest.wait(0)
    with pytest.raises(LogUnavailable):
        act()
    assert member.closed
