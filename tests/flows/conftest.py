"""Sets the stage, in both shapes: on SQLite files, and on Kafka and PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.smsc import Smsc
from tests.flows.smpp_line import Line
from tests.flows.stage import MORNING, Agent, Stage, Twilio
from workers.inline import SteppedClock


@pytest.fixture(params=["embedded", "cluster"])
def shape(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The settings that make the shape, with schemas and topics of the test's own."""
    return request.getfixturevalue("cluster") if request.param == "cluster" else {}


@pytest.fixture
def stage(tmp_path: Path, shape: dict[str, Any]) -> Iterator[Stage]:
    clock = SteppedClock(MORNING)
    with Twilio(tmp_path / "twilio.jsonl", clock) as twilio:
        stage = Stage(tmp_path / "data", twilio, clock, shape)
        yield stage
        twilio.release.set()
        stage.close()


@pytest.fixture
def ana(stage: Stage) -> Agent:
    """An agent for support, at work."""
    return stage.agent("ana")


@pytest.fixture
def smsc() -> Iterator[Smsc]:
    with Smsc() as running:
        yield running


@pytest.fixture
def line(smsc: Smsc, stage: Stage) -> Line:
    """A number by SMPP, bound."""
    line = Line(stage, smsc)
    line.add()
    return line
