"""A document with one of its values replaced by junk, for property tests. Knows no kind of document."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

JUNK: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(-20, 700), st.floats(-10, 10), st.sampled_from(["", "a", "/x", "5xx", "2s"]),
    st.just([]), st.just({}), st.lists(st.sampled_from(["a", 1, None]), max_size=2),
    st.dictionaries(st.sampled_from(["exact", "prefix", "header", "x-a"]), st.sampled_from(["a", 1, None, []]), max_size=2),
)  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn, document: dict[str, Any]) -> dict[str, Any]:
    """The document, in which one value, at any depth, is another or new."""
    made = copy.deepcopy(document)
    holder = draw(st.sampled_from([made, *(part for part in _parts(made) if part)]))
    where: Any
    if isinstance(holder, dict):
        where = draw(st.sampled_from([*holder, "extra"]))
    else:
        where = draw(st.integers(0, len(holder) - 1))
    holder[where] = draw(JUNK)
    return made


def _parts(value: Any) -> list[Any]:
    items = value.values() if isinstance(value, dict) else value
    found = [item for item in items if isinstance(item, dict | list)]
    return found + [part for item in found for part in _parts(item)]
