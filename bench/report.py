"""What a measurement comes to, and how it is shown and kept."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Aim:
    """What is aimed at: at least, or at most, a number of the value or of its ratio to the ceiling."""

    limit: float
    of_ratio: bool = False
    at_most: bool = False


@dataclass(frozen=True)
class Measured:
    """One measured value beside its ceiling, the most that the same machine did just now without Parley."""

    name: str
    value: float
    unit: str
    ceiling: float | None = None
    ceiling_is: str = ""
    aim: Aim | None = None
    profile: tuple[str, ...] = ()  # why, where the aim was missed

    @property
    def ratio(self) -> float | None:
        """The value as a part of the ceiling."""
        return self.value / self.ceiling if self.ceiling else None

    @property
    def met(self) -> bool | None:
        """Whether the aim was met; None without one."""
        if self.aim is None:
            return None
        reached = self.ratio if self.aim.of_ratio else self.value
        if reached is None:
            return False
        return reached <= self.aim.limit if self.aim.at_most else reached >= self.aim.limit


def aim_text(aim: Aim | None) -> str:
    """An aim in words."""
    if aim is None:
        return ""
    return f"{'ratio ' if aim.of_ratio else ''}{'≤' if aim.at_most else '≥'} {aim.limit:g}"


def show(measured: Sequence[Measured], console: Console, title: str = "What Parley carries here") -> None:
    """Print everything as a table, and why aims were missed."""
    table = Table("measured", "value", "unit", "ceiling", "ratio", "aim", "", title=title)
    for each in measured:
        verdict = {None: "", True: "[green]met[/]", False: "[red]missed[/]"}[each.met]
        ceiling = f"{_number(each.ceiling)} {each.ceiling_is}" if each.ceiling else ""
        ratio = f"{each.ratio:.2f}" if each.ratio is not None else ""
        table.add_row(each.name, _number(each.value), each.unit, ceiling, ratio, aim_text(each.aim), verdict)
    console.print(table)
    for each in measured:
        if each.profile and each.met is False:
            console.print(
                f"\nWhy “{each.name}” missed its aim (profiles: own CPU seconds, calls, where):",
                highlight=False,
            )
            for line in each.profile:
                console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)


def write(measured: Sequence[Measured], file: Path, bench: str = "embedded") -> None:
    """Keep everything as JSON: a list of bench, name, value, unit, ceiling, ratio, aim, met.

    What other benches wrote there stays.
    """
    before = json.loads(file.read_text("utf-8")) if file.exists() else []
    documents = [each for each in before if each.get("bench", "embedded") != bench]
    for each in measured:
        fields = (
            {"bench": bench}
            | asdict(each)
            | {"ratio": each.ratio, "aim": aim_text(each.aim) or None, "met": each.met}
        )
        documents.append(fields)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(documents, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def median(values: Sequence[float]) -> float:
    """Of sorted values."""
    return values[len(values) // 2]


def percentile99(values: Sequence[float]) -> float:
    """Of sorted values."""
    return values[min(len(values) - 1, len(values) * 99 // 100)]
