"""The table: a row for each provider with each counterpart, and beneath it what the marks say."""

from collections.abc import Sequence

from tests.interop.conversation import Check, Row

DONE, WRONG, CANNOT = "✓", "✗", "–"


def lines(rows: Sequence[Row]) -> list[str]:
    """As Markdown."""
    notes: list[str] = []
    cells = [
        ["provider", "counterpart", *Check],
        *([row.provider, row.counterpart, *(_cell(row, each, notes) for each in Check)] for row in rows),
    ]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    drawn = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in cells
    ]
    ruler = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    said = [f"- {number}: {note}" for number, note in enumerate(notes, 1)]
    return [drawn[0], ruler, *drawn[1:], "", *said]


def _cell(row: Row, check: Check, notes: list[str]) -> str:
    if row.missing:
        return f"not run {_note(row, row.missing, notes)}"
    if check in row.wrong:
        return f"{WRONG} {_note(row, row.wrong[check], notes)}"
    if check not in row.cannot:
        return DONE
    mark = CANNOT if check is Check.INBOUND else f"{DONE} out"
    return f"{mark} {_note(row, row.cannot[check], notes)}"


def _note(row: Row, words: str, notes: list[str]) -> str:
    """The mark of a note: the same words have the same."""
    note = f"{row.counterpart}: {words}"
    if note not in notes:
        notes.append(note)
    return f"({notes.index(note) + 1})"
