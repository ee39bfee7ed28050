"""Which requests and answers under meshnode/ca/ nobody waits for any more. Deletes nothing itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .keys import ANSWERS_PREFIX, REQUESTS_PREFIX, request_key, split_answer_key
from .store import Entry


def leftovers(
    entries: Mapping[str, Entry],
    handled: Mapping[str, tuple[int, float]],
    *,
    now_s: float,
    left_after_s: float,
) -> Iterator[Entry]:
    """Answers whose request is gone; requests handled `left_after_s` ago, and with the next look their answers.

    `handled` has of each request the ModifyIndex and the time it was handled, by the same clock as `now_s`.
    """
    for key, entry in entries.items():
        if key.startswith(ANSWERS_PREFIX):
            path = split_answer_key(key)
            if path is None or request_key(*path) not in entries:
                yield entry
        elif key.startswith(REQUESTS_PREFIX):
            index, at_s = handled.get(key, (0, now_s))
            if index == entry.modify_index and now_s - at_s > left_after_s:
                yield entry
