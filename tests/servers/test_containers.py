"""The servers in containers, with Docker's part played by a fake: no daemon is needed to run these."""

from pathlib import Path
from types import SimpleNamespace
from typing import Self

import pytest

from tests.servers import containers, kafka, postgres
from tests.servers.jars import KAFKA_VERSION
from tests.servers.process import ServerFailed


class FakeContainer:
    """A container before and after it is started; notes what is done to it."""

    made: list["FakeContainer"]

    def __init__(self, image: str) -> None:
        self.image = image
        self.done: list[str] = []
        self.ports: dict[int, int] = {}
        self.environment: dict[str, str] = {}
        self.made.append(self)

    def with_bind_ports(self, inside: int, outside: int) -> Self:
        self.ports[inside] = outside
        return self

    def with_envs(self, **variables: str) -> Self:
        self.environment = variables
        return self

    def get_wrapped_container(self) -> Self:
        return self

    def start(self) -> None:
        self.done.append("start")

    def stop(self) -> None:
        self.done.append("stop")

    def kill(self, signal: str = "SIGKILL") -> None:
        self.done.append(signal)

    def wait(self) -> None:
        self.done.append("wait")

    def pause(self) -> None:
        self.done.append("pause")

    def unpause(self) -> None:
        self.done.append("unpause")

    def logs(self) -> bytes:
        return b"what the server said"


@pytest.fixture(autouse=True)
def fake_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeContainer, "made", [], raising=False)
    module = SimpleNamespace(DockerContainer=FakeContainer)
    monkeypatch.setattr(containers, "import_module", lambda _name: module)
    for server in (kafka, postgres):
        monkeypatch.setattr(server, "answers", lambda _where: True)


def test_a_killed_broker_is_started_again_in_the_same_container(tmp_path: Path) -> None:
    server = containers.KafkaContainer(tmp_path)
    server.start()
    server.kill()
    server.start()
    server.freeze()
    server.thaw()
    server.stop()

    (container,) = FakeContainer.made
    assert container.image == f"apache/kafka:{KAFKA_VERSION}"
    assert container.done == ["start", "SIGKILL", "wait", "start", "pause", "unpause", "stop"]
    assert server.log_path.read_text() == "what the server said"


def test_the_broker_announces_the_port_that_is_published(tmp_path: Path) -> None:
    server = containers.KafkaContainer(tmp_path)
    server.start()

    (container,) = FakeContainer.made
    assert container.ports == {server.port: server.port}
    assert container.environment["KAFKA_ADVERTISED_LISTENERS"] == f"PLAINTEXT://{server.bootstrap}"
    assert container.environment["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


def test_a_database_crashes_without_a_checkpoint(tmp_path: Path) -> None:
    server = containers.PostgresContainer(tmp_path)
    server.start()
    server.crash()

    (container,) = FakeContainer.made
    assert container.done == ["start", "SIGQUIT", "wait"]
    assert container.ports == {5432: server.port}


def test_a_container_that_never_answers_is_reported_with_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "answers", lambda _url: False)
    monkeypatch.setattr(kafka, "START_SECONDS", 0.1)

    with pytest.raises(ServerFailed, match=r"(?s)did not answer.*what the server said"):
        containers.PostgresContainer(tmp_path).start()
