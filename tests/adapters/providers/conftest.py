"""What the providers' tests get."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.providers.twilio import TwilioProvider
from tests.fakes.telnyx import FakeTelnyx
from tests.fakes.twilio import FakeTwilio


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeTwilio]:
    with FakeTwilio(tmp_path / "twilio.jsonl") as running:
        yield running


@pytest.fixture
def telnyx(tmp_path: Path) -> Iterator[FakeTelnyx]:
    with FakeTelnyx(tmp_path / "telnyx.jsonl") as running:
        yield running


@pytest.fixture
def provider() -> TwilioProvider:
    return TwilioProvider(timeout=(1.0, 0.2))
