"""Servers' processes end with the tests, and say why if they end before."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.servers.process import (
    ServerFailed,
    ServerProcess,
    free_port,
    is_alive,
    temporary_folder,
    wait_until,
)

_STARTS_ONE_AND_IS_KILLED = """
import os, sys
from pathlib import Path
from tests.servers.process import ServerProcess
server = ServerProcess(["sleep", "600"], Path(sys.argv[1]))
print(server.pid, flush=True)
os.kill(os.getpid(), 9)
"""
_ROOT = Path(__file__).parents[2]


def test_a_server_ends_when_the_tests_are_killed(tmp_path: Path) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", _STARTS_ONE_AND_IS_KILLED, str(tmp_path / "log")],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert killed.returncode == -signal.SIGKILL
    wait_until(lambda: not is_alive(int(killed.stdout)), seconds=10, what="the server's end")


def test_a_server_that_ends_by_itself_is_reported_with_its_last_words(tmp_path: Path) -> None:
    process = ServerProcess(["sh", "-c", "echo the disk is full; exit 3"], tmp_path / "log")

    with pytest.raises(ServerFailed, match=r"(?s)It ended with code 3\..*the disk is full"):
        process.wait_until(lambda: False, seconds=10, what="It")


def test_a_server_that_never_answers_is_killed(tmp_path: Path) -> None:
    process = ServerProcess(["sleep", "600"], tmp_path / "log")

    with pytest.raises(ServerFailed, match=r"It did not answer within 0\.1 s"):
        process.wait_until(lambda: False, seconds=0.1, what="It")

    assert not is_alive(process.pid)


def test_a_frozen_server_can_be_ended(tmp_path: Path) -> None:
    process = ServerProcess(["sleep", "600"], tmp_path / "log")
    process.send(signal.SIGSTOP)

    process.end(signal.SIGTERM)

    assert not is_alive(process.pid)


def test_what_a_killed_run_left_is_removed_and_what_a_living_one_uses_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left = tmp_path / f"parley-servers-{ended.pid}-abc"
    left.mkdir()

    with temporary_folder() as mine, temporary_folder():
        assert mine.is_dir()
        assert not left.exists()

    assert not mine.exists()


def test_ports_are_not_those_of_outgoing_connections() -> None:
    assert all(20_000 <= free_port() < 32_000 for _ in range(50))
