"""Post every text of a file as webhooks, with agents replying, while Parley is killed again and again.

    python -m bench.corpus FILE [--kills 10] [--seed 1] [--customers 300] [--limit N] [--data-dir FOLDER]

FILE has a text a line, in UTF-8, after a label and a tab. Ends with 1 when anything was lost, doubled, made
up or put out of order, and keeps its folder then.
"""

import argparse
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from bench.corpus_run import Plan, Run


def main() -> int:
    """Run, and say what was found."""
    given = _arguments()
    console = Console(soft_wrap=True, highlight=False)
    folder = given.data_dir or Path(tempfile.mkdtemp(prefix="parley-corpus-"))
    folder.mkdir(parents=True, exist_ok=True)
    plan = Plan(given.file, given.kills, given.every, given.seed, given.customers, given.limit)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        findings = Run(plan, folder, console).run()
    except BaseException as error:
        console.print(f"Stopped. Logs and data are in {folder}")
        if isinstance(error, KeyboardInterrupt):
            return 130
        raise
    for violation in findings.violations[:50]:
        console.print(f"violation: {violation}", markup=False)
    if findings.violations:
        console.print(f"Logs and data are in {folder}")
    elif given.data_dir is None:
        shutil.rmtree(folder)
    counted = ", ".join(f"{name} {count}" for name, count in findings.counts.items())
    console.print(f"corpus: {counted}, violations {len(findings.violations)}")
    return 1 if findings.violations else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.corpus",
        description="Post every text of a file as webhooks, with agents replying, under kill -9.",
    )
    parser.add_argument("file", type=Path, help="a label, a tab and a text on every line, in UTF-8")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--every", type=float, default=15.0, help="seconds between kills, on average")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--customers", type=int, default=300)
    parser.add_argument("--limit", type=int, help="only so many texts")
    parser.add_argument(
        "--data-dir", type=Path, help="where to keep all of it; else it is removed at the end"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
