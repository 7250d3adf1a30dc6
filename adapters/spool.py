"""The spool: where accepted facts wait on this machine's disk while the log is away.

While the log answers, appends go straight to it. When it does not, they are made durable here, and as long
as anything is here everything goes this way, so that what was accepted first arrives first. A record leaves
only when the log has acknowledged it: a crash in between brings it twice, which facts bear.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from adapters.spool_file import BROKEN, SUFFIX, Batch, Broken, InUse, SpoolFile, pack
from domain.errors import LogUnavailable
from domain.ports import Appended, Clock, Log, NewRecord, Record

log = logging.getLogger(__name__)

TRIES = 3
"""Files that one append may find broken, and rounds of the switch back to the log."""

SWITCH_WAIT = 0.5
"""Seconds that an append waits, at most, for the switch back to the log."""


@dataclass(frozen=True)
class SpoolFigures:
    """How the spool is, for the watch."""

    records: int
    bytes: int
    limit_bytes: int
    oldest: datetime | None  # acceptance time of the record that waits longest
    since: datetime | None  # when it was last empty, if it is not
    problem: str  # why the log did not take what it was given last
    broken: tuple[str, ...]  # files that cannot be read, for a person to look at


class Spool:
    """Durable files of one folder, which several processes may share: each writes to a file of its own.

    What a dead process left there is taken over. `limit_bytes` bounds the records in this process's hands.
    """

    def __init__(self, folder: Path, clock: Clock, *, limit_bytes: int) -> None:
        """Take a free file or make one. Raises LogUnavailable or OSError when the folder cannot be used."""
        self._folder = folder
        self._clock = clock
        self._limit = limit_bytes
        self._lock = threading.Lock()  # guards all of the following, and the files' counts
        self._files: list[SpoolFile] = []  # emptied in this order; the last one is written to
        self._unopened: set[str] = set()
        self._spell = 0
        self._since: datetime | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.adopt()
        if not self._files or self._files[-1].damage:
            self._files.append(self._free_file() or self._new_file())

    @property
    def empty(self) -> bool:
        """Whether nothing is here nor about to be."""
        return not self.records

    @property
    def records(self) -> int:
        """How many records are here or about to be."""
        with self._lock:
            return self._records()

    @property
    def spell(self) -> int:
        """Which time it is that the spool is not empty."""
        with self._lock:
            return self._spell

    def append(self, records: Sequence[NewRecord]) -> list[Appended]:
        """Make them durable, all or none. What the log calls their place is not known yet: -1.

        Raises LogUnavailable when the spool is full or its disk fails.
        """
        now = self._clock.now()
        times = [record.accepted_at or now for record in records]
        packed = [NewRecord(b"", pack(record, time)) for record, time in zip(records, times, strict=True)]
        for tries_left in reversed(range(TRIES)):
            try:
                self._append(packed)
                break
            except Broken as error:
                if not tries_left:
                    raise LogUnavailable(str(error)) from error
        return [Appended(-1, -1, time) for time in times]

    def next_batch(self, limit: int) -> Batch | None:
        """At most `limit` of the oldest records; None when there is none. For one thread at a time.

        Raises LogUnavailable.
        """
        with self._lock:
            files = list(self._files)
        for file in files:
            batch = self._next_of(file, limit)
            if batch:
                return batch
        return None

    def moved(self, batch: Batch) -> None:
        """Forget what the log has now. Raises LogUnavailable when it cannot be removed from the disk yet."""
        try:
            batch.file.remove(batch.last)
        finally:  # it is in the log, whatever is on the disk
            with self._lock:
                batch.file.records -= batch.count
                batch.file.size -= batch.size
                if not self._records():
                    self._since = None

    def adopt(self) -> None:
        """Take over what dead processes left in the folder."""
        with self._lock:
            ours = {file.name for file in self._files}
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            file = None if path.stem in ours else self._open(path)
            if file is None:
                continue
            if not file.records and not file.damage:
                file.close()
                continue
            log.info("the spool file %s with %d records is taken over", file.name, file.records)
            with self._lock:
                if file.records:
                    self._begin_spell()
                self._files.insert(max(0, len(self._files) - 1), file)

    def filled(self) -> list[str]:
        """The names of the files that are not empty."""
        with self._lock:
            return [file.name for file in self._files if file.records]

    def wait(self, timeout: float) -> None:
        """Return as soon as something may have been appended, at the latest after `timeout` seconds."""
        self._files[-1].wait(timeout)

    def figures(self, problem: str = "") -> SpoolFigures:
        """How the spool is; `problem` is why it is not emptied."""
        with self._lock:
            records, size, since, files = self._records(), self._size(), self._since, list(self._files)
        oldest = min((at for at in map(SpoolFile.oldest, files) if at), default=None)
        broken = {path.name for path in self._folder.glob(f"*{BROKEN}")} | self._unopened
        return SpoolFigures(records, size, self._limit, oldest, since, problem, tuple(sorted(broken)))

    def close(self) -> None:
        """Close the files; another process may take them over."""
        with self._lock:
            files, self._files = self._files, self._files[-1:]
        for file in files:
            file.close()

    # ── inside ─────────────────────────────────────────────────────────────────────────────────

    def _records(self) -> int:
        return sum(file.records for file in self._files)

    def _size(self) -> int:
        return sum(file.size for file in self._files)

    def _begin_spell(self) -> None:
        if not self._records():
            self._spell += 1
            self._since = self._clock.now()

    def _append(self, packed: list[NewRecord]) -> None:
        """Raises Broken when the file was: it is set aside then, and another one stands in its place."""
        size = sum(len(each.value) for each in packed)
        file = self._reserve(len(packed), size)
        kept = False
        try:
            file.append(packed)
            kept = True
        except LogUnavailable:
            with self._lock:
                ours = file in self._files
            if file.broken and ours:
                self._set_aside(file, file.broken)
            if file.broken:
                raise Broken(file.broken) from None
            raise
        finally:
            with self._lock:
                file.arriving -= 1
                if not kept:
                    file.records -= len(packed)
                    file.size -= size

    def _reserve(self, records: int, size: int) -> SpoolFile:
        """Count what is about to be appended, so that from now on nothing overtakes it."""
        with self._lock:
            used = self._size()
            if used + size > self._limit:
                raise LogUnavailable(
                    f"the spool is full: {used} of {self._limit} bytes are taken, {size} more do not fit"
                )
            self._begin_spell()
            file = self._files[-1]
            file.records += records
            file.size += size
            file.arriving += 1
            return file

    def _next_of(self, file: SpoolFile, limit: int) -> Batch | None:
        with self._lock:
            written_to = file is self._files[-1]
            quiet, expected = not file.arriving, file.records
        try:
            batch = file.next_batch(limit)
        except Broken as error:
            self._set_aside(file, str(error))
            return None
        if batch is None and quiet and expected:
            file.mark_damaged(f"{expected} records of it are not found")
        if file.damage:
            self._write_to_another(file)
        if batch is None and quiet and not written_to:  # nothing more can come into it
            self._let_go(file)
        return batch

    def _let_go(self, file: SpoolFile) -> None:
        """Have done with a file that holds nothing more to be moved."""
        if file.damage:
            self._set_aside(file, file.damage)
            return
        with self._lock:
            self._files.remove(file)
        file.close()

    def _set_aside(self, file: SpoolFile, reason: str) -> None:
        self._write_to_another(file)
        with self._lock:
            if file not in self._files:
                return
            self._files.remove(file)
            if not self._records():
                self._since = None
        file.set_aside(reason)

    def _write_to_another(self, file: SpoolFile) -> None:
        with self._lock:
            if file is self._files[-1]:
                self._files.append(self._new_file())

    def _open(self, path: Path) -> SpoolFile | None:
        try:
            file = SpoolFile(path, self._clock)
        except (InUse, Broken):
            return None
        except LogUnavailable as error:
            if path.name not in self._unopened:
                log.warning("the spool file %s cannot be opened now: %s", path.name, error)
            self._unopened.add(path.name)
            return None
        self._unopened.discard(path.name)
        return file

    def _free_file(self) -> SpoolFile | None:
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            file = self._open(path)
            if file is not None:
                return file
        return None

    def _new_file(self) -> SpoolFile:
        try:
            return SpoolFile(self._folder / f"{uuid4()}{SUFFIX}", self._clock, new=True)
        except OSError as error:
            raise LogUnavailable(f"no spool file can be made: {error}") from error


class SpooledLog:
    """A `Log` whose appends outlive the log itself: they go to the spool while it is away.

    `notice` is called before the first append of a spell is acknowledged: others must know that something
    accepted is not on the log yet. What it raises is logged; how long it takes is its own affair.
    """

    def __init__(self, through: Log, spool: Spool, notice: Callable[[], None]) -> None:
        self._log = through
        self._spool = spool
        self._notice = notice
        self._problem = ""
        self._draining = threading.Lock()
        self._switching = threading.Lock()  # held while the last records are moved: newcomers wait a moment
        self._noticing = threading.Lock()  # guards the next
        self._noticed = -1  # no spell yet, not even one that began with an earlier process

    @property
    def partitions(self) -> int:
        return self._log.partitions

    def append(self, records: Sequence[NewRecord]) -> list[Appended]:
        """What is spooled has no place on the log yet: its partition and offset are -1.

        Raises LogUnavailable when the log is away and the spool is full or its disk fails.
        """
        if not records:
            return []
        if self._goes_direct():
            try:
                return self._log.append(records)
            except LogUnavailable as error:
                self._problem = str(error)
        appended = self._spool.append(records)
        self._give_notice()
        return appended

    def read(self, partition: int, after: int, limit: int) -> list[Record]:
        return self._log.read(partition, after, limit)

    def end(self, partition: int) -> int:
        return self._log.end(partition)

    def wait(self, timeout: float) -> None:
        self._log.wait(timeout)

    def trim(self, before: datetime) -> int:
        return self._log.trim(before)

    def drain(self, limit: int) -> bool:
        """Move some of the oldest records to the log; whether there may be more to move at once.

        False as well when the log is away: `figures` says why.
        """
        with self._draining:
            moved = self._move(limit)
            if moved and not self._spool.empty and self._spool.records <= limit:
                # So few that they are moved at once. Newcomers wait for it, or else a busy process,
                # in which something always comes meanwhile, would never get back to the log.
                with self._switching:
                    for _ in range(TRIES):
                        if not self._move(limit):
                            break
            if moved and self._spool.empty:
                log.info("the spool is empty: facts go straight to the log again")
            return moved and not self._problem and not self._spool.empty

    def figures(self) -> SpoolFigures:
        """How the spool is, for the watch."""
        return self._spool.figures(self._problem)

    def _goes_direct(self) -> bool:
        if self._spool.empty:
            return True
        if self._switching.acquire(timeout=SWITCH_WAIT):
            self._switching.release()
        return self._spool.empty

    def _move(self, limit: int) -> bool:
        """Move one batch; whether there was one."""
        try:
            batch = self._spool.next_batch(limit)
            if batch is None:
                return False
            if batch.records:
                self._log.append(batch.records)
            self._problem = ""
            self._spool.moved(batch)
        except LogUnavailable as error:
            self._problem = str(error)
            return False
        return True

    def _give_notice(self) -> None:
        with self._noticing:
            spell = self._spool.spell
            if spell == self._noticed:
                return
            log.warning("facts go to the spool: %s", self._problem or "it is not empty yet")
            try:
                self._notice()
            except Exception:  # the fact is durable: that others do not know is no reason to refuse it
                log.exception("nobody could be told that the spool is in use")
            self._noticed = spell
