"""One process: the web server and the workers of one service, or of all, started and stopped in order."""

import fcntl
import gc
import os
import resource
import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from adapters.event_store.refill import restoring
from api.app import create_app, create_monitor
from api.services import Health
from api.stream import close_streams
from database.postgres import PostgresDatabase
from workers.demo import seed
from workers.service import SPOOLING, Service, makers
from workers.settings import Settings
from workers.supervisor import Running, Supervisor
from workers.webserver import WebServer
from workers.wiring import Platform

LOOPBACK = ("127.0.0.1", "::1", "localhost")
OPEN_FILES = 4096
STALLED_AFTER = 60.0
COLLECTED_AFTER = 10_000
"""Objects. A batch makes some ten thousand, which with Python's own 700 are looked through again and again:
measured, ingest and the projections need a sixth less time."""
STOP_WITHIN = 10.0
PROBE_THREADS = 4
"""Of a service that only answers probes and shows metrics."""


class Process:
    """One service of Parley, or all of it. Raises ValueError when the demo would be open to the network."""

    def __init__(self, settings: Settings, *, service: Service | None = None, demo: bool = False) -> None:
        if demo and (settings.host not in LOOPBACK or settings.is_cluster):
            raise ValueError(
                f"the demo signs anybody in, on this machine: PARLEY_HOST must be {LOOPBACK[0]}, not"
                f" {settings.host}, and PARLEY_DATABASE_URL not set"
            )
        _raise_open_files()
        collect_seldom()
        # Bound first: the port may be any free one, and the mappings' webhook URLs name it.
        self._web = _listening(self._serve, settings, service)
        self._stack = ExitStack()
        self.url = self._web.url
        with ExitStack() as opened:
            opened.callback(self._web.stop)
            opened.callback(self._stack.close)
            if not settings.is_cluster:
                self._stack.enter_context(_sole_use(settings.data_dir))
            if demo:
                seed(settings, settings.public_url or self.url)
            self.platform = Platform(
                settings,
                demo=demo,
                public_url=settings.public_url or self.url,
                spooling=service is None or service in SPOOLING,
            )
            _refuse_half_restored(self.platform)
            if not settings.is_cluster:
                # Whoever held a lease on this folder is dead: its time need not be waited out.
                self.platform.leases.end_all()
            self._supervisor = Supervisor(makers(self.platform, service))
            services = self.platform.services(self.health)
            self._app = create_app(services) if service in (None, Service.API) else create_monitor(services)
            opened.pop_all()

    def _serve(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self._app.wsgi_app(environ, start_response)

    def start(self) -> None:
        """Start the workers, then take requests."""
        key = self._settings_admin_key()
        if key:
            self.platform.people.ensure_admin_key(key)
        self._supervisor.start()
        self._web.start()

    def _settings_admin_key(self) -> str | None:
        secret = self.platform.settings.admin_key
        return secret.get_secret_value() if secret else None

    def stop(self) -> list[str]:
        """End the streams, the requests, then the workers, each finishing its step.

        Returns the names of workers that did not finish in time.
        """
        close_streams(self._app)
        self._web.stop()
        unfinished = self._supervisor.stop(STOP_WITHIN)
        self.platform.close()
        self._stack.close()
        return unfinished

    def health(self) -> list[Health]:
        """How every worker is, and every connection that a provider speaks to us by."""
        now = time.monotonic()
        connections = [
            Health(f"connections of {code}", ok=ok, detail=detail, vital=False)
            for code, (ok, detail) in self.platform.sender.connections().items()
        ]
        return [*(_health_of(each, now) for each in self._supervisor.running), *connections]


def collect_seldom() -> None:
    """Let the garbage collector look for cycles less often."""
    gc.set_threshold(COLLECTED_AFTER)


def _refuse_half_restored(platform: Platform) -> None:
    database = platform.storage.store
    if isinstance(database, PostgresDatabase) and restoring(database):
        raise ValueError("a restore of this store has not finished: run the same `parley restore` again")


def _health_of(worker: Running, now: float) -> Health:
    if worker.failures:
        return Health(worker.name, ok=False, detail=f"failed {worker.failures} times: {worker.problem}")
    silent = now - worker.stepped_at
    if silent > STALLED_AFTER:
        return Health(worker.name, ok=False, detail=f"has been in one step for {silent:.0f} s")
    return Health(worker.name, ok=True, detail="running")


def _sole_use(folder: Path) -> TextIO:
    """Keep any other process from working on the same folder, until this one ends, however it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = (folder / "parley.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise ValueError(f"another Parley works on {folder}: stop it, or set PARLEY_DATA_DIR") from None
    return lock


def _listening(app: WSGIApplication, settings: Settings, service: Service | None) -> WebServer:
    threads = settings.web_threads if service in (None, Service.API) else PROBE_THREADS
    try:
        return WebServer(app, settings.host, settings.port, threads)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise ValueError(f"cannot listen on {where} ({reason}): set PARLEY_PORT or PARLEY_HOST") from None


def _raise_open_files() -> None:
    """Every stream is an open file: take what the system gives, where it gives little by default."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
