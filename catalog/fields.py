"""Fields of the documents that nodes write: each is what it should be, or TypeError names it. Knows no document."""

from __future__ import annotations

from typing import Any

import orjson


def text_of(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def count_of(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{value!r} is no count")
    return value


def canonical(document: Any) -> bytes:
    """The one form of it, which is what a signature is over."""
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
