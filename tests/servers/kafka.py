"""Apache Kafka: one KRaft node from its own jars, run by the machine's Java."""

import signal
import socket
import struct
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.servers.certificates import Certificates
from tests.servers.jars import KAFKA_VERSION, jars, java
from tests.servers.process import ServerFailed, ServerProcess, free_port, log_tail

START_SECONDS = 60
_ASK_SECONDS = 5
# Metadata, version 1, of no topics: https://kafka.apache.org/protocol#The_Messages_Metadata
_METADATA_REQUEST = struct.pack(">ihhihi", 14, 3, 1, 0, -1, 0)
_CLUSTER_ID = "parleytestsAAAAAAAAAAAA"  # any 16 bytes, in base64url
_JVM = [
    "-Xms256m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # starts in half the time
    "-Dlog4j2.level=INFO",
]
# Every one is Kafka's own name: https://kafka.apache.org/documentation/#brokerconfigs
ONE_NODE = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    # A killed broker may come back only when its session has run out; by default that takes 9 s.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "auto.create.topics.enable": "false",
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
}


@dataclass(frozen=True)
class SecureListener:
    """A further listener, of TLS, on which this user must log in (SASL_SSL)."""

    certificates: Certificates
    user: str = "parley"
    password: str = "a password of the tests"
    mechanism: Literal["PLAIN", "SCRAM-SHA-512"] = "SCRAM-SHA-512"


class KafkaServer:
    """A broker on 127.0.0.1 whose data stay in its folder: started again, it goes on with them."""

    stands_in = False
    name = f"Apache Kafka {KAFKA_VERSION}, from its jars"

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        properties: Mapping[str, str] | None = None,
        secure: SecureListener | None = None,
    ) -> None:
        """Nothing runs before `start`. `properties` go before those that this module chooses."""
        self.folder = folder
        self.log_path = folder / "kafka.log"
        self.port = port or free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.secure_bootstrap = f"127.0.0.1:{free_port()}" if secure else None
        self._secure = secure
        self._properties = properties or {}
        self._controller = f"127.0.0.1:{free_port()}"
        self._configuration = folder / "server.properties"
        self._data = folder / "data"
        self._process: ServerProcess | None = None

    def start(self) -> None:
        """Return when the broker answers.

        Raises `ServerFailed` with the end of its log if it does not, within 60 s.
        """
        if self._process is not None:
            return
        if not self._data.is_dir():
            self._format()
        self._process = ServerProcess(self._java("kafka.Kafka", self._configuration), self.log_path)
        try:
            self._process.wait_until(
                lambda: answers(self.port), seconds=START_SECONDS, what=f"Apache Kafka ({self.bootstrap})"
            )
        except BaseException:
            self._process = None
            raise

    def stop(self) -> None:
        """End the broker in order, as SIGTERM does."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the broker at once, as SIGKILL does."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Let the broker hold still: its connections stay open, nothing answers."""
        self._running().send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen broker go on."""
        self._running().send(signal.SIGCONT)

    def _running(self) -> ServerProcess:
        if self._process is None:
            raise ServerFailed(f"Apache Kafka ({self.bootstrap}) does not run: start it first.")
        return self._process

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.end(number)
            self._process = None

    def _java(self, program: str, *arguments: str | Path) -> list[str | Path]:
        machine = java()
        if machine is None:
            raise ServerFailed("Apache Kafka needs Java 17 or later: install it, or set JAVA_HOME.")
        return [machine, *_JVM, "-cp", f"{jars()}/*", program, *arguments]

    def _format(self) -> None:
        """Write the configuration, and the files that KRaft wants to find at its first start."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = [f"{name}={value}\n" for name, value in self._all_properties().items()]
        self._configuration.write_text("".join(lines))
        options = ["format", "-t", _CLUSTER_ID, "-c", str(self._configuration)]
        secure = self._secure
        if secure and secure.mechanism != "PLAIN":
            user = f"{secure.mechanism}=[name={secure.user},password={secure.password}]"
            options += ["--add-scram", user]
        with self.log_path.open("ab") as log:
            done = subprocess.run(
                self._java("kafka.tools.StorageTool", *options), stdout=log, stderr=log, check=False
            )
        if done.returncode != 0:
            raise ServerFailed(f"Apache Kafka cannot be set up:\n{log_tail(self.log_path)}")

    def _all_properties(self) -> dict[str, str]:
        listeners = f"PLAINTEXT://{self.bootstrap}"
        protocols = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"
        secure: dict[str, str] = {}
        if self._secure:
            listeners += f",SECURE://{self.secure_bootstrap}"
            protocols += ",SECURE:SASL_SSL"
            secure = _secure_properties(self._secure)
        return {
            **ONE_NODE,
            "listeners": f"{listeners},CONTROLLER://{self._controller}",
            "advertised.listeners": listeners,
            "listener.security.protocol.map": protocols,
            "controller.quorum.voters": f"1@{self._controller}",
            "log.dirs": str(self._data),
            **secure,
            **self._properties,
        }


def answers(port: int) -> bool:
    """Whether metadata name a broker, which they do once it takes part in the cluster.

    Asks by hand: Kafka's clients take seconds to give up, and kafka-python leaves sockets open then.
    """
    try:
        with socket.create_connection(("127.0.0.1", port), _ASK_SECONDS) as connection:
            connection.sendall(_METADATA_REQUEST)
            with connection.makefile("rb") as reply:
                _size, _correlation, brokers = struct.unpack(">iii", reply.read(12))
    except (OSError, struct.error):
        return False
    return bool(brokers > 0)


def _secure_properties(secure: SecureListener) -> dict[str, str]:
    listener = "listener.name.secure."
    if secure.mechanism == "PLAIN":
        login = (
            "org.apache.kafka.common.security.plain.PlainLoginModule required "
            f'user_{secure.user}="{secure.password}";'
        )
    else:
        login = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    return {
        f"{listener}ssl.keystore.type": "PEM",
        f"{listener}ssl.keystore.location": str(secure.certificates.server),
        f"{listener}sasl.enabled.mechanisms": secure.mechanism,
        f"{listener}{secure.mechanism.lower()}.sasl.jaas.config": login,
    }
