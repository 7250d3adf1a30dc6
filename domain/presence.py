"""Presence: which agents have a desk open, in whichever process it is.

A process with an agent's desk open holds a lease that says so, and prolongs it. When an agent's last lease is
over, given up or run out with the process that held it, the agent's grace period begins.
"""

from collections.abc import Mapping
from datetime import timedelta

from domain.desk import AgentDesk
from domain.ports import Leases

DURATION = timedelta(seconds=15)
"""Desks of a process that was killed count as open so long."""

_PREFIX = "desk:"


class Presence:
    """The desks that are open in this process, and what follows for their agents."""

    def __init__(self, leases: Leases, desk: AgentDesk, owner: str, grace: timedelta) -> None:
        self._leases = leases
        self._desk = desk
        self._owner = owner
        self._grace = grace

    def arrive(self, login: str) -> None:
        """An agent's first desk was opened in this process. Raises NotFound when there is no such agent."""
        self._leases.acquire(self._name(login), self._owner, DURATION)
        self._desk.connect(login)

    def leave(self, login: str) -> None:
        """An agent's last desk in this process was closed."""
        lease = self._leases.acquire(self._name(login), self._owner, DURATION)
        if lease is not None:
            self._leases.release(lease)
        if not self._leases.held(f"{_PREFIX}{login}:"):
            self._desk.disconnect(login, self._grace)

    def prolong(self) -> None:
        """Say that the desks of this process are still open: well within `DURATION`."""
        self._leases.prolong(_PREFIX, self._owner, DURATION)

    def compare(self, connected: Mapping[str, bool]) -> None:
        """Put right what agents count as, where it is not what the leases say."""
        present = {name.removeprefix(_PREFIX).rsplit(":", 1)[0] for name in self._leases.held(_PREFIX)}
        for login, is_connected in connected.items():
            if is_connected and login not in present:
                self._desk.disconnect(login, self._grace)
            elif not is_connected and login in present:
                self._desk.connect(login)

    def _name(self, login: str) -> str:
        return f"{_PREFIX}{login}:{self._owner.replace(':', '/')}"
