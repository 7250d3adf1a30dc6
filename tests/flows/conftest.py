"""Sets the stage."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.stage import MORNING, Agent, Stage, Twilio
from workers.inline import SteppedClock


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    clock = SteppedClock(MORNING)
    with Twilio(tmp_path / "twilio.jsonl", clock) as twilio:
        stage = Stage(tmp_path / "data", twilio, clock)
        yield stage
        twilio.release.set()
        stage.close()


@pytest.fixture
def ana(stage: Stage) -> Agent:
    """An agent for support, at work."""
    return stage.agent("ana")
