"""node-smpp is downloaded once, only a whole download counts, and where it comes from is not written down."""

import json
from pathlib import Path

import pytest

from tests.servers import node

_NPM = """#!/bin/sh
mkdir -p node_modules/smpp
echo "the network is gone"
exit CODE
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that comes first on the PATH, with a Node.js and no npm."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/bin")
    monkeypatch.setattr(node, "CACHE", tmp_path)
    monkeypatch.setattr(node, "node_modules", node.node_modules.__wrapped__)
    _write(folder / "node", "#!/bin/sh\n")
    return folder


def _write(program: Path, text: str) -> None:
    program.write_text(text)
    program.chmod(0o755)


def test_a_download_that_failed_is_not_kept_and_the_next_is_made_anew(
    tmp_path: Path, programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _write(programs / "npm", _NPM.replace("CODE", "1"))
    assert node.node_modules() is None
    assert "the network is gone" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [programs]

    _write(programs / "npm", _NPM.replace("CODE", "0"))
    modules = node.node_modules()
    assert modules is not None
    assert [package.name for package in modules.iterdir()] == ["smpp"]

    _write(programs / "npm", _NPM.replace("CODE", "1"))
    assert node.node_modules() == modules  # what is there is not downloaded again


def test_without_npm_a_test_is_skipped_even_in_ci(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.skip.Exception, match=r"install Node\.js"):
        node.needed()


def test_where_npm_fails_a_test_fails_in_ci(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(programs / "npm", _NPM.replace("CODE", "1"))
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception):
        node.needed()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="could not install"):
        node.needed()


def test_the_lock_file_names_no_registry_and_has_the_hash_of_each_package() -> None:
    lock = json.loads((node.LOCKED / "package-lock.json").read_text())
    packages = [each for path, each in lock["packages"].items() if path]
    assert packages
    assert all("integrity" in each and "resolved" not in each for each in packages)
    assert "http" not in json.dumps(lock)
