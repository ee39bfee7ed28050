"""Rows as text: a table for a terminal, a table for RESULTS.md, a document for later. Knows no scenario."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.figures import OURS, Figure, Row

HEAD = ("scenario", "measure")
BEGIN, END = "<!-- table: make bench RECORD=1 -->", "<!-- end of table -->"


class ReportError(Exception):
    """RESULTS.md has no place for the table."""


def terminal(rows: Sequence[Row]) -> str:
    """Columns by subject; the last is ours as a share of the best peer."""
    cells = _cells(rows)
    widths = [max(len(line[at]) for line in cells) for at in range(len(cells[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if at < len(HEAD) else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    )


def markdown(rows: Sequence[Row]) -> str:
    head, *lines = _cells(rows)
    rule = ["---"] * len(HEAD) + ["---:"] * (len(head) - len(HEAD))
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *lines))


def conditions(machine: Mapping[str, str]) -> str:
    """What it was measured on, in a line of RESULTS.md."""
    return " · ".join(f"{name} {value}" for name, value in machine.items())


def recorded(document: str, table: str) -> str:
    """RESULTS.md with `table` between its markers."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ReportError(f"RESULTS.md lacks the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


def document(figures: Iterable[Figure], machine: Mapping[str, str]) -> dict[str, Any]:
    """The whole run, every sample of it."""
    return {
        "machine": dict(machine),
        "figures": [
            {
                "scenario": figure.scenario,
                "measure": figure.measure,
                "subject": figure.subject,
                "median": figure.value,
                "samples": list(figure.samples),
            }
            for figure in figures
        ],
    }


def _cells(rows: Sequence[Row]) -> list[list[str]]:
    subjects = list(dict.fromkeys(name for row in rows for name in row.figures if name != OURS))
    head = [*HEAD, OURS, *subjects, "ours / best peer"]
    return [head, *(_line(row, [OURS, *subjects]) for row in rows)]


def _line(row: Row, subjects: Sequence[str]) -> list[str]:
    values = [number(row.figures[name].value) if name in row.figures else "" for name in subjects]
    best, ratio = row.best(), row.ratio()
    share = "" if best is None or ratio is None else f"{ratio:.2f} ({best[0]})"
    return [row.scenario, row.measure, *values, share]


def number(value: float) -> str:
    """Three figures, as more were never measured."""
    if value >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"
