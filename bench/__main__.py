"""Measure everything, print it, and write var/bench.json.

python -m bench [PART …]        parts: flow, storage, log, desks; all without any
"""

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from bench.desks import measure_desks
from bench.flow import measure_flow, profile_webhooks
from bench.programs import ROOT
from bench.report import Measured, show, write
from bench.storage import measure_ingest_and_rebuild, measure_log, profile_ingest, profile_views

WIDTH = 130  # where there is no terminal to ask
PARTS: dict[str, Callable[[Path], list[Measured]]] = {
    "flow": measure_flow,
    "storage": measure_ingest_and_rebuild,
    "log": measure_log,
    "desks": measure_desks,
}
WHY: dict[str, Callable[[Path], tuple[str, ...]]] = {
    "webhook's answer": profile_webhooks,
    "messages from": profile_views,
    "ingest": profile_ingest,
}
"""What explains a missed aim, by how the measurement's name begins."""


def main() -> None:
    """Run the parts asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure what Parley can carry.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all without any")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "var" / "bench.json", help="where to write the list"
    )
    given = parser.parse_args()
    unknown = sorted(set(given.parts) - PARTS.keys())
    if unknown:
        parser.error(f"there is no part {unknown[0]}: choose from {', '.join(PARTS)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    measured: list[Measured] = []
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
        for part in given.parts or PARTS:
            of_its_own = Path(folder) / part
            of_its_own.mkdir()
            with console.status(f"measuring: {part} …"):
                measured += [_explained(each, of_its_own) for each in PARTS[part](of_its_own)]
    show(measured, console)
    write(measured, given.out)
    console.print(f"written to {given.out}", soft_wrap=True, highlight=False)


def _explained(measured: Measured, folder: Path) -> Measured:
    """The same, with a profile where the aim was missed."""
    if measured.met is not False:
        return measured
    why = next(work for name, work in WHY.items() if measured.name.startswith(name))
    return replace(measured, profile=why(folder))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
