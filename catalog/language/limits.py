"""How many requests there may be, and how large: the `limits` of a route or of a service. Counts nothing."""

from __future__ import annotations

from typing import Any

from .. import values
from ..suggestions import nearest
from ..text import Mistake, Token, quote
from ..yamltree import Mapping, Node
from .rule import RequestLimits

BODY_MAX_BYTES = 2**40
"""A tebibyte; above it a limit is none. As the proxy takes, and so is the next."""
MEMORY_MAX_BYTES = 2**50
"""A pebibyte."""
REQUESTS_MAX = 1_000_000
PER = ("all", "caller", "client")
"""Whose requests are counted together."""

_COUNTS = {
    "requests_per_second": "the number of requests a second",
    "burst": "the number of requests at once",
    "concurrent": "the number of requests at one time",
}


def read_limits(node: Node, at: Token) -> dict[str, Any]:
    """The rule's fields: how large a request's body may be, and how many requests there may be."""
    assert isinstance(node, Mapping)
    if not node.items:
        raise Mistake("this limits nothing; body_bytes, requests_per_second or concurrent does", at)
    return {"body_bytes": _body_bytes(node), "limits": _request_limits(node)}


def _body_bytes(node: Mapping) -> int | None:
    if "body_bytes" not in node.items:
        return None
    return values.number(node.items["body_bytes"].at, "the size of a body", 1, BODY_MAX_BYTES)


def _request_limits(node: Mapping) -> RequestLimits | None:
    items, names = node.items, node.names
    counts = {
        name: values.number(items[name].at, what, 1, REQUESTS_MAX)
        for name, what in _COUNTS.items()
        if name in items
    }
    if "burst" in counts and "requests_per_second" not in counts:
        sentence = (
            '"burst" says how many may come at once of "requests_per_second", which is missing'
        )
        raise Mistake(sentence, names["burst"])
    if "per" in items and not counts:
        sentence = '"per" says whose requests are counted, but no "requests_per_second" and no "concurrent" counts them'
        raise Mistake(sentence, names["per"])
    if not counts:
        return None
    return RequestLimits(**counts, per=_per(items["per"].at) if "per" in items else None)


def _per(token: Token) -> str:
    if token.text in PER:
        return token.text
    sentence = (
        f"requests are counted per {', '.join(PER[:-1])} or {PER[-1]}, not per {quote(token.text)}"
    )
    raise Mistake(sentence, token, nearest(token.text, PER))
