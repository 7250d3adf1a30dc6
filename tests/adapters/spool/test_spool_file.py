"""What a disk, or the end of a process, can do to a spool."""

import logging
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.spool import Spool, SpooledLog
from adapters.spool_file import SpoolFile, pack, unpack
from adapters.sqlite_log import SQLiteLog
from domain.errors import LogUnavailable
from domain.ports import NewRecord
from tests.adapters.spool.conftest import LIMIT, drain, left_by
from tests.contracts.log_contract import records
from tests.fakes.clock import START, FakeClock
from tests.fakes.log import MoodyLog

ROOT = Path(__file__).parents[3]
CANARY = b"the secret of Samos"


def test_what_was_acknowledged_survives_kill_9(open_spool: Callable[..., Spool], folder: Path) -> None:
    acknowledged: set[str] = set()
    for _ in range(3):
        acknowledged |= spool_in_a_child_and_kill_it(folder, 60)
    found = left_by(open_spool())
    assert acknowledged <= set(found)
    assert len(found) == len(set(found))
    assert not list(folder.glob("*.broken"))


def spool_in_a_child_and_kill_it(folder: Path, count: int) -> set[str]:
    """What a child process acknowledged, killed after `count` lines at the earliest."""
    program = Path(__file__).with_name("spool_until_killed.py")
    child = subprocess.Popen(
        [sys.executable, program, folder], env={"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(count)]
        child.kill()
        lines += child.stdout.readlines()
    whole = {line.strip() for line in lines if line.endswith("\n")}
    assert len(whole) >= count
    return whole


def test_a_commit_is_synced_and_removed_content_overwritten(spool: Spool) -> None:
    wanted = {"journal_mode": "truncate", "synchronous": 2, "fullfsync": 1, "secure_delete": 1}
    for name, value in wanted.items():
        assert spool._files[-1]._writer.execute(f"PRAGMA {name}").fetchone() == (value,)


def test_a_full_disk_is_no_durability_and_heals(spooled: SpooledLog, spool: Spool, log: MoodyLog) -> None:
    log.away = True
    spooled.append(records("1"))
    writer = spool._files[-1]._writer
    [pages] = writer.execute("PRAGMA page_count").fetchone()
    writer.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(LogUnavailable, match="full"):
        spooled.append(records("small", "x" * 100_000))
    assert spooled.figures().records == 1
    writer.execute("PRAGMA max_page_count = 1000000")
    spooled.append(records("2"))
    log.away = False
    drain(spooled)
    assert (log.values, spooled.figures().broken) == (["1", "2"], ())


def test_a_disk_on_which_nothing_can_be_removed_does_not_repeat_itself(
    spooled: SpooledLog, spool: Spool, log: MoodyLog, folder: Path
) -> None:
    log.away = True
    spooled.append(records("1"))
    log.away = False
    spool._files[-1]._writer.execute("PRAGMA busy_timeout = 0")
    [file] = folder.glob("*.db")
    blocker = sqlite3.connect(file, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    assert not spooled.drain(LIMIT)
    assert "locked" in spooled.figures().problem
    assert not spooled.drain(LIMIT)
    assert (log.values, spooled.figures().broken) == (["1"], ())
    blocker.close()


def filled(open_spool: Callable[..., Spool], folder: Path, count: int = 60) -> Path:
    """The file of a process that died with records in it."""
    spool = open_spool()
    for number in range(count):
        spool.append([NewRecord(b"k", f"{number:03} ".encode() + CANARY * 5, {"ce_type": "a.b"})])
    spool.close()
    [file] = folder.glob("*.db")
    return file


def numbers(values: list[str]) -> list[int]:
    """Which of them these are; they must be as they were written."""
    assert all(value[3:] == " " + CANARY.decode() * 5 for value in values)
    return [int(value[:3]) for value in values]


def test_a_flipped_bit_costs_one_record_and_is_told(
    open_spool: Callable[..., Spool], folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = filled(open_spool, folder)
    content = bytearray(file.read_bytes())
    content[content.index(b"030 " + CANARY) + 8] ^= 1
    file.write_bytes(content)
    log, spool = MoodyLog(), open_spool()
    spooled = SpooledLog(log, spool, lambda: None)
    with caplog.at_level(logging.ERROR):
        drain(spooled)
    spooled.drain(LIMIT)
    assert numbers(log.values) == [n for n in range(60) if n != 30]
    assert spooled.figures().broken == (file.with_suffix(".broken").name,)
    assert "record 31: its checksum is wrong" in caplog.text
    assert CANARY not in caplog.text.encode()
    spooled.append(records("goes on"))
    assert log.values[-1] == "goes on"
    assert file.with_suffix(".broken").read_bytes().count(b"030 ") == 1


@pytest.mark.parametrize("garbage", [b"", b"no database at all" * 1000])
def test_what_is_no_spool_file_is_set_aside(
    open_spool: Callable[..., Spool], folder: Path, garbage: bytes
) -> None:
    file = filled(open_spool, folder)
    file.write_bytes(garbage)
    spool = open_spool()
    assert spool.empty
    assert spool.figures().broken == (file.with_suffix(".broken").name,)
    assert not file.with_suffix(".lock").exists()
    spool.append(records("goes on"))
    assert left_by(spool) == ["goes on"]


def test_a_file_of_something_else_is_set_aside(
    open_spool: Callable[..., Spool], folder: Path, clock: FakeClock
) -> None:
    folder.mkdir()
    SQLiteLog(folder / "other.db", "other", 1, clock).close()
    assert open_spool().figures().broken == ("other.broken",)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_never_served_as_whole(
    open_spool: Callable[..., Spool], folder: Path, part: float
) -> None:
    file = filled(open_spool, folder)
    os.truncate(file, int(file.stat().st_size * part))
    spool = open_spool()
    found = numbers(left_by(spool))
    assert found == sorted(set(found))
    assert left_by(spool) == []
    assert spool.figures().broken
    spool.append(records("goes on"))
    assert left_by(spool) == ["goes on"]


@pytest.mark.parametrize("seed", range(40))
def test_a_flip_anywhere_is_never_served_and_no_loss_is_silent(
    open_spool: Callable[..., Spool], folder: Path, seed: int
) -> None:
    file = filled(open_spool, folder, 30)
    seeded = random.Random(seed)
    content = bytearray(file.read_bytes())
    for _ in range(seeded.choice([1, 1, 20])):
        content[seeded.randrange(seeded.choice([100, len(content)]))] ^= 1 << seeded.randrange(8)
    file.write_bytes(content)
    spool = open_spool()
    found = numbers(left_by(spool))
    assert len(found) == len(set(found))
    assert left_by(spool) == []
    assert len(found) == 30 or spool.figures().broken
    spool.append(records("goes on"))
    assert left_by(spool) == ["goes on"]


def test_a_file_that_breaks_while_it_is_written_to_is_replaced(
    spooled: SpooledLog, spool: Spool, log: MoodyLog, folder: Path
) -> None:
    log.away = True
    spooled.append(records("1"))
    [file] = folder.glob("*.db")
    file.write_bytes(b"scribble" * (file.stat().st_size // 8))
    spooled.append(records("2"))
    log.away = False
    drain(spooled)
    assert log.values == ["2"]
    assert spooled.figures().broken == (file.with_suffix(".broken").name,)
    assert spooled.figures().records == 0


def test_records_that_vanish_hold_nothing_up(
    spooled: SpooledLog, spool: Spool, log: MoodyLog, folder: Path
) -> None:
    log.away = True
    spooled.append(records("1", "2"))
    log.away = False
    [file] = folder.glob("*.db")
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("DELETE FROM record")
    other.close()
    drain(spooled)
    drain(spooled)
    assert (spooled.figures().records, spooled.figures().broken) == (0, (f"{file.stem}.broken",))
    spooled.append(records("3"))
    assert log.values == ["3"]


def test_a_file_that_was_set_aside_is_not_made_anew(folder: Path, clock: FakeClock) -> None:
    folder.mkdir()
    file = SpoolFile(folder / "a.db", clock, new=True)
    file.set_aside("it was scribbled on")
    assert file.oldest() is None
    assert [each.name for each in folder.iterdir()] == ["a.broken"]


def test_records_are_packed_with_a_checksum() -> None:
    record = NewRecord(b"key", b"value", {"a": "b"}, START)
    packed = pack(record, START)
    assert unpack(packed) == record
    for place in range(len(packed)):
        for bit in range(8):
            flipped = bytearray(packed)
            flipped[place] ^= 1 << bit
            with pytest.raises(ValueError, match="checksum"):
                unpack(bytes(flipped))
        with pytest.raises(ValueError, match="checksum"):
            unpack(packed[:place])


def test_what_was_moved_is_gone_from_the_disk(spooled: SpooledLog, log: MoodyLog, folder: Path) -> None:
    log.away = True
    spooled.append([NewRecord(b"k", CANARY)])
    assert any(CANARY in file.read_bytes() for file in folder.iterdir())
    log.away = False
    drain(spooled)
    assert not any(CANARY in file.read_bytes() for file in folder.iterdir())
