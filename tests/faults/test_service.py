"""A process dies at the point that it is told, and at no other."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from faults.points import STEPS, Step

ROOT = Path(__file__).parents[2]
_PROGRAM = """
import sys
from pathlib import Path
from faults.points import Step
from faults.service import Orders, wrap

wrap("work", Step("queue.put", "queue:Queue.put"), Orders(Path(sys.argv[1]), Path(sys.argv[2])))
from queue import Queue

queue = Queue()
for number in range(1, 6):
    queue.put(number)
    print(queue.qsize(), flush=True)
"""


def run(tmp_path: Path, order: str) -> tuple[int, str, str]:
    orders, hits = tmp_path / "order", tmp_path / "hits"
    if order:
        orders.write_text(order)
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, orders, hits],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, hits.read_text() if hits.exists() else ""


@pytest.mark.parametrize(
    ("order", "code", "printed"),
    [
        ("", 0, "1\n2\n3\n4\n5\n"),
        ("work:queue.put:before:2", -9, "1\n"),
        ("work:queue.put:after:3", -9, "1\n2\n"),
        ("work:another.step:before:1", 0, "1\n2\n3\n4\n5\n"),
    ],
)
def test_it_dies_there(tmp_path: Path, order: str, code: int, printed: str) -> None:
    hit = f"{order.rpartition(':')[0]}\n" if code else ""
    assert run(tmp_path, order) == (code, printed, hit)


@pytest.mark.parametrize("step", sorted({each for steps in STEPS.values() for each in steps}, key=str))
def test_every_step_is_a_method_of_the_platform(step: Step) -> None:
    module, _, path = step.method.partition(":")
    owner, _, method = path.partition(".")
    assert callable(getattr(getattr(import_module(module), owner), method))
