"""Paths: prefix, exact, glob and regex, each in its one form (docs/paths.md), and what is cut from or put before them."""

from __future__ import annotations

import re
from urllib.parse import quote as percent_encode

from ..text import Mistake, Token, quote
from .patterns import PATTERN_MAX_CHARACTERS, check_regex
from .rule import PathKind

PATH_MAX_CHARACTERS = 1024
"""An eighth of the longest request target the proxy takes: a route is no longer than what it matches."""

_PLAIN = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+/?|/")
"""Most paths: nothing to decode, no dot at a segment's beginning, no empty segment."""
_CHARACTERS = re.compile(r"[A-Za-z0-9._~!$&'()+,;=:@%/-]*")
_PERCENT = re.compile(r"%([0-9A-Fa-f]{2})?")
_OVERLONG = re.compile(r"%C[01]%[89AB]|%E0%[89]|%F0%8")
_SPLITS = re.compile(r"/|%2F|%5C")
_SLASHES = ("2F", "5C")
"""What `/` and `\\` are encoded: they stay, since names have slashes in them, and divide nothing."""


def path(token: Token, kind: PathKind) -> str:
    """A path in its one form; a prefix is without a trailing slash, else bytes are compared as written."""
    if kind == "regex":
        check_regex(token)
        return token.text
    if kind == "glob":
        return _glob(token)
    text = token.text
    if len(text) > PATH_MAX_CHARACTERS or not _PLAIN.fullmatch(text):
        text = _checked(token, _MISTAKES)
    return text if kind == "exact" or text == "/" else text.removesuffix("/")


def strip(token: Token, route_path: str, kind: PathKind) -> str:
    """The prefix to take off a request's path: the route's own or the beginning of it by whole segments."""
    prefix = path(token, "prefix")
    if prefix == "/":
        raise Mistake('strip "/" would take nothing away', token)
    is_fixed = kind in ("prefix", "exact")
    if is_fixed and route_path != prefix and not route_path.startswith(prefix + "/"):
        sentence = f"strip {quote(prefix)} never applies: the route's path is {quote(route_path)}"
        raise Mistake(sentence, token, route_path if route_path != "/" else None)
    return prefix


def add(token: Token) -> str:
    """The prefix to put before a path."""
    prefix = path(token, "prefix")
    if prefix == "/":
        raise Mistake('add "/" would add nothing', token)
    return prefix


def replace(token: Token, route_path: str, kind: PathKind) -> tuple[str | None, str | None]:
    """What to cut and what to put there, so that the route's own path becomes this one."""
    prefix = path(token, "prefix")
    if kind not in ("prefix", "exact"):
        sentence = f'a {kind} has no beginning to replace; in a document, "rewrite" has a regex'
        raise Mistake(sentence, token)
    cut = None if route_path == "/" and kind == "prefix" else route_path
    put = None if prefix == "/" else prefix
    if cut == put:
        raise Mistake("it would be replaced by itself", token)
    return cut, put


def _glob(token: Token) -> str:
    text = token.text
    if len(text) > PATTERN_MAX_CHARACTERS:
        raise Mistake(f"a glob has at most {PATTERN_MAX_CHARACTERS} characters", token)
    if not re.search(r"[*?]", text):
        raise Mistake("a glob without * and ? is a path: write it as exact", token)
    if "***" in text:
        raise Mistake("a glob has * for a part of a segment and ** for any number of them", token)
    # Its signs stand for letters, so that the rest is judged as the path it is.
    stand_in = Token(
        re.sub(r"[*?]", "x", text), token.line, token.column,
        token.length,
    )  # fmt: skip
    _checked(stand_in, _MISTAKES)
    return re.sub(r"%[0-9a-f]{2}", lambda found: found.group().upper(), text, flags=re.IGNORECASE)


def _checked(token: Token, mistakes: tuple[tuple[str, str], ...]) -> str:
    text = token.text
    if not text.startswith("/"):
        raise Mistake(f'a path begins with "/", {quote(text)} does not', token, "/" + text)
    if len(text) > PATH_MAX_CHARACTERS:
        raise Mistake(f"a path has at most {PATH_MAX_CHARACTERS} characters", token)
    for character, sentence in mistakes:
        if (at := text.find(character)) >= 0:
            raise Mistake(sentence, token.part(at, len(character)))
    if not text.isascii():
        suggestion = percent_encode(text, safe="/%!$&'()+,;=:@~")
        raise Mistake("a path is written in ASCII, percent-encoded", token, suggestion)
    end = _CHARACTERS.match(text)
    if end and end.end() < len(text):
        raise Mistake(f"{quote(text[end.end()])} has no place in a path", token.part(end.end(), 1))
    for found in _PERCENT.finditer(text):
        _check_percent(found, token)
    text = _PERCENT.sub(lambda found: found.group().upper(), text)
    if overlong := _OVERLONG.search(text):
        sentence = (
            f"{overlong.group()}… spells an ASCII sign a second time: programs read it in two ways"
        )
        raise Mistake(sentence, token.part(overlong.start(), 6))
    _check_segments(text, token)
    return text


_MISTAKES = (
    ("?", 'a path ends before its query; choose by query with "when query.name=value"'),
    ("#", 'a path has no "#": browsers never send what follows it'),
    ("*", 'a path takes all that lies below it without "*"; a pattern is a regex behind "~", or a glob in a document'),
    ("//", "a path has no empty segment"),
    ("\\", 'a path\'s segments are divided by "/"'),
)  # fmt: skip


def _check_percent(found: re.Match[str], token: Token) -> None:
    at = token.part(found.start(), 3)
    if not found[1]:
        raise Mistake('"%" needs two hexadecimal digits behind it', at)
    character = chr(int(found[1], 16))
    if character.isascii() and (character.isalnum() or character in "-._~"):
        raise Mistake(f"write {quote(character)} instead of {found[0]}", at, character)
    if character < " " or character == "\x7f":
        raise Mistake(f"{found[0]} is not taken in a path: programs read it in two ways", at)


def _check_segments(text: str, token: Token) -> None:
    """No segment that anybody could read as `.` or `..`: where encoded slashes divide, where a `;` ends it."""
    offset = 0
    for segment in _SPLITS.split(text):
        name = re.split(r";|%3B", segment, maxsplit=1)[0]
        if name in (".", ".."):
            raise Mistake(
                f"{quote(segment)} is no segment of a path", token.part(offset, len(segment))
            )
        offset += len(segment) + (3 if text[offset + len(segment) :].startswith("%") else 1)
