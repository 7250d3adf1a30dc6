"""A proxy between a client and a server on this machine that a test tells what to do to their connections."""

import socket
import struct
import threading
from contextlib import suppress
from enum import Enum
from typing import Self

_CHUNK = 65_536
_LONGEST_MATCH = 100
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST and drops what was not sent yet


class Direction(Enum):
    TO_SERVER = "to server"
    TO_CLIENT = "to client"


class TcpProxy:
    """Forwards octets between connections to its own `port` and a server, each way in a thread of its own."""

    def __init__(self, target_host: str, target_port: int) -> None:
        self._target = (target_host, target_port)
        self._mutex = threading.Lock()  # guards the next three
        self._connections: list[_Connection] = []
        self._cut: tuple[bytes, Direction] | None = None
        self._cuts = 0
        self._flowing = threading.Event()
        self._flowing.set()
        self._closed = False
        self._listener = self._listen(0)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def cuts(self) -> int:
        """How many connections `cut_after` has cut."""
        with self._mutex:
            return self._cuts

    @property
    def open_connections(self) -> int:
        """How many connections there are now."""
        with self._mutex:
            return len(self._connections)

    def cut_after(self, match: bytes, direction: Direction) -> None:
        """Reset the next connection in which these octets, at most 100, come: they are not forwarded."""
        with self._mutex:
            self._cut = (match, direction)

    def drop_connections(self) -> None:
        """Reset every connection; new ones are welcome."""
        with self._mutex:
            dropped, self._connections = self._connections, []
        for each in dropped:
            each.reset()

    def hold(self) -> None:
        """Forward nothing until `release`; connections stay open and new ones are taken."""
        self._flowing.clear()

    def release(self) -> None:
        """Forward what was held, and all that follows."""
        self._flowing.set()

    def refuse(self) -> None:
        """Take no new connection until `accept`. Those that are there stay."""
        self._stop_listening()

    def accept(self) -> None:
        """Take new connections again, on the same port."""
        self._listener = self._listen(self.port)

    def close(self) -> None:
        """End everything."""
        self._closed = True
        self._stop_listening()
        self.release()
        self.drop_connections()

    def _listen(self, port: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._take, args=(listener,), daemon=True).start()
        return listener

    def _stop_listening(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listener.close()

    def _take(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._target)
            except OSError:
                _reset(client)
                continue
            connection = _Connection(client, server)
            with self._mutex:
                self._connections.append(connection)
            if self._closed:
                connection.reset()
            for direction in Direction:
                threading.Thread(target=self._forward, args=(connection, direction), daemon=True).start()

    def _forward(self, connection: "_Connection", direction: Direction) -> None:
        source, target = connection.client, connection.server
        if direction is Direction.TO_CLIENT:
            source, target = target, source
        tail = b""
        try:
            while chunk := source.recv(_CHUNK):
                self._flowing.wait()
                if self._is_to_be_cut(tail, chunk, direction):
                    connection.reset()
                    return
                tail = (tail + chunk)[-_LONGEST_MATCH:]
                target.sendall(chunk)
            if not connection.was_reset:
                target.shutdown(socket.SHUT_WR)
        except OSError:
            connection.reset()
        finally:
            self._one_way_is_over(connection)

    def _one_way_is_over(self, connection: "_Connection") -> None:
        """With the second way, the connection is: a proxy that lives for long must not collect them."""
        with self._mutex:
            connection.ways_over += 1
            if connection.ways_over == len(Direction):
                connection.close()
                if connection in self._connections:
                    self._connections.remove(connection)

    def _is_to_be_cut(self, before: bytes, chunk: bytes, direction: Direction) -> bool:
        with self._mutex:
            if self._cut is None or self._cut[1] is not direction:
                return False
            match = self._cut[0]
            if match not in before[max(0, len(before) - len(match) + 1) :] + chunk:
                return False
            self._cut = None
            self._cuts += 1
            return True


class _Connection:
    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client = client
        self.server = server
        for each in (client, server):  # else small packets wait for each other's acknowledgement
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.was_reset = False
        self.ways_over = 0

    def close(self) -> None:
        self.client.close()
        self.server.close()

    def reset(self) -> None:
        self.was_reset = True
        _reset(self.client)
        _reset(self.server)


def _reset(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        connection.shutdown(socket.SHUT_RD)  # wakes the thread that reads, and tells the peer nothing
    connection.close()
