"""Where two sequences differ, found at the speed of comparing memory: what both begin and end with is left out. Pure."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

S = TypeVar("S", bytes, tuple[object, ...])


class Middle(NamedTuple):
    """`old[start:old_end]` became `new[start:new_end]`; all before and behind is equal."""

    start: int
    old_end: int
    new_end: int

    @property
    def is_empty(self) -> bool:
        return self.start == self.old_end == self.new_end


def middle(old: S, new: S) -> Middle:
    """The part between the longest beginning and the longest end that both have, one next to the other.

    Of tuples the elements are compared by identity first, so that the same objects cost a few nanoseconds each.
    """
    start = _equal_start(old, new)
    end = _equal_end(old, new, min(len(old), len(new)) - start)
    return Middle(start, len(old) - end, len(new) - end)


def _equal_start(old: S, new: S) -> int:
    known, most = 0, min(len(old), len(new))
    while known < most:
        tried = (known + most + 1) // 2
        if old[known:tried] == new[known:tried]:
            known = tried
        else:
            most = tried - 1
    return known


def _equal_end(old: S, new: S, most: int) -> int:
    old_length, new_length = len(old), len(new)
    known = 0
    while known < most:
        tried = (known + most + 1) // 2
        old_part = old[old_length - tried : old_length - known]
        if old_part == new[new_length - tried : new_length - known]:
            known = tried
        else:
            most = tried - 1
    return known
