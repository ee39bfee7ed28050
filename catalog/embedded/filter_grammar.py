"""The grammar of Consul's filter expressions: text to tree. Pure; knows no field and evaluates nothing.

Source: Consul API, "Filtering". `Status != passing and ("a" in ServiceTags or not Name matches "^db")`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

Operator = Literal["Equal", "Not Equal", "In", "Not In", "Is Empty", "Is Not Empty", "Matches"]
"""In Consul's own words, which stand in its errors. `Not Matches` is a Not around Matches."""

MOST_NESTED = 100
"""Parentheses and `not` in one another: deeper is nobody's filter, and each costs stack."""


class FilterError(ValueError):
    """The expression cannot be used; the text is for whoever wrote it."""


@dataclass(frozen=True, slots=True)
class Match:
    """One comparison. `value` is None where the operator takes none."""

    selector: tuple[str, ...]
    operator: Operator
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Not:
    operand: Expression


@dataclass(frozen=True, slots=True)
class Both:
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Either:
    left: Expression
    right: Expression


Expression = Match | Not | Both | Either

_SPACE = re.compile(r"[ \t\r\n]*")
_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*")
_DOTTED_NAME = re.compile(r"\.([a-zA-Z][a-zA-Z0-9_]*)")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?=[ \t\r\n)]|$)")
_STRING = re.compile(r'`([^`]*)`|"([^"]*)"')
_INDEX_OPEN, _INDEX_CLOSE = re.compile(r"\[[ \t\r\n]*"), re.compile(r"[ \t\r\n]*\]")
_GAP = re.compile(r"[ \t\r\n]+")
_OPEN, _CLOSE = re.compile(r"\([ \t\r\n]*"), re.compile(r"[ \t\r\n]*\)")
_ESCAPE = re.compile(r"\\(?:([abfnrtv\\])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(.?))", re.DOTALL)
_ESCAPED = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
}


_SIGNS: tuple[tuple[re.Pattern[str], Operator], ...] = (
    (re.compile(r"[ \t\r\n]*==[ \t\r\n]*"), "Equal"),
    (re.compile(r"[ \t\r\n]*!=[ \t\r\n]*"), "Not Equal"),
)
_WITH_VALUE: tuple[tuple[str, Operator, bool], ...] = (
    ("contains", "In", False),
    ("not contains", "Not In", False),
    ("matches", "Matches", False),
    ("not matches", "Matches", True),
)
_ALONE: tuple[tuple[str, Operator], ...] = (
    ("is empty", "Is Empty"),
    ("is not empty", "Is Not Empty"),
)
_VALUE_FIRST: tuple[tuple[str, Operator], ...] = (("in", "In"), ("not in", "Not In"))


def parse(text: str) -> Expression:
    """The tree of an expression; FilterError with line, column and offset where it stops making sense."""
    return _Parser(text).whole()


class _Parser:
    """Goes back where a reading fails, as Consul's grammar does: each step gives a part, or None where it began."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._farthest = 0
        self._depth = 0

    def whole(self) -> Expression:
        self._take(_SPACE)
        found = self._either()
        self._take(_SPACE)
        if found is None or self._at < len(self._text):
            raise self._error()
        return found

    def _either(self) -> Expression | None:
        left = self._both()
        start = self._at
        if left is not None and self._take_words("or"):
            right = self._either()
            if right is not None:
                return Either(left, right)
            self._at = start
        return left

    def _both(self) -> Expression | None:
        left = self._negation()
        start = self._at
        if left is not None and self._take_words("and"):
            right = self._both()
            if right is not None:
                return Both(left, right)
            self._at = start
        return left

    def _negation(self) -> Expression | None:
        start = self._at
        if self._take(_word("not")) and self._take(_GAP):
            operand = self._deeper(self._negation)
            if operand is not None:
                return Not(operand)
        self._at = start
        return self._group()

    def _group(self) -> Expression | None:
        start = self._at
        if not self._take(_OPEN):
            return self._match()
        found = self._deeper(self._either)
        if found is not None and self._take(_CLOSE):
            return found
        self._at = start
        return None

    def _deeper(self, part: Callable[[], Expression | None]) -> Expression | None:
        self._depth += 1
        if self._depth > MOST_NESTED:
            raise FilterError(f"more than {MOST_NESTED} levels of parentheses and not")
        found = part()
        self._depth -= 1
        return found

    def _match(self) -> Expression | None:
        start = self._at
        selector = self._selector()
        if selector is not None:
            after = self._at
            for sign, operator in _SIGNS:
                if self._take(sign) and (value := self._value()) is not None:
                    return Match(selector, operator, value)
                self._at = after
            for words, operator, is_negated in _WITH_VALUE:
                if self._take_words(words) and (value := self._value()) is not None:
                    found = Match(selector, operator, value)
                    return Not(found) if is_negated else found
                self._at = after
            for words, operator in _ALONE:
                if self._take_words(words, is_last=True):
                    return Match(selector, operator)
        self._at = start
        value = self._value()
        after = self._at
        for words, operator in _VALUE_FIRST if value is not None else ():
            if self._take_words(words) and (selector := self._selector()) is not None:
                return Match(selector, operator, value)
            self._at = after
        self._at = start
        return None

    def _selector(self) -> tuple[str, ...] | None:
        """`Meta.zone`, `Meta["zone a"]`."""
        first = self._take(_NAME)
        if not first:
            return None
        names = [first[0]]
        while True:
            start = self._at
            if further := self._take(_DOTTED_NAME):
                names.append(further[1])
            elif (
                self._take(_INDEX_OPEN)
                and (index := self._string()) is not None
                and self._take(_INDEX_CLOSE)
            ):
                names.append(index)
            else:
                self._at = start
                return tuple(names)

    def _value(self) -> str | None:
        if (bare := self._selector()) is not None:
            return ".".join(bare)
        if number := self._take(_NUMBER):
            return number[0]
        return self._string()

    def _string(self) -> str | None:
        found = self._take(_STRING)
        if not found:
            return None
        return found[1] if found[1] is not None else _ESCAPE.sub(_unescaped, found[2])

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._text, self._at)
        if found:
            self._at = found.end()
            self._farthest = max(self._farthest, self._at)
        return found

    def _take_words(self, words: str, *, is_last: bool = False) -> bool:
        """An operator of words: each has space before it, and after it unless nothing need follow."""
        start = self._at
        if all(self._take(_GAP) and self._take(_word(word)) for word in words.split()) and (
            is_last or self._take(_GAP)
        ):
            return True
        self._at = start
        return False

    def _error(self) -> FilterError:
        before, rest = self._text[: self._farthest], self._text[self._farthest :]
        is_open = rest.startswith(('"', "`")) and rest.count(rest[0]) == 1
        if is_open:
            before = self._text
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        if is_open:
            what = 'rule "string": Unterminated string literal'
        elif before.count("(") > before.count(")") and not rest:
            what = 'rule "grouping": Unmatched parentheses'
        else:
            what = 'no match found, expected a comparison like Status != "passing" here'
        return FilterError(f"{line}:{column} ({len(before.encode())}): {what}")


def _unescaped(found: re.Match[str]) -> str:
    simple, two, four, other = found.groups()
    if other is not None:
        raise FilterError("invalid syntax")
    return _ESCAPED[simple] if simple else chr(int(two or four, 16))


@cache
def _word(text: str) -> re.Pattern[str]:
    return re.compile(text)
