"""Which server is taken, and what happens where there is none."""

from pathlib import Path

import pytest

from tests.servers import choose, containers
from tests.servers.choose import Kind
from tests.servers.process import free_port


class FakeServer:
    """A server that is only a name."""

    stands_in = False
    log_path = Path("no.log")

    def __init__(self, name: str) -> None:
        self.name = name

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def kill(self) -> None: ...


def _kind(name: str, *, available: bool = True, stands_in: bool = False) -> Kind[FakeServer]:
    return Kind(lambda: available, lambda _folder: FakeServer(name), stands_in=stands_in)


def _chosen(*kinds: Kind[FakeServer]) -> str:
    return choose.first(kinds, "Install it.").make(Path()).name


def test_the_first_that_works_here_is_taken() -> None:
    assert _chosen(_kind("container", available=False), _kind("jars"), _kind("stand-in")) == "jars"


def test_a_stand_in_counts_on_a_developers_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)

    assert _chosen(_kind("jars", available=False), _kind("stand-in", stands_in=True)) == "stand-in"


def test_a_stand_in_does_not_count_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")

    with pytest.raises(pytest.fail.Exception, match=r"Install it\. .*CI=true"):
        _chosen(_kind("jars", available=False), _kind("stand-in", stands_in=True))


def test_without_a_server_a_test_is_skipped_saying_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)

    with pytest.raises(pytest.skip.Exception, match=r"Install it\."):
        _chosen(_kind("jars", available=False))


def test_only_the_stand_in_stands_in() -> None:
    assert [kind.stands_in for kind in choose.KAFKAS] == [False, False, True]
    assert not any(kind.stands_in for kind in choose.DATABASES)


def test_containers_need_a_daemon_that_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{free_port()}")

    assert not containers.available.__wrapped__()
