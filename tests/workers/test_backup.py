"""A backup holds all that is no event, is whole or refused, and is nobody else's to read."""

import gzip
import json
import stat
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.accounts import Role, UserDraft
from adapters.keys import periods
from domain.ports import Parked, Source, Unit, WaitingReceipt
from tests.workers.cluster import ADMIN, CUSTOMER, Cluster, Process, cluster
from workers.backup import BACKED_UP, ELSEWHERE, BackedUp, BadBackup, backup, read_manifest, read_rows

__all__ = ["cluster"]


@pytest.fixture
def process(cluster: Cluster) -> Process:
    process = cluster.open(begin=True)
    platform, now = process.platform, cluster.clock.now()
    process.text("a customer's words")
    process.settle()
    customer = platform.ids.customer(CUSTOMER)
    platform.media.put(customer, customer, "image/png", b"a picture" * 1000)
    platform.people.add_user(UserDraft("bea", "Bea", frozenset({Role.AGENT}), "a long enough password"))
    platform.people.add_key("robot", [Role.ADMIN], None, ADMIN.login)
    platform.store.save(
        Unit(
            source=Source(0, 100),
            parked=[Parked(0, 100, "not to be understood")],
            waiting=[WaitingReceipt(customer, 0, 99, now)],
        )
    )
    platform.secrets.remove(platform.secrets.put("thrown away"))
    return process


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "parley.backup"


def back_up(process: Process, file: Path) -> BackedUp:
    return backup(process.store, process.platform.vault, process.platform.clock, file, 7)


def test_every_table_is_backed_up_or_known_to_be_elsewhere(cluster: Cluster) -> None:
    database = cluster.database()
    assert database.tables() == set(BACKED_UP) | ELSEWHERE
    database.close()


def test_all_rows_come_back_as_they_were(process: Process, file: Path) -> None:
    report = back_up(process, file)
    found = list(read_rows(file))
    for table in BACKED_UP:
        rows = process.store.rows(f"SELECT * FROM {table}")  # noqa: S608
        assert report.rows[table] == len(rows)
        assert sorted(map(repr, rows)) == sorted(repr(row) for name, row in found if name == table)
    full = {table for table, rows in report.rows.items() if rows}
    assert full == set(BACKED_UP) - {"parked_decision"}
    assert report.manifest == read_manifest(file)
    assert report.manifest.head == process.platform.store.head()


def test_only_its_owner_may_read_it_and_nothing_is_in_clear(process: Process, file: Path) -> None:
    back_up(process, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = gzip.decompress(file.read_bytes()).decode()
    for secret in ("a customer's words", "provider's secret", "not to be understood", CUSTOMER, "a picture"):
        assert secret not in text


def test_the_keys_of_the_coming_days_are_in_it(process: Process, file: Path) -> None:
    back_up(process, file)
    days = sorted(row["name"] for table, row in read_rows(file) if row.get("kind") == periods.KIND)
    today = process.platform.clock.now().date()
    assert days == [(today + timedelta(each)).isoformat() for each in range(8)]


def test_a_backup_takes_the_place_of_the_last_only_when_it_is_whole(process: Process, file: Path) -> None:
    back_up(process, file)
    before = file.read_bytes()
    with process.store.writing() as c:
        c.run("ALTER TABLE waiting_receipt RENAME TO gone")  # the last table: nearly all has been written
    with pytest.raises(Exception, match="waiting_receipt"):
        back_up(process, file)
    assert file.read_bytes() == before
    assert list(file.parent.glob(".parley.backup*")) == []


@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_file_that_breaks_off_is_refused(process: Process, file: Path, keep: float) -> None:
    back_up(process, file)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(BadBackup):
        read_manifest(file)


def lines_of(file: Path) -> list[bytes]:
    return gzip.decompress(file.read_bytes()).splitlines(keepends=True)


def test_a_file_that_lacks_any_line_is_refused(process: Process, file: Path) -> None:
    back_up(process, file)
    lines = lines_of(file)
    for number in range(len(lines)):
        file.write_bytes(gzip.compress(b"".join(lines[:number] + lines[number + 1 :]), 1))
        with pytest.raises(BadBackup):
            read_manifest(file)


def test_an_altered_row_is_refused(process: Process, file: Path) -> None:
    back_up(process, file)
    text = b"".join(lines_of(file)).replace(b'"bea"', b'"eve"')
    file.write_bytes(gzip.compress(text))
    with pytest.raises(BadBackup, match="user_account"):
        read_manifest(file)


@pytest.mark.parametrize("change", [{"parley_backup": 2}, {"tables": 1000}, {"parley_backup": None}])
def test_a_newer_version_is_refused(process: Process, file: Path, change: dict[str, int]) -> None:
    back_up(process, file)
    first, *others = lines_of(file)
    manifest = json.dumps(json.loads(first) | change).encode() + b"\n"
    file.write_bytes(gzip.compress(b"".join([manifest, *others])))
    with pytest.raises(BadBackup, match="newer"):
        read_manifest(file)


def test_another_file_is_refused(file: Path) -> None:
    file.write_text("something else")
    with pytest.raises(BadBackup):
        read_manifest(file)
