"""`parley backup`: what is in the store and is not an event, in one file.

Events are on the events topic for ever; with them, this file and the master key a lost store is restored
(`restore`). What is sealed stays sealed as it is. The file is gzip of lines of JSON: a manifest; for each
table a line for each row, and a line with their number and their SHA-256; and a last line. One that lacks any
of it is refused.

A customer's key that was made after the last backup is lost with the store, and with it what they wrote: back
up often. It takes about a second for each hundred thousand customers, and disturbs nobody.
"""

import base64
import gzip
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, cast

from psycopg import sql

from adapters.event_store.tables import VERSION
from adapters.keys import periods
from adapters.keys.sealing import new_key
from adapters.keys.vault import Vault
from database.postgres import PostgresDatabase
from database.postgres_connections import Connection
from database.sql import Row
from domain.errors import ParleyError
from domain.ports import Clock

FORMAT = 1

# By table, the columns that say in which order rows go.
BACKED_UP = {
    "vault": ("id",),
    "tombstone": ("position",),
    "user_account": ("login",),
    "api_key": ("id",),
    "media": ("media_id",),
    "parked": ("partition", "offset"),
    "parked_decision": ("decided_at", "partition", "offset"),
    "waiting_receipt": ("reference", "partition", "offset"),
}

ELSEWHERE = frozenset(
    {
        "made",  # the tables' version: `parley migrate` makes it
        "lease",  # over when the processes are
        "stored_events",  # on the events topic, like the next four
        "unit",
        "tracking",
        "epoch",
        "message_reference",
        "arrival",  # remembered for hours only
        "relay",  # made anew by a restore
        "relay_tail",
    }
)
"""Tables that are not backed up."""

ROWS = 200
"""That are in memory at once: pictures are among them."""


class BadBackup(ParleyError):
    """The file is no backup, is not whole, or is a newer Parley's."""


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself."""

    made_at: datetime
    head: int  # the position of the newest event when it was made
    tables: int  # the version of the store's tables


@dataclass(frozen=True)
class BackedUp:
    """What was written."""

    manifest: Manifest
    rows: dict[str, int]  # by table
    size: int  # of the file, in bytes


def backup(store: PostgresDatabase, vault: Vault, clock: Clock, file: Path, days: int) -> BackedUp:
    """Write a backup, which takes the place of what had the file's name once it is whole.

    `days`: so many days after today have the keys that seal the ingress log made now, so that facts that come
    after the backup can be read by whoever restores it. Raises OSError, StoreUnavailable.
    """
    today = clock.now().astimezone(UTC).date()
    vault.obtain(periods.KIND, [(today + timedelta(each)).isoformat() for each in range(days + 1)], new_key)
    handle, draft = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")  # 0600
    try:
        with os.fdopen(handle, "wb") as raw:
            with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=1, mtime=0) as lines:
                manifest, rows = _write(store, clock.now(), cast(BinaryIO, lines))
            raw.flush()
            os.fsync(raw.fileno())
        Path(draft).replace(file)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    return BackedUp(manifest, rows, file.stat().st_size)


def _write(store: PostgresDatabase, now: datetime, lines: BinaryIO) -> tuple[Manifest, dict[str, int]]:
    with store.connection() as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")  # one look at all tables
        row = connection.execute("SELECT max(notification_id) AS head FROM stored_events").fetchone()
        manifest = Manifest(now, (row and row["head"]) or 0, VERSION)
        _line(lines, {"parley_backup": FORMAT, **vars(manifest), "made_at": now.isoformat()})
        rows = {table: _write_table(connection, lines, table) for table in BACKED_UP}
        _line(lines, {"end": sum(rows.values())})
        connection.execute("COMMIT")
    return manifest, rows


def _write_table(connection: Connection, lines: BinaryIO, table: str) -> int:
    digest, count = hashlib.sha256(), 0
    order = sql.SQL(", ").join(map(sql.Identifier, BACKED_UP[table]))
    select = sql.SQL("SELECT * FROM {} ORDER BY {}").format(sql.Identifier(table), order)
    with connection.cursor(f"backup_{table}") as found:
        found.itersize = ROWS
        for row in found.execute(select):
            digest.update(_line(lines, {"table": table, "row": _plain(row)}))
            count += 1
    _line(lines, {"table": table, "rows": count, "sha256": digest.hexdigest()})
    return count


def _line(lines: BinaryIO, document: dict[str, Any]) -> bytes:
    line = json.dumps(document, ensure_ascii=False).encode() + b"\n"
    lines.write(line)
    return line


def _plain(row: Row) -> Row:
    return {
        name: {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value
        for name, value in row.items()
    }


# ── reading ────────────────────────────────────────────────────────────────────────────────────────


def read_manifest(file: Path) -> Manifest:
    """What a backup says of itself, once all of it was read and found whole. Raises BadBackup, OSError."""
    for _ in read_rows(file):
        pass
    with _opened(file) as lines:
        return _manifest(file, lines.readline())


def read_rows(file: Path) -> Iterator[tuple[str, Row]]:
    """The rows of a backup, each with its table. Raises OSError; BadBackup, at the latest at the end."""
    with _opened(file) as lines:
        _manifest(file, lines.readline())
        total = 0
        for table in BACKED_UP:
            digest, count = hashlib.sha256(), 0
            while "row" in (found := _document(file, line := lines.readline(), table)):
                digest.update(line)
                count += 1
                yield table, {name: _original(value) for name, value in found["row"].items()}
            if (found.get("rows"), found.get("sha256")) != (count, digest.hexdigest()):
                raise BadBackup(f"{file}: the rows of {table} are not all there, or were altered.")
            total += count
        if _document(file, lines.readline(), None) != {"end": total} or lines.readline():
            raise BadBackup(f"{file} does not end as a backup does.")


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    try:
        with gzip.open(file, "rb") as lines:
            yield cast(BinaryIO, lines)
    except (EOFError, gzip.BadGzipFile, ValueError) as error:
        raise BadBackup(f"{file} is damaged or not a backup: {error}") from None


def _manifest(file: Path, line: bytes) -> Manifest:
    found = _document(file, line, None)
    if found.get("parley_backup") != FORMAT or found.get("tables", VERSION + 1) > VERSION:
        raise BadBackup(f"{file} is not a backup that this version of Parley can read; a newer one may.")
    return Manifest(datetime.fromisoformat(found["made_at"]), found["head"], found["tables"])


def _document(file: Path, line: bytes, table: str | None) -> dict[str, Any]:
    found = json.loads(line) if line.endswith(b"\n") else None
    if not isinstance(found, dict) or found.get("table") != table:
        raise BadBackup(f"{file} is not whole: it breaks off or something in it is missing.")
    return found


def _original(value: Any) -> Any:
    return base64.b64decode(value["base64"]) if isinstance(value, dict) else value
