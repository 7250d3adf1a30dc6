"""The hub of the desks' live streams: one thread watches the views and wakes only those concerned.

A stream blocks until something concerns its agent, then asks the views what that is: the views' answer,
not the wake-up, carries the news, so that a stream woken for nothing sends nothing, and none is lost.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator

from domain.presence import Presence
from projections.desk_queries import Changes, DeskQueries
from projections.views import Views

HEARTBEAT = 15.0  # seconds of silence after which a stream says that it lives
CHANGES = 200  # told at once, about

_LOOK = 1.0  # seconds after which the hub looks whether it is to end
_PAUSE = 1.0  # seconds after a failure

log = logging.getLogger(__name__)


class TooManyStreams(Exception):
    """As many streams are open as there may be."""


class Stream:
    """One desk's stream: iterated by the thread that serves it, closed by that thread or the server's."""

    def __init__(self, hub: "StreamHub", login: str, position: int) -> None:
        self.login = login
        self.wake = threading.Event()
        self._hub = hub
        self._position = position
        self._closed = threading.Lock()

    def __iter__(self) -> Iterator[Changes]:
        """What is new, as it comes; after a time of silence, changes with nothing in them."""
        told_at = time.monotonic()
        while True:
            self.wake.clear()  # before looking: what comes meanwhile wakes it again
            if self._hub.closed:
                return
            changes = self._hub.queries.changes(self.login, self._position, CHANGES)
            self._position = changes.position
            silence = time.monotonic() - told_at
            if changes.agent or changes.conversations or changes.messages or silence >= HEARTBEAT:
                yield changes
                told_at = time.monotonic()
            else:
                self.wake.wait(HEARTBEAT - silence)

    def close(self) -> None:
        """Leave the hub. Closing again does nothing."""
        if self._closed.acquire(blocking=False):
            self._hub.leave(self)


class StreamHub:
    """Knows every open stream of this process."""

    def __init__(self, views: Views, presence: Presence, most: int) -> None:
        self.queries = DeskQueries(views)
        self._views = views
        self._presence = presence
        self._most = most
        self._streams: set[Stream] = set()
        self._mutex = threading.Lock()  # guards the streams and the thread
        self._coming = threading.Lock()  # held while a desk's coming or going is recorded
        self._desks: Counter[str] = Counter()  # tabs open, by login
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()

    @property
    def closed(self) -> bool:
        """Whether the streams are to end."""
        return self._closed.is_set()

    @property
    def open_streams(self) -> int:
        """How many there are."""
        return len(self._streams)

    def open(self, login: str, after: int | None) -> Stream:
        """A stream for an agent's desk, from a position or from now; the agent counts as connected.

        Raises TooManyStreams, NotFound when there is no such agent.
        """
        position = self.queries.in_hand(login)[1] if after is None else after
        stream = Stream(self, login, position)
        with self._mutex:
            if self.closed or len(self._streams) >= self._most:
                raise TooManyStreams
            self._streams.add(stream)
            self._start_watching()
        try:
            self._arrive(login)
        except Exception:
            with self._mutex:
                self._streams.discard(stream)
            raise
        return stream

    def leave(self, stream: Stream) -> None:
        """Take a stream off. With its agent's last one, in any process, a grace period begins."""
        with self._mutex:
            self._streams.discard(stream)
        with self._coming:
            self._desks[stream.login] -= 1
            if self._desks[stream.login] == 0:
                del self._desks[stream.login]
                self._presence.leave(stream.login)

    def close(self) -> None:
        """End every stream at once; later ones are refused."""
        self._closed.set()
        with self._mutex:
            for stream in self._streams:
                stream.wake.set()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _arrive(self, login: str) -> None:
        with self._coming:
            if self._desks[login] == 0:
                self._presence.arrive(login)
            self._desks[login] += 1

    # ── the watching thread ────────────────────────────────────────────────────────────────────

    def _start_watching(self) -> None:
        if self._thread is None:
            # As of before the first stream's first look: that look finds what came earlier.
            position = min(self._views.positions().values())
            self._thread = threading.Thread(target=self._watch, args=(position,), name="streams", daemon=True)
            self._thread.start()

    def _watch(self, position: int) -> None:
        while not self.closed:
            try:
                if self._views.wait_beyond(position, _LOOK):
                    logins, position = self.queries.concerned(position)
                    self._wake(logins)
            except Exception:
                log.exception("the streams' watch failed; every stream looks for itself")
                self._wake(None)
                self._closed.wait(_PAUSE)

    def _wake(self, logins: set[str] | None) -> None:
        with self._mutex:
            for stream in self._streams:
                if logins is None or stream.login in logins:
                    stream.wake.set()
