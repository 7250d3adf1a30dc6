"""What the commands of the command line share."""

import logging
import signal
import sys
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from adapters.keys.vault import WrongMasterKey
from domain.errors import ParleyError
from workers.process import Process
from workers.service import Service
from workers.settings import Settings, SettingsError

F = TypeVar("F", bound=Callable[..., Any])


def friendly(command: F) -> F:
    """Say what is wrong in a line and exit with 2, instead of a traceback."""

    @wraps(command)
    def run(*args: object, **kwargs: object) -> object:
        try:
            return command(*args, **kwargs)
        except (SettingsError, WrongMasterKey, ParleyError, ValueError) as error:
            click.echo(f"parley: {error}", err=True)
            sys.exit(2)

    return run  # type: ignore[return-value]  # the same signature, as click reads it from __wrapped__


def run_until_told(settings: Settings, service: Service | None, *, demo: bool = False) -> None:
    """Run one service, or all of Parley, until SIGTERM or Ctrl-C."""
    log_to_stderr(settings)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    process = Process(settings, service=service, demo=demo)
    process.start()
    where = "" if settings.is_cluster else f"; data in {settings.data_dir}"
    name = f"parley {service}" if service else "Parley"
    click.echo(f"{name} is at {process.url}  (Ctrl-C stops it{where})")
    stop.wait()
    click.echo("stopping…")
    unfinished = process.stop()
    if unfinished:
        click.echo(f"did not finish in time: {', '.join(unfinished)}", err=True)
        sys.exit(1)


def progress_bar() -> Progress:
    """How far long work has come, for people."""
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    )


def log_to_stderr(settings: Settings) -> None:
    """Let log records be seen."""
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # These say much that is of no use here: a line for each request, burst, or try to connect.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    logging.getLogger("twilio").setLevel(logging.WARNING)
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
