"""Run the faults: `python -m faults --cycles N --seed S [--keep]`.

Ends with 1 when anything was lost, doubled, made up or put out of order, when the traffic was too little, or
when a fault was never injected.
"""

import argparse
import json
import shutil
import signal
import sys
from collections import Counter

import pytest

from faults.plan import PROVIDER
from faults.processes import ROOT
from faults.run import Result, Run
from tests.servers.process import temporary_folder

VAR = ROOT / "var"
SHOWN = 50  # violations


def main() -> int:
    """Run, and say what was found."""
    parser = argparse.ArgumentParser(prog="python -m faults", description="The fault run of the cluster.")
    parser.add_argument("--cycles", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="keep the processes' logs even when all is well")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    logs = VAR / "faults" / str(given.seed)
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    with temporary_folder() as folder:
        try:
            run = Run(given.cycles, given.seed, folder, logs, say)
        except (pytest.skip.Exception, pytest.fail.Exception) as missing:
            say(f"faults: {missing}")
            return 2
        result = run.run()
    (VAR / "faults.json").write_text(
        json.dumps(document(result), indent=2, ensure_ascii=False) + "\n", "utf-8"
    )
    report(result)
    if result.passed and not given.keep:
        shutil.rmtree(logs)
    elif not result.passed:
        say(f"The processes' logs are in {logs.relative_to(ROOT)}")
    print(last_line(result))
    return 0 if result.passed else 1


def say(line: str) -> None:
    """One line of progress."""
    print(line, flush=True)


def last_line(result: Result) -> str:
    """What is looked for first."""
    kinds = Counter(each.kind for each in result.violations)
    return (
        f"cycles {result.cycles}, violations {len(result.violations)},"
        f" lost {kinds['lost']}, duplicated {kinds['duplicated']}"
    )


def report(result: Result) -> None:
    """Everything counted, for people."""
    for violation in result.violations[:SHOWN]:
        say(f"violation {violation.invariant}: {violation.what}")
    for problem in result.problems:
        say(f"the run does not count: {problem}")
    _table("crash point", result.points)
    _table("process that ended by itself", result.ended)
    _table("traffic", result.load)
    _table("fault", Counter({kind: many for kind, many in result.faults.items() if kind not in PROVIDER}))
    _table("provider's answer", Counter({kind: result.faults[kind] for kind in PROVIDER}))
    say(f"planted bugs noticed {result.noticed} of {result.bugs}, {result.seconds:.0f} s, seed {result.seed}")
    say(f"texts out of order while the log was away, by way of another process: {result.overtaken}")
    say(f"accepted {result.accepted}, sent {result.sent}, in doubt {result.in_doubt}")


def _table(title: str, counts: Counter[str]) -> None:
    say(f"\n{title:<44}times")
    for name, many in sorted(counts.items()):
        say(f"{name:<44}{many:>5}")


def document(result: Result) -> dict[str, object]:
    """The same for programs."""
    fields = {**vars(result), "violations": [vars(each) for each in result.violations]}
    return {**fields, "passed": result.passed}


if __name__ == "__main__":
    sys.exit(main())
