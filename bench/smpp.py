"""Measure SMPP against node-smpp's server, at windows 1, 10 and 100, and write it into var/bench.json.

python -m bench.smpp [PART …]           parts: bare, dispatch, deliver, desk; all without any

A bare session stands beside the codec alone, and what goes through Parley beside a bare session, all of the
same run. What the machine does otherwise counts: its load is printed and kept.
"""

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from bench import smpp_bare
from bench.cluster import WIDTH, load_average
from bench.programs import ROOT
from bench.report import Aim, Measured, show, write
from bench.smpp_bare import Listening, Rate
from bench.smpp_flow import Flow
from bench.smpp_smsc import SendingSmsc
from tests.servers.node import node_modules
from tests.servers.smscs import NodeSmsc

WINDOWS = (1, 10, 100)
AIMED = 100  # the window that the aims are of
CODEC = "the codec alone"
SESSION = "a bare session"


@dataclass(frozen=True)
class _Measurement:
    """What is measured at each window, beside what, and how a miss is explained."""

    name: str
    measure: Callable[[int], Rate]
    ceiling: Callable[[int], float]
    ceiling_is: str
    aim: float | None = None  # messages a second
    why: Callable[[], tuple[str, ...]] = tuple

    def rows(self) -> Iterator[Measured]:
        """The rates, and the processor time of a message."""
        for window in WINDOWS:
            ceiling, rate = self.ceiling(window), self.measure(window)
            name = f"{self.name}, window {window}"
            aim = Aim(self.aim) if self.aim and window == AIMED else None
            missed = aim is not None and rate.per_second < aim.limit
            why = self.why() if missed else ()
            yield Measured(name, rate.per_second, "1/s", ceiling, self.ceiling_is, aim, why)
            yield Measured(f"{name}: CPU", rate.cpu, "µs/message")


def measure_bare(folder: Path) -> Iterator[Measured]:
    """One session alone: what it submits, and what it acknowledges."""
    submits, deliveries = smpp_bare.code_submits(), smpp_bare.code_deliveries()
    with _taking(folder) as smsc:
        yield from _Measurement(
            "submit_sm, bare session",
            lambda window: smpp_bare.submit(smsc, window),
            lambda _: submits,
            CODEC,
            3_000,
            lambda: smpp_bare.profile_submits(smsc),
        ).rows()
    with SendingSmsc() as sending:
        yield from _Measurement(
            "deliver_sm acknowledged, bare session",
            lambda window: smpp_bare.acknowledge(sending, window),
            lambda _: deliveries,
            CODEC,
        ).rows()


def measure_dispatch(folder: Path) -> Iterator[Measured]:
    """Through dispatch, all workers running: attempts and outcomes are durable."""
    flow = Flow(folder)
    with _taking(folder) as smsc:
        yield from _Measurement(
            "texts through dispatch",
            lambda window: flow.dispatch(smsc, window),
            lambda window: smpp_bare.submit(smsc, window).per_second,
            SESSION,
            1_500,
            lambda: flow.profile_dispatch(smsc),
        ).rows()


def measure_deliver(folder: Path) -> Iterator[Measured]:
    """Onto the log before they are acknowledged; no worker runs."""
    flow = Flow(folder)
    with SendingSmsc() as smsc:
        yield from _Measurement(
            "deliver_sm acknowledged, durable",
            lambda window: flow.keep(smsc, window),
            lambda window: smpp_bare.acknowledge(smsc, window).per_second,
            SESSION,
            4_000,
            lambda: flow.profile_keeping(smsc),
        ).rows()


def measure_desk(folder: Path) -> Iterator[Measured]:
    """Through to the desk's view, all workers running."""
    flow = Flow(folder)
    with SendingSmsc() as smsc:
        yield from _Measurement(
            "deliver_sm to desk view",
            lambda window: flow.show(smsc, window),
            lambda window: smpp_bare.acknowledge(smsc, window).per_second,
            SESSION,
            1_200,
            lambda: flow.profile_showing(smsc),
        ).rows()


PARTS: dict[str, Callable[[Path], Iterator[Measured]]] = {
    "bare": measure_bare,
    "dispatch": measure_dispatch,
    "deliver": measure_deliver,
    "desk": measure_desk,
}


@contextmanager
def _taking(folder: Path) -> Iterator[Listening]:
    """node-smpp's server as the tests have it: fast enough, since it answers far more than Parley sends."""
    smsc = NodeSmsc(folder / "smsc")
    smsc.start()
    try:
        yield smsc
    finally:
        smsc.kill()


def main() -> None:
    """Run the parts asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench.smpp", description="Measure SMPP.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all without any")
    parser.add_argument("--out", type=Path, default=ROOT / "var" / "bench.json", help="where to write it")
    given = parser.parse_args()
    unknown = sorted(set(given.parts) - PARTS.keys())
    if unknown:
        parser.error(f"there is no part {unknown[0]}: choose from {', '.join(PARTS)}")
    if node_modules() is None:
        sys.exit("No node-smpp: install Node.js with npm.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    measured = [load_average("before")]
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
        for part in given.parts or PARTS:
            of_its_own = Path(folder) / part
            of_its_own.mkdir()
            with console.status(f"measuring: {part} …"):
                measured += PARTS[part](of_its_own)
    measured.append(load_average("after"))
    show(measured, console, "What Parley carries by SMPP here")
    write(measured, given.out, "smpp")
    console.print(f"written to {given.out}", soft_wrap=True, highlight=False)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
