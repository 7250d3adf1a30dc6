"""The spool: what is accepted while the log is away arrives, in order, whatever happens meanwhile."""

import logging
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from adapters.ingress import LogIngress
from adapters.spool import Spool, SpooledLog
from adapters.spool_file import pack
from adapters.sqlite_log import SQLiteLog
from domain.errors import LogUnavailable
from domain.ports import Appended, Log, NewRecord
from tests.adapters.spool.conftest import LIMIT, PLENTY, drain, left_by
from tests.adapters.test_ingress import TEXT
from tests.contracts.log_contract import PATIENCE, LogContract, records
from tests.fakes.clock import START, FakeClock
from tests.fakes.log import MoodyLog


class TestWhileTheLogAnswers(LogContract):
    """A spooled log is a log."""

    @pytest.fixture
    def open_log(
        self, open_spool: Callable[..., Spool], tmp_path: Path, clock: FakeClock
    ) -> Iterator[Callable[[], Log]]:
        opened: list[SQLiteLog] = []

        def open_log() -> Log:
            for each in opened:
                each.close()
            opened[:] = [SQLiteLog(tmp_path / "log.db", "test", 4, clock)]
            return SpooledLog(opened[0], open_spool(), lambda: None)

        yield open_log
        for each in opened:
            each.close()

    @pytest.fixture
    def pass_time(self, clock: FakeClock) -> Callable[[], None]:
        def pass_time() -> None:
            clock.advance(timedelta(seconds=1))

        return pass_time


# ── spooling and draining ──────────────────────────────────────────────────────────────────────


def test_nothing_goes_to_the_spool_while_the_log_answers(
    spooled: SpooledLog, log: MoodyLog, notices: list[int]
) -> None:
    assert spooled.append(records("1")) == [Appended(0, 0, spooled.read(0, -1, 1)[0].accepted_at)]
    assert log.values == ["1"]
    assert (spooled.figures().records, notices) == (0, [])


def test_what_is_accepted_while_the_log_is_away_arrives_in_order(
    spooled: SpooledLog, log: MoodyLog, clock: FakeClock
) -> None:
    spooled.append(records("1"))
    log.away = True
    assert spooled.append(records("2", "3")) == [Appended(-1, -1, START)] * 2
    assert not spooled.drain(LIMIT)
    log.away = False
    spooled.append(records("4"))  # the log answers again, but nothing may overtake
    assert log.values == ["1"]
    drain(spooled)
    spooled.append(records("5"))
    assert log.values == ["1", "2", "3", "4", "5"]


def test_a_record_keeps_all_it_says_and_the_time_it_was_accepted(
    spooled: SpooledLog, log: MoodyLog, clock: FakeClock
) -> None:
    log.away = True
    new = NewRecord(b"\x00\xff", b"\xc3\x01 \x00", {"ce_type": "a.b", "ce_subject": "żółw"})
    timed = NewRecord(b"", b"", {}, START - timedelta(days=1))
    spooled.append([new, timed])
    clock.advance(timedelta(hours=4))
    log.away = False
    drain(spooled)
    assert log.records == [NewRecord(new.key, new.value, new.headers, START), timed]


def test_batches_are_bounded_by_number_and_bytes(spooled: SpooledLog, log: MoodyLog) -> None:
    sizes: list[int] = []
    log.away = True
    spooled.append([NewRecord(b"k", bytes(1 << 20)) for _ in range(9)] + records(*"abcdefg"))
    log.away = False
    log.before = lambda batch: sizes.append(len(batch))
    drain(spooled)
    assert sizes == [4, 4, 8]
    log.away = True
    spooled.append(records(*"abcdefghij"))
    log.away = False
    sizes.clear()
    assert spooled.drain(3)
    assert sizes == [3]


def test_draining_tells_why_it_cannot(spooled: SpooledLog, log: MoodyLog, clock: FakeClock) -> None:
    log.away = True
    spooled.append(records("1", "22"))
    later = clock.advance(timedelta(minutes=1))
    spooled.append(records("3"))
    assert not spooled.drain(LIMIT)
    found = spooled.figures()
    assert (found.records, found.oldest, found.since) == (3, START, START)
    assert (found.problem, found.broken, found.limit_bytes) == ("the broker is away", (), PLENTY)
    assert found.bytes == sum(len(pack(each, later)) for each in records("1", "22", "3"))
    log.away = False
    drain(spooled)
    found = spooled.figures()
    assert (found.records, found.bytes, found.oldest, found.since, found.problem) == (0, 0, None, None, "")


