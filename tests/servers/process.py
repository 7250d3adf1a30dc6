"""A server as a process of its own: started, watched, signalled, and gone when the tests are gone."""

import os
import pwd
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree
from typing import NamedTuple

# Below the ports that systems hand to outgoing connections (Linux from 32768, macOS from 49152): a client
# that keeps trying a killed server would otherwise take the port itself, by connecting to it from it.
_PORTS = range(20_000, 32_000)
_FOLDERS = "parley-servers-"
_STOP_SECONDS = 30
_TAIL_LINES = 30
# Waits for the end of its standard input, which comes when the tests' process is gone, however it ended.
_GUARD = "import os, sys; sys.stdin.read(); os.killpg(int(sys.argv[1]), 9)"


class ServerFailed(RuntimeError):
    """A server did not start, or ended by itself. The text ends with the last lines of its log."""


class Account(NamedTuple):
    """A user of this machine."""

    name: str
    uid: int
    gid: int


def unprivileged_account() -> Account | None:
    """Whom to run a server as that refuses root; None if we are not root.

    Raises `ServerFailed` if we are root and there is neither `postgres` nor `nobody`.
    """
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise ServerFailed("PostgreSQL refuses root: run the tests as another user, or add a user `postgres`.")


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    for port in random.sample(_PORTS, 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise ServerFailed(f"No free port of 127.0.0.1 in {_PORTS.start}-{_PORTS.stop}, in 100 attempts.")


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder for servers' data that every account can reach (pytest's `tmp_path` is closed to all others).

    Removes the folders that earlier, killed runs left.
    """
    for left in Path(tempfile.gettempdir()).glob(f"{_FOLDERS}[0-9]*-*"):
        if not is_alive(int(left.name.removeprefix(_FOLDERS).split("-")[0])):
            rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{_FOLDERS}{os.getpid()}-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        rmtree(folder, ignore_errors=True)


def is_alive(pid: int) -> bool:
    """Whether there is such a process that has not ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:  # on Linux, one that has ended may wait to be buried
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True


def log_tail(log: Path, lines: int = _TAIL_LINES) -> str:
    """The last lines of a log; empty if there is no such file."""
    if not log.exists():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def wait_until(answers: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Return when `answers` says True, asked 20 times a second.

    Raises `TimeoutError`, naming `what`, after that many seconds.
    """
    deadline = time.monotonic() + seconds
    while not answers():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not answer within {seconds:g} s.")
        time.sleep(0.05)


class ServerProcess:
    """One run of a server's program, its output appended to a log."""

    def __init__(self, command: Sequence[str | Path], log: Path, account: Account | None = None) -> None:
        """Start the program, as `account` if one is given, in a process group of its own."""
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=log.parent,
                start_new_session=True,
                user=account and account.uid,
                group=account and account.gid,
                extra_groups=[] if account else None,
            )
        self._guard = subprocess.Popen(
            [sys.executable, "-S", "-c", _GUARD, str(self.pid)],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_until(self, answers: Callable[[], bool], *, seconds: float, what: str) -> None:
        """Return when `answers` says True.

        Raises `ServerFailed`, the program killed, if it ends before or does not answer in time.
        """

        def answers_or_ended() -> bool:
            code = self._process.poll()
            if code is not None:
                raise ServerFailed(f"{what} ended with code {code}. {self._last_words()}")
            return answers()

        try:
            wait_until(answers_or_ended, seconds=seconds, what=what)
        except TimeoutError as late:
            self.end(signal.SIGKILL)
            raise ServerFailed(f"{late} {self._last_words()}") from None
        except BaseException:
            self.end(signal.SIGKILL)
            raise

    def _last_words(self) -> str:
        return f"The end of {self._log}:\n{log_tail(self._log)}"

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the program alone, not to its children."""
        self._process.send_signal(number)

    def end(self, number: signal.Signals) -> None:
        """Send the signal that ends the program, and wait; after 30 s it is killed. May be called again."""
        if self._process.poll() is None:
            self.send(signal.SIGCONT)  # a frozen process hears nothing else
            self.send(number)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._guard.kill()
        self._guard.communicate()
