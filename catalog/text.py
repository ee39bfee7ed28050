"""Text that people wrote into KV: its decoding, its tokens with their places, and how it is quoted back.

Reads no meaning out of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .model import SOURCE_MAX_CHARACTERS, KvEntry, Problem
from .suggestions import did_you_mean

VALUE_MAX_BYTES = 16 * 1024
"""A route is a line or a page. Consul takes 512 KiB; what is larger than this was put by mistake."""

QUOTED_MAX_CHARACTERS = 60
"""A foreign word in a sentence is cut here, so that the sentence can still be read."""

SUGGESTION_MAX_CHARACTERS = 100
"""A longer replacement is not read; the sentence alone says what to do."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n|\Z)")


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of text with its place: line and column count from 1, column and length in characters.

    `length` differs from `len(text)` where the source writes it otherwise (a quoted scalar with escapes).
    """

    text: str
    line: int
    column: int
    length: int

    def part(self, start: int, length: int | None = None) -> Token:
        """The piece from character `start`; at the whole token's place where the source has it in other characters."""
        text = self.text[start:] if length is None else self.text[start : start + length]
        if self.length != len(self.text):
            return Token(text, self.line, self.column, self.length)
        return Token(text, self.line, self.column + start, len(text))


class Mistake(Exception):  # noqa: N818  (a user's mistake, CONVENTIONS: no error; caught where a key is read)
    """What is wrong with a text: one sentence for a person, the place, and the replacement if one is known.

    Where the sentence does not name the replacement, "did you mean" is put behind it.
    """

    def __init__(
        self, sentence: str, at: Token | None = None, suggestion: str | None = None
    ) -> None:
        super().__init__(sentence)
        if suggestion and (
            len(suggestion) > SUGGESTION_MAX_CHARACTERS or not _is_plain(suggestion)
        ):
            suggestion = None
        is_named = suggestion is None or f'"{suggestion}"' in sentence
        self.sentence = sentence if is_named else sentence + did_you_mean(suggestion)
        self.at = at
        self.suggestion = suggestion


def decode(value: bytes, what: str = "a route", most_bytes: int = VALUE_MAX_BYTES) -> str:
    """The text of a value: UTF-8 without control characters, not empty, not larger than `most_bytes`.

    `what` it is, for a sentence. Raises Mistake.
    """
    if len(value) > most_bytes:
        size = f"{len(value):,} bytes"
        raise Mistake(f"the value has {size}; {what} has at most {most_bytes:,}")
    if value.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Mistake("the value is UTF-16; save it as UTF-8")
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError as error:
        before = value[: error.start].decode("utf-8")
        at = place(before, len(before), 1)
        raise Mistake(f"the value is not UTF-8 text: byte 0x{value[error.start]:02x}", at) from None
    text = text.removeprefix("\ufeff")
    if found := _CONTROL.search(text):
        code = ord(found.group())
        name = "a NUL byte" if code == 0 else f"the control character {code:#04x}"
        raise Mistake(f"the value holds {name}", place(text, found.start(), 1))
    if not text.strip():
        raise Mistake(f"the value is empty; to remove {what}, delete its key")
    return text


def place(text: str, position: int, length: int) -> Token:
    """The token of `length` characters at `position` of the whole text."""
    start = text.rfind("\n", 0, position) + 1
    line = text.count("\n", 0, position) + 1
    return Token(text[position : position + length], line, position - start + 1, length)


def lines(text: str) -> list[str]:
    """The lines as they are counted everywhere here: ended by LF or CR LF only."""
    return [line.removesuffix("\r") for line in text.split("\n")]


def source_line(text: str, line: int) -> str | None:
    """The line for a problem: cut at SOURCE_MAX_CHARACTERS, each unprintable character replaced by one `·`."""
    all_lines = lines(text)
    if not 1 <= line <= len(all_lines):
        return None
    return _printable(all_lines[line - 1][:SOURCE_MAX_CHARACTERS])


def problem_of(entry: KvEntry, text: str, mistake: Mistake) -> Problem:
    """A mistake in the value of a key, whose text it is, as people are shown it."""
    at = mistake.at
    return Problem(
        entry.key,
        entry.modify_index,
        "error",
        mistake.sentence,
        line=at.line if at else None,
        column=at.column if at else None,
        length=max(at.length, 1) if at else None,
        source=source_line(text, at.line) if at else None,
        suggestion=mistake.suggestion,
    )


def quote(text: str) -> str:
    """A foreign word for a sentence: in quotes, printable, cut at QUOTED_MAX_CHARACTERS."""
    shown = _printable(text[:QUOTED_MAX_CHARACTERS])
    if len(text) > QUOTED_MAX_CHARACTERS:
        shown += "…"
    return f"'{shown}'" if '"' in shown else f'"{shown}"'


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c == "\t" else "·" for c in text)
