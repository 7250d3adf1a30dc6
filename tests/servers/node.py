"""Packages of Node.js, node-smpp above all: put by npm into a folder of the repository, once for each lock.

The lock file holds no addresses: npm asks the registry that it is configured for, and checks what it gets.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import pytest

from tests.servers.choose import in_ci
from tests.servers.jars import CACHE

LOCKED = Path(__file__).with_name("smpp")
_INSTALL_SECONDS = 300


def node() -> str | None:
    """The machine's Node.js, if npm is there too."""
    return shutil.which("node") if shutil.which("npm") else None


@cache
def node_modules() -> Path | None:
    """The folder with the installed packages, installed first if they are not there.

    None where there is no Node.js with npm, or npm failed: then stderr says how.
    """
    folder = _packages_folder()
    if node() is None:
        return None
    if folder.is_dir() or _install(folder):
        return folder / "node_modules"
    return None


def needed() -> Path:
    """`node_modules`; else the test is skipped, or fails where CI has Node.js and npm failed."""
    modules = node_modules()
    if modules is None:
        if in_ci() and node() is not None:
            pytest.fail(
                "npm could not install node-smpp: see above. (CI=true: no test is skipped.)", pytrace=False
            )
        pytest.skip("No node-smpp: install Node.js with npm.")
    return modules


def _packages_folder() -> Path:
    """Where the packages are, or would be: another lock file has another folder."""
    lock = (LOCKED / "package-lock.json").read_bytes()
    return CACHE / f"node-{hashlib.sha256(lock).hexdigest()[:8]}"


def _install(folder: Path) -> bool:
    """The folder gets its name only when it is whole: an interrupted download is not taken for one."""
    _say(f"Downloading node-smpp into {folder} (once) ...")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="download-", dir=folder.parent) as download:
        whole = Path(download) / "packages"
        shutil.copytree(LOCKED, whole)
        told = subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],  # noqa: S607 - node() found it
            cwd=whole,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_INSTALL_SECONDS,
            check=False,
        )
        if told.returncode != 0:
            _say(f"npm could not install what {LOCKED} asks for:\n{told.stdout[-3000:]}")
            return False
        try:
            whole.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another run of the tests was quicker
                raise
    return True


def _say(text: str) -> None:
    sys.stderr.write(f"\n{text}\n")
    sys.stderr.flush()
