"""The proxy does to connections what a test tells it."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.fakes.tcp_proxy import Direction, TcpProxy

PATIENCE = 10


@pytest.fixture
def proxy() -> Iterator[TcpProxy]:
    """Before a server that says everything again, in capitals."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve(connection: socket.socket) -> None:
            with connection:
                try:
                    while said := connection.recv(1000):
                        connection.sendall(said.upper())
                except OSError:
                    return

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        with TcpProxy(*server.getsockname()) as proxy:
            yield proxy
        server.shutdown(socket.SHUT_RDWR)


def connected(proxy: TcpProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE)


def said(connection: socket.socket, words: bytes) -> bytes:
    connection.sendall(words)
    return connection.recv(1000)


def test_it_forwards(proxy: TcpProxy) -> None:
    with connected(proxy) as one, connected(proxy) as two:
        assert (said(one, b"one"), said(two, b"two")) == (b"ONE", b"TWO")
        one.shutdown(socket.SHUT_WR)
        assert one.recv(1000) == b""


def test_connections_that_are_over_are_not_kept(proxy: TcpProxy) -> None:
    for _ in range(20):
        with connected(proxy) as one:
            assert said(one, b"one") == b"ONE"
    until = time.monotonic() + PATIENCE
    while proxy.open_connections and time.monotonic() < until:
        threading.Event().wait(0.01)
    assert proxy.open_connections == 0


@pytest.mark.parametrize(
    ("direction", "match"), [(Direction.TO_SERVER, b"cut"), (Direction.TO_CLIENT, b"CUT")]
)
def test_it_cuts_one_connection_at_certain_octets(
    proxy: TcpProxy, direction: Direction, match: bytes
) -> None:
    proxy.cut_after(match, direction)
    with connected(proxy) as one, connected(proxy) as two:
        assert said(one, b"keep") == b"KEEP"
        with pytest.raises(ConnectionResetError):
            said(one, b"please cut here")
        assert proxy.cuts == 1
        assert said(two, b"please cut here") == b"PLEASE CUT HERE"


def test_it_drops_refuses_and_takes_again(proxy: TcpProxy) -> None:
    with connected(proxy) as one:
        assert said(one, b"a") == b"A"
        proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            connected(proxy)
        assert said(one, b"b") == b"B"
        proxy.drop_connections()
        with pytest.raises(ConnectionResetError):
            one.recv(1000)
    proxy.accept()
    with connected(proxy) as two:
        assert said(two, b"c") == b"C"


def test_it_holds_and_releases(proxy: TcpProxy) -> None:
    with connected(proxy) as one:
        assert said(one, b"a") == b"A"
        proxy.hold()
        one.sendall(b"b")
        one.settimeout(0.05)
        with pytest.raises(TimeoutError):
            one.recv(1000)
        proxy.release()
        one.settimeout(PATIENCE)
        assert one.recv(1000) == b"B"
