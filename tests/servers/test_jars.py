"""Apache Kafka's jars are downloaded once, and only a whole download counts."""

from pathlib import Path

import pytest

from tests.servers import jars
from tests.servers.process import ServerFailed

_MAVEN = """#!/bin/sh
for word in "$@"; do case $word in -DoutputDirectory=*) folder=${word#*=};; esac; done
mkdir -p "$folder" && touch "$folder/kafka_2.13-4.1.1.jar"
echo "the network is gone"
exit CODE
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that comes first on the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return folder


def _write(program: Path, text: str) -> None:
    program.write_text(text)
    program.chmod(0o755)


def test_a_download_that_failed_is_not_kept_and_the_next_is_made_anew(tmp_path: Path, programs: Path) -> None:
    cache = tmp_path / "cache"
    _write(programs / "mvn", _MAVEN.replace("CODE", "1"))
    with pytest.raises(ServerFailed, match="the network is gone"):
        jars.jars(cache)
    assert list(cache.iterdir()) == []

    _write(programs / "mvn", _MAVEN.replace("CODE", "0"))
    assert [jar.name for jar in jars.jars(cache).iterdir()] == ["kafka_2.13-4.1.1.jar"]


def test_what_an_interrupted_download_left_is_not_used(
    tmp_path: Path, programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left = tmp_path / "download-abc" / "lib" / "some.jar"
    left.parent.mkdir(parents=True)
    left.touch()
    _write(programs / "mvn", _MAVEN.replace("CODE", "0"))

    folder = jars.jars(tmp_path)

    assert not (folder / "some.jar").exists()
    assert "Downloading Apache Kafka" in capsys.readouterr().err


def test_what_is_there_is_not_downloaded_again(
    tmp_path: Path, programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _write(programs / "mvn", _MAVEN.replace("CODE", "1"))
    jars.jars_folder(tmp_path).mkdir()

    assert jars.jars(tmp_path) == jars.jars_folder(tmp_path)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("told", "enough"), [("17.0.15", True), ("25", True), ("11.0.2", False)])
def test_java_must_be_new_enough(programs: Path, told: str, enough: bool) -> None:
    _write(programs / "java", f"#!/bin/sh\necho 'openjdk version \"{told}\" 2025-04-15' >&2\n")

    assert jars.java.__wrapped__() == (str(programs / "java") if enough else None)
