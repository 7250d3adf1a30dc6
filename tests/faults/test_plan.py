"""The plan follows from the seed, and leaves nothing out."""

from collections import Counter

import pytest

from faults.plan import CRASH, LONG, make_plan, required
from faults.points import STEPS, all_points


@pytest.mark.parametrize("cycles", [12, 40, 120, 500])
def test_every_required_kind_is_planned(cycles: int) -> None:
    planned = {fault.kind for cycle in make_plan(cycles, 7) for fault in cycle.faults}
    assert required(cycles) <= planned


def test_the_same_seed_gives_the_same_plan() -> None:
    assert make_plan(60, 3) == make_plan(60, 3) != make_plan(60, 4)


def test_a_long_run_passes_every_crash_point_three_times() -> None:
    plan = make_plan(500, 1)
    times = Counter(fault.target for cycle in plan for fault in cycle.faults if fault.kind == CRASH)
    assert {times[each.name] for each in all_points()} == {3}
    assert len(plan) == 500
    assert any(fault.kind == LONG for cycle in plan for fault in cycle.faults)


def test_points_are_before_and_after_each_step() -> None:
    names = {each.name for each in all_points()}
    assert {"ingest:store.save:before", "ingest:store.save:after"} <= names
    assert len(names) == 2 * sum(map(len, STEPS.values()))
    assert "forget" in STEPS
