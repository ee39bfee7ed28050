"""Lines as wide as there is room, no two different ones alike. Knows nothing of what they say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

CUT = "…"
HEAD_CHARACTERS = 12
"""Kept of the beginning of a line that is told by what comes later."""


def shortened(lines: Sequence[str], width: int) -> list[str]:
    """The lines, cut to the width; those that would look alike by that are cut before they differ, or else not at all."""
    shown = {line: _cut(line, width) for line in lines}
    for group in _alike(shown):
        same = _same(group)
        shown.update({line: _behind(line, same, width) for line in group})
    for group in _alike(shown):
        shown.update({line: line for line in group})
    return [shown[line] for line in lines]


def _alike(shown: dict[str, str]) -> list[list[str]]:
    """The lines that are shown as others are."""
    found: dict[str, list[str]] = {}
    for line, text in shown.items():
        found.setdefault(text, []).append(line)
    return [group for group in found.values() if len(group) > 1]


def _same(lines: Iterable[str]) -> int:
    """How many characters all have in common from their beginning."""
    letters = zip(*lines, strict=False)
    return next((at for at, column in enumerate(letters) if len(set(column)) > 1), 0)


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else line[: width - 1] + CUT


def _behind(line: str, same: int, width: int) -> str:
    """A line told by what stands behind `same`, where others are like it until there."""
    if len(line) <= width:
        return line
    head = line[:HEAD_CHARACTERS] + CUT
    return head + _cut(line[same:], max(width - len(head), HEAD_CHARACTERS))
