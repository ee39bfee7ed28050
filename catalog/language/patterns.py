"""Regexes as the proxy takes them: the part of Rust's syntax that is also everybody else's. Matches nothing itself.

What is taken here compiles there: nothing that looks around or back, and no larger than what it takes. The proxy has
the last word all the same; what it refuses comes back as a problem of its key.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ..text import Mistake, Token, quote

PATTERN_MAX_CHARACTERS = 1024
"""As the proxy takes."""
NESTING_MAX = 32
"""As the proxy takes: brackets, repetitions, sequences and alternatives within one another."""
STATES_MAX = 2_000
"""The proxy gives 256 KiB to a compiled pattern; the most one state was seen to take is 100 bytes."""
REPEAT_MAX = 1_000
"""As in most engines: more is a mistyped number."""

_CLASS_ESCAPES = frozenset("dDwWsS")
_PLACE_ESCAPES = frozenset("bBAz")
_LETTER_ESCAPES = frozenset("nrtfv")
_PUNCTUATION = frozenset("\\.+*?()|[]{}^$#&-~/\"'%:;=@!,_")
_REPEAT = re.compile(r"\{([0-9]{1,5})(?:(,)([0-9]{0,5}))?\}")
_GROUP = re.compile(r"\?(?:P?<([A-Za-z_][A-Za-z0-9_]*)>|(?:is?|si?)?:|(?:is?|si?)\))")
_FLAGS = re.compile(r"\(\?[is]+\)")
_REPEATS = frozenset("*+?{")
_POSIX = re.compile(r"\[:\^?[a-z]+:\]")


def check_regex(token: Token) -> frozenset[str]:
    """The names and numbers of its groups. Raises Mistake at the sign that is wrong."""
    text = token.text
    if not text:
        raise Mistake("the regex is empty", token)
    if len(text) > PATTERN_MAX_CHARACTERS:
        raise Mistake(f"a regex has at most {PATTERN_MAX_CHARACTERS} characters", token)
    if not text.isascii():
        at = next(place for place, letter in enumerate(text) if not letter.isascii())
        sentence = f"a regex is written in ASCII; {quote(text[at])} is percent-encoded in a path"
        raise Mistake(sentence, token.part(at, 1))
    reader = _Reader(token)
    size = reader.alternatives(0)
    if reader.place < len(text):
        raise reader.mistake("this bracket closes none", 1)
    if size.depth > NESTING_MAX:
        raise Mistake(
            f"the regex is too deep: what stands within one another is {size.depth} deep, the most is {NESTING_MAX}",
            token,
        )
    if size.states > STATES_MAX:
        raise Mistake(
            f"the regex is too large: its repetitions make {size.states:,} states of it, the most is {STATES_MAX:,}",
            token,
        )
    return frozenset({"0", *(str(number + 1) for number in range(reader.groups)), *reader.names})


class _Size(NamedTuple):
    """What a part of a regex comes to: how many states, and how deep its own parts stand within one another."""

    states: int
    depth: int


class _Reader:
    """Goes through a regex once; each method returns the size of its part."""

    def __init__(self, token: Token) -> None:
        self._token = token
        self._text = token.text
        self.place = 0
        self.groups = 0
        self.names: set[str] = set()

    def mistake(self, sentence: str, length: int, at: int | None = None) -> Mistake:
        start = self.place if at is None else at
        return Mistake(f"the regex is wrong here: {sentence}", self._token.part(start, length))

    def alternatives(self, brackets: int) -> _Size:
        branches = [self._sequence(brackets)]
        while self._text.startswith("|", self.place):
            self.place += 1
            branches.append(self._sequence(brackets))
        return _within(branches, len(branches) - 1)

    def _sequence(self, brackets: int) -> _Size:
        parts = []
        while self.place < len(self._text) and self._text[self.place] not in "|)":
            start = self.place
            parts.append(self._repeated(self._one(brackets), start))
        return _within(parts, 0)

    def _one(self, brackets: int) -> _Size:
        sign = self._text[self.place]
        if sign == "(":
            return self._group(brackets + 1)
        if sign == "[":
            return self._class()
        if sign == "\\":
            return _Size(self._escape(), 0)
        if sign in _REPEATS:
            raise self.mistake(f"nothing stands before {quote(sign)} to be repeated", 1)
        self.place += 1
        return _Size(1, 0)

    def _repeated(self, one: _Size, start: int) -> _Size:
        """What began at `start`, as often as is said behind it."""
        times, depth = 1, one.depth
        while self.place < len(self._text) and self._text[self.place] in _REPEATS:
            if _FLAGS.fullmatch(self._text, start, self.place):
                flags = quote(self._text[start : self.place])
                raise self.mistake(f"{flags} is nothing to be repeated", 1)
            if self._text[self.place] == "{":
                times *= self._counted()
            else:
                self.place += 1
            depth += 1
            if self._text[self.place : self.place + 1] == "?":
                self.place += 1
        return _Size(one.states * times + 2, depth)

    def _counted(self) -> int:
        found = _REPEAT.match(self._text, self.place)
        if not found:
            raise self.mistake(
                'a "{" stands for itself as "\\{"; a repetition is written {2}, {2,} or {2,5}', 1
            )
        low = int(found[1])
        high = int(found[3]) if found[3] else low
        if found[2] and found[3] and high < low:
            raise self.mistake(f"{low} is more than {high}", len(found.group()))
        if max(low, high) > REPEAT_MAX:
            raise self.mistake(f"a repetition is at most {REPEAT_MAX:,} times", len(found.group()))
        self.place = found.end()
        return max(low, high, 1) + (1 if found[2] else 0)

    def _group(self, brackets: int) -> _Size:
        start = self.place
        if brackets > NESTING_MAX:
            raise self.mistake(f"its brackets are more than {NESTING_MAX} deep", 1)
        self.place += 1
        if self._text.startswith("?", self.place):
            self._opening(start)
            if self._text[self.place - 1] == ")":
                return _Size(0, 0)
        else:
            self.groups += 1
        size = self.alternatives(brackets)
        if self.place == len(self._text):
            raise self.mistake("this bracket is never closed", 1, start)
        self.place += 1
        return _Size(size.states + 2, size.depth + 1)

    def _opening(self, start: int) -> None:
        found = _GROUP.match(self._text, self.place)
        if not found:
            what = self._text[start : start + 4]
            if re.match(r"\(\?<?[=!]", what):
                raise self.mistake("looking ahead or back is not taken", len(what), start)
            raise self.mistake(f"{quote(what)} begins no group that is taken", len(what), start)
        if name := found[1]:
            if name in self.names:
                raise self.mistake(f"two groups are called {quote(name)}", len(found.group()))
            self.names.add(name)
            self.groups += 1
        self.place = found.end()

    def _escape(self) -> int:
        letter = self._text[self.place + 1 : self.place + 2]
        if not letter:
            raise self.mistake('it ends in a "\\"', 1)
        if letter.isdigit():
            raise self.mistake("looking back at a group is not taken", 2)
        if letter not in _CLASS_ESCAPES | _PLACE_ESCAPES | _LETTER_ESCAPES | _PUNCTUATION:
            raise self.mistake(f"{quote(chr(92) + letter)} has no meaning", 2)
        self.place += 2
        return 4 if letter in _CLASS_ESCAPES else 1

    def _class(self) -> _Size:
        start = self.place
        self.place += 1
        if self._text.startswith("^", self.place):
            self.place += 1
        states = 1
        is_first = True
        while is_first or not self._text.startswith("]", self.place):
            if self.place >= len(self._text):
                raise self.mistake("this bracket is never closed", 1, start)
            self._member(start)
            states += 1
            is_first = False
        self.place += 1
        return _Size(1 + states // 4, 2)

    def _member(self, start: int) -> None:
        if posix := _POSIX.match(self._text, self.place):
            self.place = posix.end()
            return
        if self._text[self.place] == "[" or self._text.startswith(("&&", "--", "~~"), self.place):
            raise self.mistake('within [ ], this stands for itself behind a "\\"', 1)
        low = self._letter(start)
        if self._text.startswith("-", self.place) and not self._text.startswith("-]", self.place):
            at = self.place
            self.place += 1
            high = self._letter(start)
            if low is None or high is None or high < low:
                raise self.mistake("the range ends before it begins", 1, at)

    def _letter(self, start: int) -> str | None:
        """One letter of a class, None for an escape that stands for many."""
        if self.place >= len(self._text):
            raise self.mistake("this bracket is never closed", 1, start)
        letter = self._text[self.place]
        if letter != "\\":
            self.place += 1
            return letter
        escaped = self._text[self.place + 1 : self.place + 2]
        if escaped in _PLACE_ESCAPES:
            raise self.mistake("within [ ] there are letters, no places", 2)
        self._escape()
        if escaped in _CLASS_ESCAPES:
            return None
        return {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v"}.get(escaped, escaped)


def _within(parts: list[_Size], states: int) -> _Size:
    """All of them as one part, which is one deeper where there are several."""
    depth = max((part.depth for part in parts), default=0)
    return _Size(states + sum(part.states for part in parts), depth + (len(parts) > 1))
