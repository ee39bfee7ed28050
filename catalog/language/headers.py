"""Header fields in routes: their names, and those a route takes away, sets or adds. Only documents have edits."""

from __future__ import annotations

import re

from ..text import Mistake, Token, quote

NAME_MAX_CHARACTERS = 256
VALUE_MAX_BYTES = 8192
"""What origins take, and the proxy."""
EDITS_MAX = 32
"""Fields a route removes, sets or adds, each: as many as a usual head has."""

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_RESERVED = frozenset(
    {
        "connection", "content-length", "date", "forwarded", "host", "keep-alive", "te", "traceparent", "tracestate",
        "trailer", "transfer-encoding", "upgrade", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto",
    }
)  # fmt: skip
"""They frame or route a message, or the mesh vouches for them."""


def header_name(token: Token) -> str:
    """A field's name in lower case (RFC 9110 §5.1)."""
    text = token.text
    if not _NAME.fullmatch(text) or len(text) > NAME_MAX_CHARACTERS:
        raise Mistake(f"{quote(text)} is no name of a header", token)
    return text.lower()


def edited_name(token: Token) -> str:
    """The name of a field that a route may change."""
    name = header_name(token)
    folded = name.replace("_", "-")
    if folded in _RESERVED or folded.startswith("mesh-"):
        what = "rewrite_host changes it" if name == "host" else "no route changes it"
        sentence = f"{quote(name)} frames or routes the message, or is the mesh's own; {what}"
        raise Mistake(sentence, token)
    return name


def header_value(token: Token) -> str:
    """A field's value: no control characters, no space around it."""
    text = token.text
    if len(text.encode("utf-8", "surrogatepass")) > VALUE_MAX_BYTES:
        raise Mistake(f"a header's value has at most {VALUE_MAX_BYTES:,} bytes", token)
    if text != text.strip() or not text.isprintable():
        sentence = "a header's value has no control characters and no space around it"
        raise Mistake(sentence, token)
    return text