def test_a_refusal_that_is_no_outage_is_not_hidden(spooled: SpooledLog, log: MoodyLog) -> None:
    def refuse(_: Sequence[NewRecord]) -> None:
        raise ValueError("too large")

    log.away = True
    spooled.append(records("1"))
    log.before = refuse
    with pytest.raises(ValueError, match="too large"):
        spooled.drain(LIMIT)
    assert spooled.figures().records == 1


def test_a_full_spool_refuses_whole_batches_and_says_so(
    open_spool: Callable[..., Spool], log: MoodyLog
) -> None:
    size = len(pack(records("1")[0], START))
    spooled = SpooledLog(log, open_spool(limit_bytes=3 * size), lambda: None)
    log.away = True
    spooled.append(records("1", "2"))
    with pytest.raises(
        LogUnavailable, match=f"the spool is full: {2 * size} of {3 * size} bytes are taken, {2 * size} more"
    ):
        spooled.append(records("3", "4"))
    spooled.append(records("5"))
    log.away = False
    drain(spooled)
    assert log.values == ["1", "2", "5"]
    log.away = True
    spooled.append(records("6", "7", "8"))


# ── order ──────────────────────────────────────────────────────────────────────────────────────


def test_keys_keep_their_order_whatever_the_log_does(spooled: SpooledLog, log: MoodyLog) -> None:
    threads, each = 8, 60
    done = threading.Event()

    def append(key: int) -> None:
        for number in range(each):
            spooled.append([NewRecord(bytes([key]), bytes([number]))])

    def mood() -> None:
        seeded = random.Random(1)
        while not done.wait(0.003):
            log.away, log.forgetful = seeded.random() < 0.5, seeded.random() < 0.2

    def drain_meanwhile() -> None:
        while not done.wait(0.0005):
            spooled.drain(7)

    with ThreadPoolExecutor(threads + 2) as pool:
        others = [pool.submit(mood), pool.submit(drain_meanwhile)]
        for appending in [pool.submit(append, key) for key in range(threads)]:
            appending.result(PATIENCE)
        done.set()
        for other in others:
            other.result(PATIENCE)
    log.away = log.forgetful = False
    drain(spooled)
    for key in range(threads):
        arrived = [record.value[0] for record in log.records if record.key == bytes([key])]
        assert list(dict.fromkeys(arrived)) == list(range(each))  # lost answers bring some twice
    assert spooled.figures().records == 0


