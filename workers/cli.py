"""The command line: one command, `parley`."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import click
from rich.console import Console

from adapters.accounts import Role, UserDraft
from domain.addresses import normalise
from domain.commands import Actor
from domain.replay import Replay
from projections.history_queries import HistoryQueries
from projections.rebuild import rebuild as rebuild_views
from projections.registry import ALL
from workers import storage
from workers.cluster_cli import CLUSTER_COMMANDS
from workers.command import friendly, progress_bar, run_until_told
from workers.doctor import examine, print_findings
from workers.replay_printing import print_timeline, timeline_json
from workers.settings import load_settings
from workers.wiring import Platform

OPERATOR = Actor("operator", frozenset({"admin"}))


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
@friendly
def up(*, demo: bool) -> None:
    """Run all of Parley in this process, until Ctrl-C."""
    run_until_told(load_settings(), None, demo=demo)


for _command in CLUSTER_COMMANDS:
    main.add_command(_command)


@main.command()
@click.argument("views", nargs=-1, type=click.Choice([each.name for each in ALL]))
@friendly
def rebuild(views: tuple[str, ...]) -> None:
    """Fill the views (all, or those named) anew from the event store."""
    with _opened() as platform:
        names = views or tuple(each.name for each in ALL)
        with progress_bar() as progress:
            task = progress.add_task("events", total=None)
            rebuild_views(
                platform.views,
                platform.store,
                names,
                lambda done, total: progress.update(task, completed=done, total=total),
            )


@main.command()
@click.argument("conversation", type=click.UUID)
@click.option(
    "--at", "moment", help="The state as of this time (ISO 8601; in PARLEY_TIMEZONE unless it says)."
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@friendly
def replay(conversation: UUID, moment: str | None, *, as_json: bool) -> None:
    """Print the history of a conversation."""
    with _opened() as platform:
        zone = ZoneInfo(platform.settings.timezone)
        messages = [each.id for each in HistoryQueries(platform.views).messages(conversation)]
        timeline = Replay(platform.store, platform.ids).timeline(conversation, messages)
        at = _moment(moment, zone) if moment else None
        if as_json:
            click.echo(json.dumps(timeline_json(timeline, at), indent=2, ensure_ascii=False))
        else:
            print_timeline(timeline, Console(), zone, at)


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
@friendly
def forget(customer: str, country: str) -> None:
    """Forget a CUSTOMER, by number: destroy the key to all their texts, and purge the views."""
    address = _address(customer, country)
    with _opened() as platform:
        done = platform.catalogue.forget(OPERATOR, address)
        projector = platform.projector()
        while projector.step():
            pass
        click.echo(f"forgotten: {done.result} key(s) destroyed, views purged")


def _address(customer: str, country: str) -> str:
    if not country and not customer.strip().startswith("+"):
        raise ValueError(f"{customer}: write it like +15005550006, or give --country")
    return normalise(customer, country or "US")  # in international form it reads the same everywhere


@main.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@friendly
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
@friendly
def add_key(name: str, roles: tuple[str, ...]) -> None:
    """Make an API key called NAME, and print it: it is shown this once."""
    with _opened() as platform:
        _, key = platform.people.add_key(name, [Role(each) for each in roles], None, OPERATOR.login)
        click.echo(key)


@main.command("user")
@click.argument("login")
@click.option("--name", help="For people; the login where it is left out.")
@click.option(
    "--role", "roles", multiple=True, type=click.Choice([each.value for each in Role]), required=True
)
@click.password_option()
@friendly
def add_user(login: str, name: str | None, roles: tuple[str, ...], password: str) -> None:
    """Add a person who may sign in."""
    with _opened() as platform:
        kinds = frozenset(Role(each) for each in roles)
        platform.people.add_user(UserDraft(login, name or login, kinds, password))


@contextmanager
def _opened() -> Iterator[Platform]:
    settings = load_settings()
    if not settings.is_cluster and not storage.Files.in_folder(settings.data_dir).store.exists():
        raise ValueError(
            f"there is no data in {settings.data_dir} yet; start `parley up`, or set PARLEY_DATA_DIR"
        )
    platform = Platform(settings, spooling=False)
    try:
        yield platform
    finally:
        platform.close()
