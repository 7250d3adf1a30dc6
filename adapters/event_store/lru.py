"""A cache of the values used last."""

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Lru(Generic[K, V]):
    """At most `size` values, for many threads.

    `clear` begins a new generation: a value that was computed in an earlier one is not taken in any more,
    so that what was forgotten meanwhile cannot come back.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[K, V] = OrderedDict()
        self._mutex = threading.Lock()
        self.generation = 0

    def get(self, key: K) -> V | None:
        """The value, or None when it is not here."""
        with self._mutex:
            value = self._values.get(key)
            if value is not None:
                self._values.move_to_end(key)
            return value

    def put(self, key: K, value: V, generation: int) -> None:
        """Keep a value that was computed from what was true in this generation."""
        with self._mutex:
            if generation != self.generation:
                return
            self._values[key] = value
            self._values.move_to_end(key)
            if len(self._values) > self._size:
                self._values.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        with self._mutex:
            self._values.clear()
            self.generation += 1
