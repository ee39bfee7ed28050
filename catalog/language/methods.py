"""Methods: the ones every program knows, and any other token in capitals."""

from __future__ import annotations

import re

from ..suggestions import nearest
from ..text import Mistake, Token, quote
from ..values import each_once

METHODS_MAX = 16
"""There are nine, and some of WebDAV."""
KNOWN_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")
_OTHERS = frozenset(
    {
        "ACL", "BAN", "BIND", "CHECKIN", "CHECKOUT", "COPY", "LABEL", "LINK", "LOCK", "MERGE", "MKACTIVITY",
        "MKCALENDAR", "MKCOL", "MOVE", "NOTIFY", "PROPFIND", "PROPPATCH", "PURGE", "QUERY", "REBIND", "REPORT",
        "SEARCH", "SOURCE", "SUBSCRIBE", "UNBIND", "UNCHECKOUT", "UNLINK", "UNLOCK", "UNSUBSCRIBE", "UPDATE",
    }
)  # fmt: skip
"""Registered or widely used: none is a typing mistake of a known one."""
_METHOD = re.compile(r"[A-Z][A-Z0-9_-]{0,31}")


def methods(tokens: list[Token]) -> tuple[str, ...]:
    """The methods of a route, none twice."""
    return each_once(tokens, method, most=METHODS_MAX, what="method")


def method(token: Token) -> str:
    """A method, in the capitals it is sent in."""
    text = token.text
    if text in KNOWN_METHODS or text in _OTHERS:
        return text
    if text == "CONNECT":
        raise Mistake("CONNECT asks for a tunnel, which no listener gives", token)
    if text.upper() in KNOWN_METHODS or text.upper() in _OTHERS:
        raise Mistake("a method is written in capitals", token, text.upper())
    if not _METHOD.fullmatch(text):
        raise Mistake(f"{quote(text)} is no method", token, nearest(text, KNOWN_METHODS))
    if near := nearest(text, KNOWN_METHODS):
        raise Mistake(f"no method is called {quote(text)}", token, near)
    return text
