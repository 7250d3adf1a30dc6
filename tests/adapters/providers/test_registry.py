"""The registry of providers."""

import re
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

import adapters.providers
from adapters.providers import BUILT_IN, providers
from adapters.providers.twilio import TwilioProvider


def installed(monkeypatch: pytest.MonkeyPatch, *targets: str) -> None:
    points = EntryPoints(
        EntryPoint(f"p{index}", target, "parley.providers") for index, target in enumerate(targets)
    )

    def entry_points(*, group: str) -> EntryPoints:
        return points.select(group=group)

    monkeypatch.setattr(adapters.providers, "entry_points", entry_points)


class Another(TwilioProvider):
    name = "another"


def test_the_built_in_ones_are_there() -> None:
    found = providers()
    assert set(found) >= {kind.name for kind in BUILT_IN} >= {"twilio"}
    assert all(provider.name == name for name, provider in found.items())


def test_every_file_with_a_provider_is_registered_and_passes_the_contract() -> None:
    folder, tests = Path(adapters.providers.__file__).parent, Path(__file__).parent
    declaring = {path.stem for path in folder.glob("*.py") if "(Provider):" in path.read_text("utf-8")}
    registered = {kind.__module__.rpartition(".")[2] for kind in BUILT_IN}
    assert registered == declaring - {"simulator"}  # only the demo has that one
    for name in declaring:
        suites = r"\(SendingContract, (WebhookContract|StandingContract)\):"
        assert re.search(suites, (tests / f"test_{name}.py").read_text("utf-8")), name


def test_another_package_adds_one(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, f"{__name__}:Another")
    assert type(providers()["another"]).__name__ == "Another"


def test_a_name_used_twice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, "adapters.providers.twilio:TwilioProvider")
    with pytest.raises(ValueError, match="'twilio'"):
        providers()


def test_what_is_no_provider_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, "adapters.providers.twilio:STATUSES")
    with pytest.raises(TypeError, match="p0"):
        providers()
