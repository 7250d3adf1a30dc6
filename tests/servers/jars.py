"""Jars, Apache Kafka's first: copied by Maven into a folder of the repository, once for each pom.xml."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from tests.servers.process import ServerFailed

POM = Path(__file__).with_name("pom.xml")
CACHE = Path(__file__).parents[2] / ".servers"
KAFKA_VERSION = re.findall(r"<kafka\.version>(.+)</kafka\.version>", POM.read_text())[0]
_JAVA_NEEDED = 17  # what Kafka 4's brokers need
_DOWNLOAD_SECONDS = 900


@cache
def java() -> str | None:
    """The machine's Java, JAVA_HOME before PATH; None if there is none of version 17 or later."""
    home = os.environ.get("JAVA_HOME")
    program = shutil.which("java", path=f"{home}/bin" if home else None) or shutil.which("java")
    if program is None:
        return None
    told = subprocess.run([program, "-version"], capture_output=True, text=True, check=False)
    version = re.search(r'version "(\d+)', told.stderr)
    return program if version and int(version[1]) >= _JAVA_NEEDED else None


def jars_folder(cache_folder: Path = CACHE) -> Path:
    """Where Kafka's jars are, or would be."""
    return _folder(POM, f"Apache Kafka {KAFKA_VERSION}", cache_folder)


def _folder(pom: Path, name: str, cache_folder: Path) -> Path:
    """Another pom.xml has another folder."""
    short = name.lower().removeprefix("apache ").replace(" ", "-")
    return cache_folder / f"{short}-{hashlib.sha256(pom.read_bytes()).hexdigest()[:8]}"


def available() -> bool:
    """Whether Apache Kafka can be run here; downloads it if need be. Says on stderr if that fails."""
    if java() is None or not (jars_folder().is_dir() or shutil.which("mvn")):
        return False
    try:
        jars()
    except ServerFailed as failed:
        _say(str(failed))
        return False
    return True


def jars(cache_folder: Path = CACHE) -> Path:
    """The folder of Kafka's jars, downloaded first if it is not there. Raises `ServerFailed`."""
    return dependencies(POM, f"Apache Kafka {KAFKA_VERSION}", cache_folder)


def dependencies(pom: Path, name: str, cache_folder: Path = CACHE) -> Path:
    """The folder of the jars that a pom.xml asks for, downloaded first if it is not there.

    The folder gets its name only when it is whole: an interrupted download is not taken for one.
    Raises `ServerFailed` with what Maven said if it fails.
    """
    folder = _folder(pom, name, cache_folder)
    if folder.is_dir():
        return folder
    _say(f"Downloading {name} into {folder} (once) ...")
    cache_folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="download-", dir=cache_folder) as download:
        whole = Path(download) / "lib"
        _copy_dependencies(pom, whole)
        try:
            whole.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another run of the tests was quicker
                raise
    return folder


def _say(text: str) -> None:
    sys.stderr.write(f"\n{text}\n")
    sys.stderr.flush()


def _copy_dependencies(pom: Path, into: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise ServerFailed("Apache Kafka's jars come by Maven: install it, so that `mvn` is on the PATH.")
    copy = [maven, "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", "-DincludeScope=runtime"]
    told = subprocess.run(
        [*copy, f"-DoutputDirectory={into}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_DOWNLOAD_SECONDS,
        check=False,
    )
    if told.returncode != 0 or not any(into.glob("*.jar")):
        raise ServerFailed(f"Maven could not copy the jars of {pom}:\n{told.stdout[-3000:]}")
