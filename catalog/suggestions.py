"""Did you mean: the known name nearest to a mistyped one. Knows no grammar; guesses nothing when nothing is near."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice

NAME_MAX_CHARACTERS = 64
"""Longer words are no typing mistakes of a name, and the work grows with the square of the length."""

CANDIDATES_MAX = 5_000
"""The largest catalog we were built for; a compile stays within milliseconds."""

SUGGESTIONS_MAX = 20
"""Unknown names of one kind that are compared with the whole catalog; more than that are no typing mistakes."""


class Suggestions:
    """What was probably meant by unknown names: each is compared with the catalog once, then with what is new there."""

    def __init__(self) -> None:
        self._catalog: tuple[str, ...] = ()
        self._found: Mapping[str, str | None] = {}

    def update(self, names: Iterable[str], catalog: tuple[str, ...]) -> Mapping[str, str | None]:
        """For the first SUGGESTIONS_MAX names, each counted once; the same object where nothing changed."""
        first = tuple(islice(dict.fromkeys(names), SUGGESTIONS_MAX))
        known = self._found
        if catalog != self._catalog:
            known = self._known_in(catalog)
        if known is not self._found or first != tuple(known):
            self._found = {
                name: known[name] if name in known else nearest(name, catalog) for name in first
            }
        self._catalog = catalog
        return self._found

    def _known_in(self, catalog: tuple[str, ...]) -> Mapping[str, str | None]:
        """What follows for another catalog from the last: the nearest of before stays so, but for what is new or gone."""
        if max(len(catalog), len(self._catalog)) > CANDIDATES_MAX:
            return {}
        new, gone = set(catalog).difference(self._catalog), set(self._catalog).difference(catalog)
        return {
            name: nearest(name, new if best is None else (best, *new))
            for name, best in self._found.items()
            if best not in gone
        }


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
            # No other one may have more of them.
            best, allowed = (mistakes, candidate), mistakes
    return best[1] if best else None


def did_you_mean(suggestion: str | None) -> str:
    """The end of a sentence: `; did you mean "x"?`, or nothing."""
    return f'; did you mean "{suggestion}"?' if suggestion else ""


def _mistakes(left: str, right: str, allowed: int) -> int | None:
    """Optimal string alignment distance, None as soon as it is sure to pass `allowed`."""
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, start=1):
        before, last, row = row, before, [i] + [allowed + 1] * len(right)
        # Further from the diagonal there are more missing or added characters than may be.
        for j in range(max(1, i - allowed), min(len(right), i + allowed) + 1):
            b = right[j - 1]
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                cost = min(cost, last[j - 2] + 1)
            row[j] = cost
        if min(row) > allowed:
            return None
    return row[-1] if row[-1] <= allowed else None
