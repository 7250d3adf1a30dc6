"""A limit on failed sign-ins, so that passwords cannot be guessed one after the other."""

import threading
from collections import OrderedDict
from datetime import datetime, timedelta

FAILURES = 5
WITHIN = timedelta(minutes=5)
REMEMBERED_LOGINS = 10_000  # those beyond, the least recent, are forgotten: memory stays bounded


class SignInLimit:
    """Counts failures by login, for many threads. Kept in memory: a restart forgets them."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, list[datetime]] = OrderedDict()
        self._mutex = threading.Lock()

    def wait(self, login: str, now: datetime) -> timedelta | None:
        """How long this login has to wait before it may try again; None when it may now."""
        with self._mutex:
            recent = [at for at in self._failures.get(login, []) if at > now - WITHIN]
        return recent[-FAILURES] + WITHIN - now if len(recent) >= FAILURES else None

    def failed(self, login: str, now: datetime) -> None:
        """Count a failure."""
        with self._mutex:
            recent = [at for at in self._failures.pop(login, []) if at > now - WITHIN]
            self._failures[login] = [*recent, now]
            if len(self._failures) > REMEMBERED_LOGINS:
                self._failures.popitem(last=False)

    def succeeded(self, login: str) -> None:
        """Forget the failures of a login."""
        with self._mutex:
            self._failures.pop(login, None)
