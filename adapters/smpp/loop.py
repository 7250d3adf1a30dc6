"""The one event loop of this process, in a thread of its own: every SMPP session runs on it.

Everything else in Parley is made of threads. They reach the sessions by `run`, and not otherwise.
"""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

BLOCKING = 16
"""Threads for what blocks: making facts durable, finding a host by its name."""

T = TypeVar("T")

_starting = threading.Lock()


def loop() -> asyncio.AbstractEventLoop:
    """The loop, started at the first need. It lasts as long as the process."""
    with _starting:
        return _started()


def run(coroutine: Coroutine[Any, Any, T], within: float) -> T:
    """Run it on the loop; what it returned or raised. Not to be called on the loop itself.

    Raises TimeoutError, having cancelled it, when it takes longer than so many seconds.
    """
    future = asyncio.run_coroutine_threadsafe(coroutine, loop())
    try:
        return future.result(within)
    except TimeoutError:
        future.cancel()
        raise


@cache
def _started() -> asyncio.AbstractEventLoop:
    started = asyncio.new_event_loop()
    started.set_default_executor(ThreadPoolExecutor(BLOCKING, thread_name_prefix="smpp-blocking"))
    threading.Thread(target=started.run_forever, name="smpp", daemon=True).start()
    return started
