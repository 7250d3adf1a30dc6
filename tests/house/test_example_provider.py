"""A provider in a package of its own: installed and tested as a stranger would, by Parley's own wheel."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "parley-courier"
PAGE = ROOT / "docs" / "providers.md"
PIP = (
    *(sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"),
    *("--no-deps", "--no-build-isolation", "--no-index"),
)


def run(*command: str | Path, cwd: Path, site: Path | None = None) -> str:
    """What a program prints; it finds what is installed in `site`, and nothing of the project's folder."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(cwd), "PYTHONDONTWRITEBYTECODE": "1"}
    if site is not None:
        environment["PYTHONPATH"] = str(site)
    result = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def parley(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Parley alone is installed."""
    site = tmp_path_factory.mktemp("parley")
    run(*PIP, "--target", site, ROOT, cwd=site)
    return site


@pytest.fixture(scope="module")
def site(parley: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Parley and the example are installed."""
    site = tmp_path_factory.mktemp("site") / "both"
    shutil.copytree(parley, site)
    run(*PIP, "--target", site, EXAMPLE, cwd=site)
    return site


def test_parleys_wheel_brings_the_contracts_and_no_tests_of_its_own(parley: Path) -> None:
    published = {path.relative_to(ROOT) for path in (ROOT / "contracts").rglob("*.py")}
    assert published
    assert {path.relative_to(parley) for path in (parley / "contracts").rglob("*.py")} == published
    assert not {"bench", "examples", "faults", "tests"} & {path.name for path in parley.iterdir()}


def test_its_tests_pass_where_it_is_installed(site: Path, tmp_path: Path) -> None:
    for name in ("pyproject.toml", "test_parley_courier.py"):
        shutil.copy(EXAMPLE / name, tmp_path)
    said = run(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", cwd=tmp_path, site=site)
    assert re.search(r"(\d+) passed in", said), said  # and nothing else


@pytest.mark.parametrize("installed", [True, False])
def test_a_mapping_may_name_it_where_it_is_installed(
    installed: bool, parley: Path, site: Path, tmp_path: Path
) -> None:
    where = site if installed else parley
    program = Path(__file__).with_name("name_courier.py")
    said = json.loads(run(sys.executable, program, cwd=tmp_path, site=where))
    assert ("provider" in said["wrong"]) is not installed
    assert not (installed and said["wrong"])
    assert Path(said["contracts"]).is_relative_to(where)


def test_it_is_as_short_as_the_page_says() -> None:
    lines = (EXAMPLE / "parley_courier.py").read_text("utf-8").splitlines()
    assert len(lines) < 150
    assert "under 150 lines" in PAGE.read_text("utf-8")


def test_the_page_shows_the_example_as_it_is() -> None:
    sources = [path.read_text("utf-8") for path in EXAMPLE.iterdir() if path.suffix in {".py", ".toml"}]
    shown = re.findall(r"^```(?:python|toml)\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    pieces = [
        piece.rstrip() for block in shown for piece in re.split(r"^ *\.\.\.\n", block, flags=re.MULTILINE)
    ]
    assert pieces
    assert [each for each in pieces if not any(each in source for source in sources)] == []
