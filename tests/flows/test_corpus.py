"""Texts in, replies out, `kill -9` in between: nothing lost, doubled, made up or put out of order."""

import random
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXTS = 200
KILLS = 3

SEEDS = (
    "",
    " ",
    "Ok",
    "Ok",
    "STOP",
    "START",
    "hello again & again = 100% + more?",
    "GSM extension: ^ { } \\ [ ~ ] | €",
    "GSM alphabet: @£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ",
    "emoji: 😀 👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈",
    "combining: e\u0301 and no\u00a0break, zero\u200bwidth",
    "right to left: שלום عليكم",
    "漢字かな한글",
    "two\ttabs\t, 'quotes' \"both\"; --",
    "long " * 120,
)


def made_up() -> list[str]:
    chance = random.Random(7)
    return [*SEEDS, *(f"{chance.choice(SEEDS)} {chance.randint(1, 60)}" for _ in range(TEXTS - len(SEEDS)))]


def test_nothing_is_lost_or_doubled_under_kill_9(tmp_path: Path) -> None:
    file = tmp_path / "texts"
    file.write_bytes("".join(f"ham\t{text}\n" for text in made_up()).encode())
    options = [
        "--kills",
        str(KILLS),
        "--every",
        "2",
        "--customers",
        "60",
        "--data-dir",
        str(tmp_path / "run"),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "bench.corpus", str(file), *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=150,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    counts = {name: int(number) for name, number in re.findall(r"([a-z ]+) (\d+)", said.splitlines()[-1])}
    counts = {name.strip(): number for name, number in counts.items()}
    assert (counts["posted"], counts["accepted"], counts["violations"]) == (TEXTS, TEXTS, 0)
    assert (counts["repeats"], counts["kills"]) == (TEXTS // 5, KILLS)
    assert counts["webhooks in flight at a kill"] >= KILLS
    assert counts["replies requested"] > 0
