"""Where the processor's time goes: the costliest functions of something that runs in this process."""

import cProfile
import pstats
import time
from collections.abc import Callable
from pathlib import Path

from bench.programs import ROOT

SHOWN = 10


def profile(work: Callable[[], object]) -> tuple[str, ...]:
    """Run it under cProfile; its costliest functions: own CPU seconds, calls, where."""
    profiler = cProfile.Profile(time.process_time)  # others on this machine must not show
    profiler.runcall(work)
    stats = pstats.Stats(profiler).get_stats_profile()
    functions = sorted(stats.func_profiles.items(), key=lambda item: -item[1].tottime)[:SHOWN]
    return tuple(
        f"{each.tottime:7.2f} s {each.ncalls:>10}  {_place(each.file_name, each.line_number)} {name}"
        for name, each in functions
    )


def _place(file_name: str, line: int) -> str:
    path = Path(file_name)
    if path.is_relative_to(ROOT) and ".venv" not in path.parts:
        return f"{path.relative_to(ROOT)}:{line}"
    return f"{'/'.join(path.parts[-2:])}:{line}" if line else ""
