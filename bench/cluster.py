"""Measure the cluster: Kafka, PostgreSQL and a process of each service, all on this machine.

python -m bench.cluster [PART …]        parts: flow, stages; both without any

What the machine does otherwise counts: the load average before and after is printed and kept.
"""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from bench.cluster_flow import measure_flow
from bench.cluster_servers import Servers
from bench.cluster_stages import measure_stages
from bench.flow import bare_rate
from bench.programs import ROOT
from bench.report import Measured, show, write

WIDTH = 150  # where there is no terminal to ask
MESSAGES = 10_000  # through the whole cluster
TEXTS = 10_000  # through each stage
OUT = ROOT / "var" / "bench.json"
PARTS: dict[str, Callable[[Servers, float], list[Measured]]] = {
    "flow": lambda servers, part: measure_flow(
        servers, int(part * MESSAGES), bare_rate(servers.folder, int(part * MESSAGES))
    ),
    "stages": lambda servers, part: measure_stages(servers, int(part * TEXTS)),
}


def main() -> None:
    """Run the parts asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.cluster", description="Measure what a cluster of one machine carries."
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all without any")
    parser.add_argument("--out", type=Path, default=OUT, help="where to write the list")
    parser.add_argument("--size", type=float, default=1.0, help="a part of the usual numbers, such as 0.1")
    given = parser.parse_args()
    unknown = sorted(set(given.parts) - PARTS.keys())
    if unknown:
        parser.error(f"there is no part {unknown[0]}: choose from {', '.join(PARTS)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    measured = [load_average("before")]
    for part in given.parts or PARTS:
        with Servers() as servers, console.status(f"measuring: {part} …"):
            measured += PARTS[part](servers, given.size)
    measured.append(load_average("after"))
    show(measured, console, "What a cluster on this machine carries")
    write(measured, given.out, "cluster")
    console.print(f"written to {given.out}", soft_wrap=True, highlight=False)


def load_average(when: str) -> Measured:
    """How busy this machine is with everything."""
    return Measured(f"load average {when}, {os.cpu_count()} cores", os.getloadavg()[0], "processes")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
