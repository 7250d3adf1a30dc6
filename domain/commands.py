"""How commands of people run: load, decide, save, and try again when somebody else was faster."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from domain.errors import Conflict
from domain.ports import Clock, EventStore, Unit
from domain.world import World

ATTEMPTS = 8
"""Somebody else being faster this often in a row is no accident any more."""

R = TypeVar("R")


@dataclass(frozen=True)
class Actor:
    """Who gives a command: a login, and what the person or key may do."""

    login: str
    roles: frozenset[str]

    @property
    def is_admin(self) -> bool:
        """Whether every conversation is theirs to deal with."""
        return "admin" in self.roles


@dataclass(frozen=True)
class Done(Generic[R]):
    """What a command came to, and the position from which it can be seen in the views."""

    result: R
    position: int


class Commands:
    """Runs decisions against the store with optimistic concurrency and a bounded retry."""

    def __init__(self, store: EventStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def run(self, decide: Callable[[World, datetime], R]) -> Done[R]:
        """Save what a decision changes. Raises what it raises, or Conflict when it always comes too late."""
        for _ in range(ATTEMPTS - 1):
            try:
                return self._once(decide)
            except Conflict:
                continue
        return self._once(decide)

    def _once(self, decide: Callable[[World, datetime], R]) -> Done[R]:
        world = World(self._store)
        result = decide(world, self._clock.now())
        changed = world.changed()
        position = self._store.save(Unit(changed)) if changed else self._store.head()
        return Done(result, position)
