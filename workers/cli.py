"""The command line: one command, `parley`."""

import json
import logging
import signal
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from adapters.accounts import Role, UserDraft
from adapters.keys.vault import WrongMasterKey
from domain.addresses import normalise
from domain.commands import Actor
from domain.errors import Refused
from domain.replay import Replay
from projections.history_queries import HistoryQueries
from projections.rebuild import rebuild as rebuild_views
from projections.registry import ALL
from workers.doctor import examine, print_findings
from workers.process import Process
from workers.replay_printing import print_timeline, timeline_json
from workers.settings import Settings, SettingsError, load_settings
from workers.wiring import Platform

OPERATOR = Actor("operator", frozenset({"admin"}))
F = TypeVar("F", bound=Callable[..., Any])


def _friendly(command: F) -> F:
    """Say what is wrong in a line and exit with 2, instead of a traceback."""

    @wraps(command)
    def run(*args: object, **kwargs: object) -> object:
        try:
            return command(*args, **kwargs)
        except (SettingsError, WrongMasterKey, Refused, ValueError) as error:
            click.echo(f"parley: {error}", err=True)
            sys.exit(2)

    return run  # type: ignore[return-value]  # the same signature, as click reads it from __wrapped__


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="parley")
def main() -> None:
    """Parley: SMS conversations for contact centres.

    Settings are environment variables that begin with PARLEY_; `parley doctor` shows them.
    """


@main.command()
@click.option(
    "--demo", is_flag=True, help="With a simulated carrier, a handset and a past day. Loopback only."
)
@_friendly
def up(*, demo: bool) -> None:
    """Run all of Parley in this process, until Ctrl-C."""
    settings = load_settings()
    _log_to_stderr(settings)
    process = Process(settings, demo=demo)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    process.start()
    click.echo(f"Parley is at {process.url}  (Ctrl-C stops it; data in {settings.data_dir})")
    stop.wait()
    click.echo("stopping…")
    unfinished = process.stop()
    if unfinished:
        click.echo(f"did not finish in time: {', '.join(unfinished)}", err=True)
        sys.exit(1)


@main.command()
@click.argument("views", nargs=-1, type=click.Choice([each.name for each in ALL]))
@_friendly
def rebuild(views: tuple[str, ...]) -> None:
    """Fill the views (all, or those named) anew from the event store."""
    platform = _open()
    names = views or tuple(each.name for each in ALL)
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    ) as progress:
        task = progress.add_task("events", total=None)
        rebuild_views(
            platform.views,
            platform.store,
            names,
            lambda done, total: progress.update(task, completed=done, total=total),
        )
    platform.close()


@main.command()
@click.argument("conversation", type=click.UUID)
@click.option(
    "--at", "moment", help="The state as of this time (ISO 8601; in PARLEY_TIMEZONE unless it says)."
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@_friendly
def replay(conversation: UUID, moment: str | None, *, as_json: bool) -> None:
    """Print the history of a conversation."""
    platform = _open()
    zone = ZoneInfo(platform.settings.timezone)
    messages = [each.id for each in HistoryQueries(platform.views).messages(conversation)]
    timeline = Replay(platform.store, platform.ids).timeline(conversation, messages)
    at = _moment(moment, zone) if moment else None
    if as_json:
        click.echo(json.dumps(timeline_json(timeline, at), indent=2, ensure_ascii=False))
    else:
        print_timeline(timeline, Console(), zone, at)
    platform.close()


def _moment(text: str, zone: ZoneInfo) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"--at {text}: write it like 2026-11-22T14:30 or 2026-11-22T14:30:00+01:00"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


@main.command()
@click.argument("customer")
@click.option(
    "--country", default="", help="The country to read the number with (ISO 3166-1), when without +."
)
@click.confirmation_option(prompt="Their texts and number can never be read again. Forget this customer?")
@_friendly
def forget(customer: str, country: str) -> None:
    """Forget a CUSTOMER, by number: destroy the key to all their texts, and purge the views."""
    address = _address(customer, country)
    platform = _open()
    done = platform.catalogue.forget(OPERATOR, address)
    projector = platform.projector()
    while projector.step():
        pass
    click.echo(f"forgotten: {done.result} key(s) destroyed, views purged")
    platform.close()


def _address(customer: str, country: str) -> str:
    if not country and not customer.strip().startswith("+"):
        raise ValueError(f"{customer}: write it like +15005550006, or give --country")
    return normalise(customer, country or "US")  # in international form it reads the same everywhere


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@_friendly
def doctor(*, as_json: bool) -> None:
    """Say what is configured, what is reachable, what is wrong, and how to mend it."""
    findings = examine(load_settings())
    if as_json:
        click.echo(json.dumps([vars(each) for each in findings], indent=2, ensure_ascii=False))
    else:
        print_findings(findings, Console())
    sys.exit(1 if any(each.level == "wrong" for each in findings) else 0)


@main.command("key")
@click.argument("name")
@click.option(
    "--role", "roles", multiple=True, type=click.Choice([each.value for each in Role]), required=True
)
@_friendly
def add_key(name: str, roles: tuple[str, ...]) -> None:
    """Make an API key called NAME, and print it: it is shown this once."""
    platform = _open()
    _, key = platform.people.add_key(name, [Role(each) for each in roles], None, OPERATOR.login)
    click.echo(key)
    platform.close()


@main.command("user")
@click.argument("login")
@click.option("--name", help="For people; the login where it is left out.")
@click.option(
    "--role", "roles", multiple=True, type=click.Choice([each.value for each in Role]), required=True
)
@click.password_option()
@_friendly
def add_user(login: str, name: str | None, roles: tuple[str, ...], password: str) -> None:
    """Add a person who may sign in."""
    platform = _open()
    kinds = frozenset(Role(each) for each in roles)
    platform.people.add_user(UserDraft(login, name or login, kinds, password))
    platform.close()


def _open() -> Platform:
    settings = load_settings()
    if not (Path(settings.data_dir) / "store.db").exists():
        raise ValueError(
            f"there is no data in {settings.data_dir} yet; start `parley up`, or set PARLEY_DATA_DIR"
        )
    return Platform(settings)


def _log_to_stderr(settings: Settings) -> None:
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # Both say much that is of no use here: one line a request, one warning for each burst.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    logging.getLogger("twilio").setLevel(logging.WARNING)
