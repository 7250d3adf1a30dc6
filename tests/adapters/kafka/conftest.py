"""What the tests of the log on Kafka get: the broker, a topic of their own, and a clock."""

import gc
import warnings
from collections.abc import Callable, Iterator

import pytest

from adapters.kafka.connection import KafkaConnection
from adapters.kafka.log import KafkaLog
from adapters.kafka.topics import TopicPlan, make_topics
from tests.fakes.clock import FakeClock
from tests.servers import choose
from tests.servers.certificates import make_certificates
from tests.servers.choose import Kafka
from tests.servers.kafka import KafkaServer, SecureListener
from tests.servers.process import temporary_folder


@pytest.fixture(autouse=True)
def sockets_left_open() -> Iterator[None]:
    """kafka-python leaves the sockets of refused connections to the garbage collector, which complains."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        yield
        gc.collect()


@pytest.fixture(scope="session")
def listener(tmp_path_factory: pytest.TempPathFactory) -> SecureListener:
    """The further listener of `own_broker`."""
    return SecureListener(make_certificates(tmp_path_factory.mktemp("certificates")))


@pytest.fixture(scope="session")
def own_broker(listener: SecureListener) -> Iterator[KafkaServer]:
    """A second broker, with TLS, that these tests may freeze and kill: each leaves it running."""
    with temporary_folder() as folder:
        broker = choose.secure_kafka(folder / "kafka", listener)
        broker.start()
        try:
            yield broker
        finally:
            broker.stop()


@pytest.fixture
def connection(kafka: Kafka) -> KafkaConnection:
    if kafka.stands_in:
        pytest.skip(f"{kafka.name} cannot do all of this: it needs Apache Kafka.")
    return KafkaConnection(kafka.bootstrap)


@pytest.fixture
def topic(connection: KafkaConnection, topic_prefix: str) -> str:
    """A new topic of four partitions."""
    name = f"{topic_prefix}.ingress"
    make_topics(connection, [TopicPlan(name, 4, 1, {"retention.ms": "-1"})])
    return name


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def open_kafka(connection: KafkaConnection, topic: str, clock: FakeClock) -> Iterator[Callable[[], KafkaLog]]:
    """Open the topic's log; again: restart it."""
    opened: list[KafkaLog] = []

    def open_log() -> KafkaLog:
        for log in opened:
            log.close()
        opened[:] = [KafkaLog(connection, topic, clock)]
        return opened[0]

    yield open_log
    for log in opened:
        log.close()


@pytest.fixture
def log(open_kafka: Callable[[], KafkaLog]) -> KafkaLog:
    return open_kafka()
