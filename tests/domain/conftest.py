"""What the domain's tests begin with."""

import pytest

from tests.domain.given import Stage


@pytest.fixture
def stage() -> Stage:
    """A company with one active mapping, one number, one queue and no agents."""
    return Stage()
