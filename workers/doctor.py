"""The doctor: what is configured, reachable and wrong, and how to mend it."""

import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from adapters.providers.simulator import SimulatorProvider
from domain.errors import LogUnavailable, ParleyError, StoreUnavailable
from domain.mapping_settings import Status
from domain.mappings import Mapping
from domain.providers import SendError
from projections.configuration import Sort
from projections.configuration_queries import ConfigurationQueries, Entry, Listed
from workers.settings import Settings
from workers.storage import Files
from workers.wiring import Platform

LEAST_FREE_MEGABYTES = 500
MARKS = {"fine": "[green]✓[/]", "note": "[yellow]![/]", "wrong": "[red]✗[/]"}


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `level` is fine, note or wrong; `fix` says what to do."""

    level: str
    subject: str
    finding: str
    fix: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Look at everything. Sends no text; asks providers about accounts and numbers."""
    findings = [*_settings(settings), *_folder(settings)]
    if not settings.is_cluster and not Files.in_folder(settings.data_dir).store.exists():
        findings.append(Finding("note", "data", f"nothing in {settings.data_dir} yet", "start `parley up`"))
        return findings
    try:
        platform = Platform(settings, spooling=False)
    except StoreUnavailable as error:
        findings.append(Finding("wrong", "PostgreSQL", str(error), "look at PARLEY_DATABASE_URL"))
        return findings
    except (ParleyError, ValueError) as error:
        findings.append(Finding("wrong", "data", str(error), "set PARLEY_MASTER_KEY, or restore master.key"))
        return findings
    findings += [*_progress(platform), *_mappings(platform), *_left_over(platform)]
    platform.close()
    return findings


def _settings(settings: Settings) -> Iterator[Finding]:
    if not settings.public_url:
        yield Finding(
            "note",
            "PARLEY_PUBLIC_URL",
            "not set: providers elsewhere cannot reach this machine",
            "set it to the https URL under which this port can be reached from the internet",
        )
    elif urlsplit(settings.public_url).scheme != "https":
        yield Finding("note", "PARLEY_PUBLIC_URL", "is not https", "put a proxy with TLS in front")
    else:
        yield Finding("fine", "PARLEY_PUBLIC_URL", settings.public_url)
    if settings.master_key is None:
        yield Finding(
            "note",
            "PARLEY_MASTER_KEY",
            "not set: the master key is in the data folder",
            "keep it apart from the data, and a copy of it where no backup of the data is",
        )
    with socket.socket() as probe:
        if settings.port and probe.connect_ex((settings.host, settings.port)) == 0:
            yield Finding("note", "PARLEY_PORT", f"{settings.port} is in use (by Parley itself, if it is up)")


def _folder(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir
    existing = (
        folder if folder.exists() else next(each for each in folder.absolute().parents if each.exists())
    )
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        yield Finding(
            "wrong", "PARLEY_DATA_DIR", f"{folder}: {error.strerror}", "make it writable, or choose another"
        )
        return
    free = shutil.disk_usage(existing).free // 2**20
    if free < LEAST_FREE_MEGABYTES:
        yield Finding("wrong", "disk", f"{free} MB free", f"free {LEAST_FREE_MEGABYTES} MB at least")
    else:
        yield Finding("fine", "disk", f"{free} MB free for {folder}")
    key = Files.in_folder(folder).master_key
    if key.exists() and stat.S_IMODE(key.stat().st_mode) & 0o077:
        yield Finding("wrong", "master.key", "others can read it", f"chmod 600 {key}")


def _progress(platform: Platform) -> Iterator[Finding]:
    try:
        partitions = range(platform.log.partitions)
        waiting = sum(max(0, platform.log.end(each) - platform.store.ingested(each)) for each in partitions)
    except LogUnavailable as error:
        yield Finding("wrong", "Kafka", str(error), "look at PARLEY_KAFKA; facts wait in the spool meanwhile")
        return
    behind = platform.store.head() - min(platform.views.positions().values())
    level = "fine" if not waiting and not behind else "note"
    fix = "" if level == "fine" else "start `parley up`; if it is up, look at its log"
    yield Finding(level, "progress", f"{waiting} facts to ingest, views {behind} events behind", fix)


def _mappings(platform: Platform) -> Iterator[Finding]:
    for listed in _listed(platform):
        mapping = platform.accounts.mapping(listed.code)
        if mapping.settings.status is Status.DRAFT:
            continue
        yield from _mapping(platform, mapping)


def _mapping(platform: Platform, mapping: Mapping) -> Iterator[Finding]:
    subject = f"mapping {mapping.settings.code}"
    name = mapping.settings.provider_name
    provider = platform.providers.get(name)
    if name == SimulatorProvider.name:
        yield Finding("note", subject, "belongs to the demo: nothing else carries it")
        return
    if provider is None:
        yield Finding("wrong", subject, f"its provider “{name}” is not installed", "install it, or pause it")
        return
    try:
        problems = provider.open(platform.accounts.of(mapping)).check()
    except SendError as error:
        yield Finding("wrong", subject, error.detail, "check the network and the credentials")
        return
    for problem in problems:
        yield Finding("wrong", subject, f"{problem.field}: {problem.message}", "modify the mapping")
    if not problems:
        yield Finding("fine", subject, f"{provider.title} answers, and finds nothing wrong")


def _listed(platform: Platform) -> Iterator[Entry]:
    cursor = None
    while True:
        page = ConfigurationQueries(platform.views).list(Sort.MAPPING, Listed(), cursor, 100)
        yield from page.items
        cursor = page.next
        if cursor is None:
            return


def _left_over(platform: Platform) -> Iterator[Finding]:
    parked = len(platform.parking.parked())
    if parked:
        yield Finding("wrong", "parked", f"{parked} facts could not be ingested", "see GET /api/v1/parked")
    else:
        yield Finding("fine", "parked", "none")
    unmatched = len(platform.parking.expired_receipts(platform.clock.now()))
    if unmatched:
        finding = f"{unmatched} receipts match no message of ours"
        fix = "does another program send by the same account? On SMPP: does the option message_ids fit?"
        yield Finding("note", "receipts", finding, fix)


def print_findings(findings: list[Finding], console: Console) -> None:
    """Lay the findings out for people."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for each in findings:
        advice = f"{each.finding}\n[dim]→ {each.fix}[/]" if each.fix else each.finding
        table.add_row(MARKS[each.level], each.subject, advice)
    console.print(table)
