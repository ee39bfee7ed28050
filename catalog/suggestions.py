"""Did you mean: the known name nearest to a mistyped one. Knows no grammar; guesses nothing when nothing is near."""

from __future__ import annotations

from collections.abc import Iterable

NAME_MAX_CHARACTERS = 64
"""Longer words are no typing mistakes of a name, and the work grows with the square of the length."""

CANDIDATES_MAX = 5_000
"""The largest catalog we were built for; a compile stays within milliseconds."""


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate with the fewest typing mistakes to `word` (ties: the first by name), None when none is near.

    A typing mistake is a missing, added or wrong character, or two exchanged neighbours. One is always allowed in
    words of three letters and more, and one more for every three letters.
    """
    wanted = word.lower()
    if not 1 < len(wanted) <= NAME_MAX_CHARACTERS:
        return None
    allowed = max(1, len(wanted) // 3)
    best: tuple[int, str] | None = None
    for count, candidate in enumerate(candidates):
        if count == CANDIDATES_MAX:
            break
        if abs(len(candidate) - len(wanted)) > allowed:
            continue
        mistakes = _mistakes(wanted, candidate.lower(), allowed)
        if mistakes is not None and (best is None or (mistakes, candidate) < best):
            best = (mistakes, candidate)
    return best[1] if best else None


def did_you_mean(suggestion: str | None) -> str:
    """The end of a sentence: `; did you mean "x"?`, or nothing."""
    return f'; did you mean "{suggestion}"?' if suggestion else ""


def _mistakes(left: str, right: str, allowed: int) -> int | None:
    """Optimal string alignment distance, None as soon as it is sure to pass `allowed`."""
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, start=1):
        before, last, row = row, before, [i]
        for j, b in enumerate(right, start=1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
        if min(row) > allowed:
            return None
    return row[-1] if row[-1] <= allowed else None
