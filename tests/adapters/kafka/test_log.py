"""The log on Kafka: the contract, and what only a broker can go through."""

import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import pytest
from kafka import KafkaAdminClient

from adapters.kafka import producer
from adapters.kafka.connection import KafkaConnection
from adapters.kafka.log import KafkaLog
from adapters.kafka.topics import TopicPlan, make_topics
from domain.errors import LogUnavailable, OffsetOutOfRange
from domain.ports import Log, NewRecord
from tests.adapters.kafka.patience import until
from tests.contracts.log_contract import ALL, PATIENCE, LogContract, everything, records, values
from tests.fakes.clock import FakeClock
from tests.servers.kafka import KafkaServer


class TestKafkaLog(LogContract):
    @pytest.fixture
    def open_log(self, open_kafka: Callable[[], Log]) -> Callable[[], Log]:
        return open_kafka

    @pytest.fixture
    def pass_time(self, clock: FakeClock) -> Callable[[], object]:
        return partial(clock.advance, timedelta(seconds=1))


def test_no_topic_no_log(connection: KafkaConnection, clock: FakeClock) -> None:
    with pytest.raises(LogUnavailable, match="no topic missing: run `parley topics`"):
        KafkaLog(connection, "missing", clock).end(0)


def test_no_broker_no_log(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.kafka.connection.BOOTSTRAP_MS", 300)
    before = threading.active_count()
    with pytest.raises(LogUnavailable, match=r"cannot be reached at 127\.0\.0\.1:1 \(PLAINTEXT\)"):
        KafkaLog(KafkaConnection("127.0.0.1:1"), "ingress", clock).append(records("1"))
    until(lambda: threading.active_count() == before)


def test_a_position_beyond_the_end_is_an_alarm(log: KafkaLog) -> None:
    [place] = log.append(records("1"))
    assert log.read(place.partition, place.offset, ALL) == []
    with pytest.raises(OffsetOutOfRange, match="made anew"):
        log.read(place.partition, place.offset + 1, ALL)


def test_what_came_since_the_end_was_looked_for_is_read_along(log: KafkaLog) -> None:
    [place] = log.append(records("1"))
    assert log.end(place.partition) == place.offset
    log.append(records("2", "3"))
    assert values(log.read(place.partition, -1, ALL)) == ["1", "2", "3"]


def test_a_record_that_is_too_large_is_refused_and_the_next_is_not(log: KafkaLog) -> None:
    with pytest.raises(ValueError, match="2097152 bytes at most"):
        log.append([NewRecord(b"k", bytes(3 * 1024 * 1024))])
    log.append(records("2"))
    assert values(everything(log)) == ["2"]


def test_reading_here_and_there(log: KafkaLog) -> None:
    for number in range(50):
        log.append([NewRecord(bytes([key]), b"%d" % number) for key in range(20)])
    places = [(each.partition, each.offset, each.value) for each in everything(log)]
    assert len(places) == 1000
    for partition, offset, value in places[::37] + places[::-91]:
        [found] = log.read(partition, offset - 1, 1)
        assert (found.partition, found.offset, found.value) == (partition, offset, value)


def test_a_partition_that_does_not_exist_is_refused(log: KafkaLog) -> None:
    for number in (-1, 4):
        with pytest.raises(ValueError, match="not one of 0 to 3"):
            log.read(number, -1, 1)
        with pytest.raises(ValueError, match="not one of 0 to 3"):
            log.end(number)


def test_a_closed_log_says_so(log: KafkaLog) -> None:
    log.append(records("1"))
    log.close()
    log.close()
    with pytest.raises(LogUnavailable, match="closed"):
        log.append(records("2"))
    with pytest.raises(LogUnavailable, match="closed"):
        log.end(0)


# ── a broker of one's own ──────────────────────────────────────────────────────────────────────


@pytest.fixture
def own(own_broker: KafkaServer) -> Iterator[KafkaConnection]:
    """The broker that may be frozen and killed, with a topic "own"."""
    connection = KafkaConnection(own_broker.bootstrap)
    make_topics(connection, [TopicPlan("own", 4, 1, {})])
    yield connection
    own_broker.thaw()
    admin = KafkaAdminClient(bootstrap_servers=own_broker.bootstrap)
    admin.delete_topics(["own"])
    admin.close()


def test_a_frozen_broker_costs_neither_time_nor_memory(
    own_broker: KafkaServer, own: KafkaConnection, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(producer, "MOST_RECORDS", 2_000)
    log = KafkaLog(own, "own", clock, append_timeout=1)
    log.append(records("before"))
    own_broker.freeze()
    before = _peak_bytes()
    with ThreadPoolExecutor(16) as pool:  # 48 MB are offered, of which 4 MB find room at a time
        started = time.monotonic()
        offered = [pool.submit(log.append, [NewRecord(b"k", bytes(2_000))] * 500) for _ in range(48)]
        problems = [each.exception(PATIENCE) for each in offered]
    assert all(isinstance(problem, LogUnavailable) for problem in problems)
    assert any("wait for its acknowledgement" in str(problem) for problem in problems)
    assert time.monotonic() - started < 48 / 16 * 2
    assert _peak_bytes() - before < 24 * 1024 * 1024
    own_broker.thaw()
    until(lambda: _appends(log, "after"))
    log.close()


def test_nothing_acknowledged_is_lost_when_the_broker_is_killed(
    own_broker: KafkaServer, own: KafkaConnection, clock: FakeClock
) -> None:
    log = KafkaLog(own, "own", clock, append_timeout=20)
    acknowledged: list[tuple[int, int, str]] = []
    done = threading.Event()

    def append(thread: int) -> None:
        number = 0
        while not done.is_set():
            value = f"{thread}-{number}"
            try:
                [place] = log.append([NewRecord(b"%d" % number, value.encode())])
            except LogUnavailable:
                continue  # again, as the spool does
            acknowledged.append((place.partition, place.offset, value))
            number += 1

    threads = [threading.Thread(target=append, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: len(acknowledged) > 200)
    own_broker.kill()
    before = len(acknowledged)
    own_broker.start()
    until(lambda: len(acknowledged) > before + 200, patience=40)
    done.set()
    for thread in threads:
        thread.join(PATIENCE)
    found = {(each.partition, each.offset, each.value.decode()) for each in everything(log)}
    log.close()
    assert set(acknowledged) <= found


def test_reading_from_a_frozen_broker_ends_in_time(
    own_broker: KafkaServer, own: KafkaConnection, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.kafka.reader.TIMEOUT", 1.0)
    monkeypatch.setattr("adapters.kafka.connection.BOOTSTRAP_MS", 1_000)
    log = KafkaLog(own, "own", clock)
    [place] = log.append(records("1"))
    own_broker.freeze()
    for ask in (partial(log.end, 0), partial(log.read, place.partition, -1, ALL)):
        started = time.monotonic()
        with pytest.raises(LogUnavailable):
            ask()
        assert time.monotonic() - started < 4
    own_broker.thaw()
    until(lambda: _reads(log, place.partition) == ["1"])
    log.close()


def _appends(log: Log, value: str) -> bool:
    try:
        log.append(records(value))
    except LogUnavailable:
        return False
    return True


def _reads(log: Log, partition: int) -> list[str]:
    try:
        return values(log.read(partition, -1, ALL))
    except LogUnavailable:
        return []


def _peak_bytes() -> int:
    """The most memory that this process ever had."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
