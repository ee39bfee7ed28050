"""A prefix's answer read by what is new in it: between two answers with 10,000 keys mostly one entry differs.

Consul has no question whose answer is only what changed; but what is byte for byte as in the answer before need not be
decoded again. Gives what reading the whole answer gives (tests/unit/catalog/test_kv_answers.py).
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from operator import attrgetter
from typing import Any

import orjson

from . import parse
from .errors import ConsulAnswerError
from .middle import Middle, middle
from .model import KvEntry
from .transport import Answer

NEXT_ENTRY = b'},{"LockIndex":'
"""Between two entries, and nowhere else: inside a text a quotation mark has a backslash before it."""

_key = attrgetter("key")


def read(answer: Answer, last_body: bytes, last: tuple[KvEntry, ...]) -> tuple[KvEntry, ...]:
    """The entries of an answer, sorted by key; `last` are those that `last_body` held, used again where unchanged."""
    known = _between(last_body, answer.body) if last and answer.status != 404 else None
    if known is not None:
        read_again = _replaced(known, last)
        if read_again is not None:
            return read_again
    return parse.kv_entries(answer.json(), {entry.key: entry for entry in last})


def _between(old: bytes, new: bytes) -> tuple[Any, Any] | None:
    """The entries, decoded, that the one answer has in place of others; None where that can't be told by bytes."""
    if not (old.startswith(b"[{") and new.startswith(b"[{") and old.endswith(b"}]")):
        return None
    found = middle(old, new)
    if found.old_end == len(old):
        return None  # it ends otherwise: cut short, or no list
    whole = _whole_entries(old, found)
    try:
        return tuple(
            orjson.loads(b"[" + body[whole.start : end] + b"]")
            for body, end in ((old, whole.old_end), (new, whole.new_end))
        )
    except orjson.JSONDecodeError:
        return None


def _whole_entries(old: bytes, found: Middle) -> Middle:
    """The same, widened to where entries begin and end."""
    before = old.rfind(NEXT_ENTRY, 0, found.start)
    start = 1 if before < 0 else before + 2
    behind = old.find(NEXT_ENTRY, found.old_end)
    end = len(old) - 1 if behind < 0 else behind + 1
    return Middle(start, end, end + found.new_end - found.old_end)


def _replaced(decoded: tuple[Any, Any], last: tuple[KvEntry, ...]) -> tuple[KvEntry, ...] | None:
    """The entries with those of the one list in place of the other's; None where they do not stand together by key."""
    try:
        gone = sorted(item["Key"] for item in decoded[0])
        first = bisect_left(last, gone[0], key=_key) if gone else 0
    except (KeyError, TypeError) as error:
        raise ConsulAnswerError(200, f"an answer of a strange shape ({error!r})") from error
    end = first + len(gone)
    old = last[first:end]
    new = parse.kv_entries(decoded[1], {entry.key: entry for entry in old})
    if not gone or [entry.key for entry in old] != gone:
        return None
    around = [entry.key for entry in (*last[first - 1 : first], *new, *last[end : end + 1])]
    if any(left >= right for left, right in pairwise(around)):
        return None
    return (*last[:first], *new, *last[end:])
