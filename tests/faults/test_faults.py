"""The short form of the fault run: a whole cluster, every kind of fault once, everything judged."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import choose

ROOT = Path(__file__).parents[2]
CYCLES = 12
SEED = 2
WITHIN = 400  # seconds; about 70 on two free cores


def test_a_cluster_keeps_its_promises_while_everything_breaks() -> None:
    # The rule of the servers: without them the test is skipped, but fails under CI.
    choose.first(choose.KAFKAS, "No Apache Kafka.")
    choose.first(choose.DATABASES, "No PostgreSQL.")
    command = [sys.executable, "-m", "faults", "--cycles", str(CYCLES), "--seed", str(SEED)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=WITHIN, check=False
    )
    if done.returncode != 0:
        pytest.fail(f"{done.stdout[-6000:]}\n{done.stderr[-3000:]}", pytrace=False)
    assert done.stdout.splitlines()[-1] == f"cycles {CYCLES}, violations 0, lost 0, duplicated 0"
    found = json.loads((ROOT / "var" / "faults.json").read_text("utf-8"))
    assert found["noticed"] == found["bugs"] > 15
