"""The web server of the embedded shape: waitress, in threads of our own process.

One loop thread reads requests and flushes answers: a slow client costs a connection and never a thread, and a
request reaches the application only when it has arrived whole. Each running request, and so each open event
stream, holds one worker thread. Signals are the caller's business.
"""

import socket
import threading
import time
from typing import Any
from wsgiref.types import WSGIApplication

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import create_server
from waitress.task import ThreadedTaskDispatcher

_SETTINGS: dict[str, Any] = {
    "max_request_body_size": 1024 * 1024,
    "max_request_header_size": 32 * 1024,
    "connection_limit": 800,  # below the usual 1024 open files; the rest wait in the kernel
    "channel_timeout": 75,  # seconds of silence between requests
    "outbuf_high_watermark": 256 * 1024,  # bytes kept for a stream whose client reads nothing; then it waits
    "channel_request_lookahead": 1,  # goes on reading during a stream, so that a client gone is noticed
    "asyncore_use_poll": True,  # select() fails on file numbers above 1023
}


class WebServer:
    """Serves one WSGI application over HTTP/1.1 until told to stop.

    The address is bound at once, port 0 taking a free one; raises OSError when it is taken. `threads` must
    exceed the event streams that the application allows, or they leave none for anything else.
    """

    def __init__(self, app: WSGIApplication, host: str, port: int, threads: int) -> None:
        self._threads = threads
        self._sockets: dict[int, wasyncore.dispatcher] = {}
        self._tasks = ThreadedTaskDispatcher()
        self._server = create_server(
            app, map=self._sockets, _dispatcher=self._tasks, sockets=[_listen(host, port)], **_SETTINGS
        )
        self._loop = threading.Thread(target=self._run, name="web", daemon=True)
        self._stopping = threading.Event()
        self._drained = threading.Event()
        self._deadline = 0.0

    @property
    def url(self) -> str:
        """The address bound, such as http://127.0.0.1:8080."""
        host, port = self._server.effective_host, self._server.effective_port
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def start(self) -> None:
        """Begin serving, and return. A server starts once."""
        self._tasks.set_thread_count(self._threads)
        self._loop.start()

    def stop(self, timeout: float = 2.0) -> None:
        """Accept no more, give running requests `timeout` seconds to finish, then cut what is left.

        Event streams finish in time only if the application ends them, so tell it to before calling this. A
        server that was never started, or was stopped before, may be stopped too.
        """
        if self._stopping.is_set():
            return
        self._deadline = time.monotonic() + timeout
        self._stopping.set()
        self._server.pull_trigger()
        self._tasks.shutdown(timeout=timeout)
        self._drained.set()
        self._server.pull_trigger()
        if self._loop.ident is None:
            self._run()
        else:
            self._loop.join()
        if not self._tasks.threads:
            # A thread left over may still write to this pipe, whose number could by then be another file's.
            self._server.trigger.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._turn()
        # The listening socket alone: the server's own close() would take the pipe from running requests.
        wasyncore.dispatcher.close(self._server)
        while not self._drained.is_set() or (self._has_unsent() and time.monotonic() < self._deadline):
            self._turn()
        for channel in self._channels():
            channel.handle_close()

    def _turn(self) -> None:
        wasyncore.loop(timeout=0.5, use_poll=True, map=self._sockets, count=1)

    def _channels(self) -> list[HTTPChannel]:
        return [each for each in self._sockets.values() if isinstance(each, HTTPChannel)]

    def _has_unsent(self) -> bool:
        return any(channel.total_outbufs_len for channel in self._channels())


def _listen(host: str, port: int) -> socket.socket:
    """Bind here rather than in waitress, which leaks its own sockets when the address is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)
