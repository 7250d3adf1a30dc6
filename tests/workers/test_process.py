"""One process that is all of Parley: it starts, answers, stops, and shares its folder with no other."""

import socket
from collections.abc import Iterator
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from workers.process import Process
from workers.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", port=0, web_threads=48)


@pytest.fixture
def process(settings: Settings) -> Iterator[Process]:
    process = Process(settings)
    process.start()
    yield process
    assert process.stop() == []


def test_it_answers_when_it_has_started(process: Process) -> None:
    connection = HTTPConnection(urlsplit(process.url).netloc, timeout=5)
    connection.request("GET", "/health/ready")
    assert connection.getresponse().status == 200
    connection.close()
    assert all(each.ok for each in process.health())


def test_a_second_one_on_the_same_folder_is_refused(process: Process, settings: Settings) -> None:
    with pytest.raises(ValueError, match=r"another Parley works on .*PARLEY_DATA_DIR"):
        Process(settings)


def test_a_folder_is_free_again_after_a_stop(settings: Settings) -> None:
    first = Process(settings)
    first.start()
    assert first.stop() == []
    second = Process(settings)
    second.start()
    assert second.stop() == []


def test_leases_of_a_dead_predecessor_are_not_waited_out(settings: Settings) -> None:
    dead = Process(settings)
    assert dead.platform.leases.acquire("router", "dead", timedelta(hours=1))
    dead.stop()
    process = Process(settings)
    assert process.platform.leases.acquire("router", "alive", timedelta(seconds=15))
    process.stop()


def test_a_port_in_use_is_named(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ValueError, match=rf"127\.0\.0\.1:{port} .*PARLEY_PORT"):
            Process(settings.model_copy(update={"port": port}))


def test_the_demo_is_for_this_machine_only(settings: Settings) -> None:
    with pytest.raises(ValueError, match="PARLEY_HOST must be 127"):
        Process(settings.model_copy(update={"host": "0.0.0.0"}), demo=True)  # noqa: S104 - refused
