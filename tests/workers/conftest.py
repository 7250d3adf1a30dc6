"""Workers are tested on the flow tests' stage, where they need a whole platform."""

from typing import Any

import pytest

from tests.flows.conftest import ana, stage

__all__ = ["ana", "shape", "stage"]


@pytest.fixture
def shape() -> dict[str, Any]:
    """On SQLite files: the stage's settings as they are."""
    return {}