class Turnstile:
    """A lock that tells when somebody asks whether it is free."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self._lock = threading.Lock()

    def acquire(self, timeout: float) -> bool:
        self.asked.set()
        return self._lock.acquire(timeout=timeout)

    def release(self) -> None:
        self._lock.release()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_newcomers_wait_for_the_switch_and_then_go_straight_to_the_log(
    spooled: SpooledLog, log: MoodyLog, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    turnstile, moving, go_on = Turnstile(), threading.Event(), threading.Event()
    came_by = dict[bytes, str]()

    def before(batch: Sequence[NewRecord]) -> None:
        came_by.update({each.value: threading.current_thread().name for each in batch})
        if batch[0].value == b"1":
            spool.append(records("2"))  # it comes while the first is moved
        if batch[0].value == b"2":
            moving.set()
            assert go_on.wait(PATIENCE)

    monkeypatch.setattr(spooled, "_switching", turnstile)
    monkeypatch.setattr("adapters.spool.SWITCH_WAIT", PATIENCE)
    log.away = True
    spooled.append(records("1"))
    log.away = False
    log.before = before
    draining = threading.Thread(target=spooled.drain, args=(LIMIT,), name="drain")
    newcomer = threading.Thread(target=spooled.append, args=(records("3"),), name="newcomer")
    draining.start()
    assert moving.wait(PATIENCE)
    newcomer.start()
    assert turnstile.asked.wait(PATIENCE)
    go_on.set()
    draining.join(PATIENCE)
    newcomer.join(PATIENCE)
    assert log.values == ["1", "2", "3"]
    assert came_by == {b"1": "drain", b"2": "drain", b"3": "newcomer"}
    assert (spool.records, spool.spell) == (0, 1)


def test_a_switch_that_hangs_holds_nobody_up(
    spooled: SpooledLog, log: MoodyLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.spool.SWITCH_WAIT", 0.01)
    log.away = True
    spooled.append(records("1"))
    with spooled._switching:
        spooled.append(records("2"))
    assert spooled.figures().records == 2


# ── notice ─────────────────────────────────────────────────────────────────────────────────────


def test_notice_is_given_once_a_spell(spooled: SpooledLog, log: MoodyLog, notices: list[int]) -> None:
    for spell in (1, 2):
        log.away = True
        spooled.append(records("1"))
        spooled.append(records("2"))
        assert len(notices) == spell
        log.away = False
        drain(spooled)


def test_nothing_of_a_spell_is_acknowledged_before_its_notice(log: MoodyLog, spool: Spool) -> None:
    noticing, go_on = threading.Event(), threading.Event()

    def notice() -> None:
        assert not spool.empty
        noticing.set()
        assert go_on.wait(PATIENCE)

    log.away = True
    spooled = SpooledLog(log, spool, notice)
    with ThreadPoolExecutor(4) as pool:
        appending = [pool.submit(spooled.append, records(str(n))) for n in range(4)]
        assert noticing.wait(PATIENCE)
        assert not any(each.done() for each in appending)
        go_on.set()
        for each in appending:
            each.result(PATIENCE)


def test_a_notice_that_fails_is_logged_and_refuses_nothing(
    log: MoodyLog, spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    def notice() -> None:
        raise OSError("the database is away")

    log.away = True
    with caplog.at_level(logging.ERROR):
        SpooledLog(log, spool, notice).append(records("1"))
    assert "the database is away" in caplog.text


def test_a_spool_that_was_left_filled_gives_notice_again(
    open_spool: Callable[..., Spool], log: MoodyLog, notices: list[int]
) -> None:
    before = open_spool()
    before.append(records("1"))
    before.close()
    SpooledLog(log, open_spool(), lambda: notices.append(1)).append(records("2"))
    assert (notices, log.values) == ([1], [])


# ── processes ──────────────────────────────────────────────────────────────────────────────────


def test_a_restart_goes_on_where_it_was(open_spool: Callable[..., Spool], folder: Path) -> None:
    before = open_spool()
    before.append(records("1"))
    before.append(records("2"))
    before.close()
    again = open_spool()
    again.append(records("3"))
    assert left_by(again) == ["1", "2", "3"]
    assert len(list(folder.glob("*.db"))) == 1


def test_processes_share_a_folder_each_with_a_file_of_its_own(open_spool: Callable[..., Spool]) -> None:
    one, other = open_spool(), open_spool()
    one.append(records("1"))
    other.append(records("2"))
    one.adopt()
    assert (one.records, other.records) == (1, 1)
    assert (left_by(other), left_by(one)) == (["2"], ["1"])


def test_what_a_dead_process_left_is_taken_over_and_goes_first(
    open_spool: Callable[..., Spool], folder: Path, log: MoodyLog
) -> None:
    living, dead = open_spool(), open_spool()
    dead.append(records("1", "2"))
    dead.close()
    living.adopt()
    spooled = SpooledLog(log, living, lambda: None)
    spooled.append(records("3"))  # though the log answers: nothing overtakes
    drain(spooled)
    assert log.values == ["1", "2", "3"]
    open_spool()  # and the file is free again, for the next process
    assert len(list(folder.glob("*.db"))) == 2


def test_empty_files_of_the_dead_are_left_to_the_next(open_spool: Callable[..., Spool], folder: Path) -> None:
    for each in [open_spool() for _ in range(3)]:
        each.close()
    for each in [open_spool() for _ in range(3)]:
        each.adopt()
        assert each.empty
    assert len(list(folder.glob("*.db"))) == 3


def test_a_stop_between_acknowledgement_and_removal_brings_it_twice(
    open_spool: Callable[..., Spool],
) -> None:
    before = open_spool()
    before.append(records("1", "2"))
    assert before.next_batch(1) is not None  # the log has it, and then the process dies
    before.close()
    assert left_by(open_spool()) == ["1", "2"]


# ── what it holds ──────────────────────────────────────────────────────────────────────────────


class FernetCipher:
    """The port `Cipher`, with one key for ever."""

    def __init__(self) -> None:
        self._key = Fernet(Fernet.generate_key())

    def seal(self, plain: bytes, context: bytes) -> bytes:
        return self._key.encrypt(context + plain)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        return self._key.decrypt(sealed).removeprefix(context)


def test_ingress_spools_no_plain_text_and_its_facts_arrive(
    spooled: SpooledLog, log: MoodyLog, folder: Path, clock: FakeClock
) -> None:
    ingress = LogIngress(spooled, FernetCipher())
    log.away = True
    ingress.accept([TEXT])
    content = b"".join(file.read_bytes() for file in folder.iterdir())
    assert len(content) > 0
    for plain in (TEXT.text.encode(), TEXT.customer_address.encode(), TEXT.our_address.encode()):
        assert plain not in content
    log.away = False
    drain(spooled)
    [accepted] = ingress.read(0, -1, 10)
    assert (accepted.fact, accepted.accepted_at) == (TEXT, START)
