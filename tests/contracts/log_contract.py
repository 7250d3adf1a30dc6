"""What every `Log` must do, whatever keeps it."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from domain.errors import OffsetOutOfRange
from domain.ports import Appended, Log, NewRecord, Record

PATIENCE = 10.0  # seconds after which a test gives up
ALL = 10_000


def records(*values: str, key: bytes = b"k") -> list[NewRecord]:
    return [NewRecord(key, value.encode()) for value in values]


def everything(log: Log) -> list[Record]:
    return [record for partition in range(log.partitions) for record in log.read(partition, -1, ALL)]


def values(found: list[Record]) -> list[str]:
    return [record.value.decode() for record in found]


def after(appended: list[Appended]) -> datetime:
    """The first moment that is later than the last of these."""
    return appended[-1].accepted_at + timedelta(microseconds=1)


class LogContract:
    """Subclasses provide `open_log` and `pass_time`."""

    @pytest.fixture
    def open_log(self) -> Callable[[], Log]:
        """Open one and the same log of four partitions; again: restart it, closing what was open."""
        raise NotImplementedError

    @pytest.fixture
    def pass_time(self) -> Callable[[], None]:
        """Let the log's clock go on, so that what is appended next is accepted later."""
        raise NotImplementedError

    @pytest.fixture
    def log(self, open_log: Callable[[], Log]) -> Log:
        return open_log()

    def test_a_new_log_is_empty(self, log: Log) -> None:
        assert log.partitions == 4
        assert [log.end(partition) for partition in range(4)] == [-1] * 4
        assert everything(log) == []

    def test_what_was_appended_is_read_as_it_was(self, log: Log) -> None:
        new = NewRecord(b"\x00\xff", b"\xc3\x01 \x00", {"ce_type": "a.b", "ce_subject": "żółw"})
        [appended] = log.append([new])
        [record] = log.read(appended.partition, -1, ALL)
        assert (record.key, record.value, dict(record.headers)) == (new.key, new.value, dict(new.headers))
        assert Appended(record.partition, record.offset, record.accepted_at) == appended
        assert record.accepted_at.utcoffset() == timedelta(0)

    def test_an_acceptance_time_of_its_own_is_kept(self, log: Log) -> None:
        earlier = datetime(2025, 12, 31, 23, 59, 59, 987_000, tzinfo=UTC)
        places = log.append([NewRecord(b"k", b"late", accepted_at=earlier), *records("now")])
        found = log.read(places[0].partition, -1, ALL)
        assert [record.accepted_at for record in found] == [each.accepted_at for each in places]
        assert places[0].accepted_at == earlier < places[1].accepted_at

    def test_appending_nothing_is_nothing(self, log: Log) -> None:
        assert log.append([]) == []
        assert everything(log) == []

    def test_one_key_one_partition_in_order(self, log: Log) -> None:
        first = log.append(records("1", "2"))
        second = log.append(records("3"))
        assert len({each.partition for each in first + second}) == 1
        offsets = [each.offset for each in first + second]
        assert offsets == sorted(set(offsets))
        assert values(log.read(first[0].partition, -1, ALL)) == ["1", "2", "3"]

    def test_keys_go_where_kafkas_default_partitioner_sends_them(self, log: Log) -> None:
        # org.apache.kafka.common.utils.UtilsTest.testMurmur2
        hashes = {b"21": -973932308, b"foobar": -790332482, b"abc": 479470107}
        for key, number in hashes.items():
            [appended] = log.append([NewRecord(key, b"")])
            assert appended.partition == (number & 0x7FFFFFFF) % 4

    def test_appended_comes_in_the_order_of_the_records(self, log: Log) -> None:
        new = [NewRecord(bytes([n]), bytes([n])) for n in range(50)]
        places = log.append(new)
        assert {each.partition for each in places} == {0, 1, 2, 3}
        found = {(record.partition, record.offset): record.value for record in everything(log)}
        assert [found[each.partition, each.offset] for each in places] == [record.value for record in new]

    def test_reading_goes_on_after_an_offset_and_stops_at_the_limit(self, log: Log) -> None:
        places = log.append(records("1", "2", "3", "4"))
        partition = places[0].partition
        assert values(log.read(partition, -1, 2)) == ["1", "2"]
        assert values(log.read(partition, places[1].offset, 1)) == ["3"]
        assert log.read(partition, places[3].offset, ALL) == []

    def test_each_partition_has_its_own_end(self, log: Log, open_log: Callable[[], Log]) -> None:
        places = log.append([NewRecord(bytes([n]), b"") for n in range(50)])
        last = {place.partition: place.offset for place in places}
        assert [log.end(partition) for partition in range(4)] == [last[n] for n in range(4)]
        log.trim(after(places))
        assert [open_log().end(partition) for partition in range(4)] == [last[n] for n in range(4)]

    def test_a_restart_keeps_everything(self, log: Log, open_log: Callable[[], Log]) -> None:
        before = log.append(records("1", "2"))
        found = everything(log)
        log = open_log()
        assert everything(log) == found
        [later] = log.append(records("3"))
        assert later.offset > before[1].offset
        assert later.accepted_at >= before[1].accepted_at

    def test_consumers_read_independently(self, log: Log) -> None:
        partition = log.append(records("1", "2", "3"))[0].partition
        fast = log.read(partition, -1, ALL)
        slow = log.read(partition, -1, 1)
        assert values(slow) == ["1"]
        assert log.read(partition, fast[-1].offset, ALL) == []
        assert values(log.read(partition, slow[-1].offset, ALL)) == ["2", "3"]

    def test_threads_keep_the_order_of_their_keys(self, log: Log) -> None:
        acknowledged: list[tuple[bytes, Appended]] = []

        def append(key: bytes) -> None:
            for number in range(25):
                [appended] = log.append([NewRecord(key, key + bytes([number]))])
                acknowledged.append((key + bytes([number]), appended))

        threads = [threading.Thread(target=append, args=(bytes([n]),)) for n in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        found = everything(log)
        for thread_number in range(16):
            own = [record.value[1] for record in found if record.key == bytes([thread_number])]
            assert own == list(range(25))
        stored = [(r.value, Appended(r.partition, r.offset, r.accepted_at)) for r in found]
        assert sorted(stored, key=lambda each: each[0]) == sorted(acknowledged, key=lambda each: each[0])

    def test_waiting_ends_with_an_append(self, log: Log) -> None:
        log.wait(0)
        waited = threading.Thread(target=self._wait_until_found, args=(log,))
        waited.start()
        log.append(records("1"))
        waited.join(PATIENCE)
        assert not waited.is_alive()

    def test_an_append_between_reading_and_waiting_is_not_slept_over(self, log: Log) -> None:
        log.wait(0)
        assert everything(log) == []
        log.append(records("1"))
        started = time.monotonic()
        log.wait(PATIENCE)
        assert time.monotonic() - started < PATIENCE / 2

    def test_waiting_ends_at_the_timeout(self, log: Log) -> None:
        log.wait(0)
        started = time.monotonic()
        log.wait(0.05)
        assert time.monotonic() - started < PATIENCE / 2

    def test_trimming_removes_what_is_older(self, log: Log, pass_time: Callable[[], None]) -> None:
        old = log.append(records("1", "2"))
        pass_time()
        partition = old[0].partition
        log.append(records("3"))
        assert log.trim(old[0].accepted_at) == 0
        assert log.trim(after(old)) == 2
        assert values(log.read(partition, old[1].offset, ALL)) == ["3"]
        assert log.trim(after(old)) == 0

    def test_trimming_stops_at_what_is_newer(self, log: Log, pass_time: Callable[[], None]) -> None:
        [old] = log.append(records("old"))
        pass_time()
        log.append(records("new"))
        log.append([NewRecord(b"k", b"late", accepted_at=old.accepted_at)])
        assert log.trim(after([old])) == 1
        assert values(log.read(old.partition, old.offset, ALL)) == ["new", "late"]

    def test_records_trimmed_unread_are_an_alarm(self, log: Log, open_log: Callable[[], Log]) -> None:
        places = log.append(records("1", "2"))
        partition = places[0].partition
        others = {0, 1, 2, 3} - {partition}
        log.trim(after(places))
        for reopened in (False, True):
            opened = open_log() if reopened else log
            for unread in (-1, places[0].offset):
                with pytest.raises(OffsetOutOfRange):
                    opened.read(partition, unread, ALL)
            assert opened.read(partition, places[1].offset, ALL) == []
            assert [opened.read(other, -1, ALL) for other in others] == [[], [], []]

    def test_offsets_and_times_go_on_after_all_was_trimmed(
        self, log: Log, open_log: Callable[[], Log]
    ) -> None:
        places = log.append(records("1", "2"))
        partition = places[0].partition
        log.trim(after(places))
        log = open_log()
        assert log.end(partition) == places[1].offset
        [later] = log.append(records("3"))
        assert later.offset > places[1].offset
        assert later.accepted_at >= places[1].accepted_at
        assert values(log.read(partition, places[1].offset, ALL)) == ["3"]

    @staticmethod
    def _wait_until_found(log: Log) -> None:
        deadline = time.monotonic() + PATIENCE
        while not everything(log) and time.monotonic() < deadline:
            log.wait(PATIENCE)
