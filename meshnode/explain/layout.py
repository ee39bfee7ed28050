"""Where the words of an explained answer stand on the page. Knows nothing of what they say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

LABEL_WIDTH = 11


def step(label: str, text: str) -> str:
    """One step of the way, its label in a column of its own."""
    return f"{label:<{LABEL_WIDTH}}{text}"


def below(text: str) -> str:
    """A line behind the step it belongs to."""
    return " " * (LABEL_WIDTH + 4) + text


def rows(cells: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Cells under one another, behind the step they belong to."""
    widths = [max(len(row[at]) for row in cells) for at in range(len(cells[0]))] if cells else []
    for row in cells:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield below("   ".join(padded).rstrip())
