"""What benches keep in their file, and how they count processor time."""

import json
import os
import subprocess
import sys
from pathlib import Path

from bench.cluster_servers import cpu_seconds
from bench.report import Aim, Measured, write


def test_a_bench_replaces_its_own_results_and_keeps_those_of_others(tmp_path: Path) -> None:
    file = tmp_path / "var" / "bench.json"
    write([Measured("one", 1.0, "1/s")], file)
    write([Measured("two", 2.0, "1/s")], file, "cluster")
    write([Measured("three", 3.0, "1/s", ceiling=6.0, aim=Aim(0.8, of_ratio=True))], file, "cluster")

    kept = json.loads(file.read_text("utf-8"))
    assert [(each["bench"], each["name"]) for each in kept] == [("embedded", "one"), ("cluster", "three")]
    assert (kept[1]["ratio"], kept[1]["aim"], kept[1]["met"]) == (0.5, "ratio ≥ 0.8", False)


def test_processor_time_counts_children_also_those_that_have_ended() -> None:
    before = cpu_seconds({"we": os.getpid()})["we"]
    busy = "import time\nwhile time.process_time() < 0.3: pass"
    subprocess.run([sys.executable, "-c", busy], check=True)
    assert cpu_seconds({"we": os.getpid()})["we"] - before >= 0.25  # counted in ticks of 10 ms
