"""How many requests a session may have unanswered: fewer while the SMSC is throttling."""

import asyncio
from collections import deque


class Window:
    """Halves when told so; grows back by one after as many good answers as it is wide."""

    def __init__(self, widest: int) -> None:
        self.width = widest
        self._widest = widest
        self._inside = 0
        self._good = 0  # answers since the width last changed
        self._waiting: deque[asyncio.Future[bool]] = deque()
        self._closed = False

    async def enter(self) -> bool:
        """Wait for room, in the order of coming. False: the window is closed, and nothing is to be left."""
        if self._closed:
            return False
        if self._inside < self.width and not self._waiting:
            self._inside += 1
            return True
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.result():
                self.leave()  # its turn had come just then
            raise

    def leave(self) -> None:
        """Make room for the next."""
        self._inside -= 1
        self._admit()

    def answered_well(self) -> None:
        """Count a good answer."""
        self._good += 1
        if self._good >= self.width:
            self._good = 0
            if self.width < self._widest:
                self.width += 1
                self._admit()

    def halve(self) -> None:
        """Be half as wide from now on, but never less than one."""
        self.width = max(1, self.width // 2)
        self._good = 0

    def close(self) -> None:
        """Let nobody in any more."""
        self._closed = True
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(False)

    def _admit(self) -> None:
        while self._waiting and self._inside < self.width:
            turn = self._waiting.popleft()
            if not turn.done():
                self._inside += 1
                turn.set_result(True)
