"""Where a setting's value came from, and what is wrong there. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Origin = Literal["flag", "environment", "file", "default"]


@dataclass(frozen=True, slots=True)
class Place:
    """`name` is the flag, the variable, the file, or "default"; line and column (from 1) only in a file, where known."""

    origin: Origin
    name: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        numbers = (self.line, self.column)
        return ":".join([self.name, *(str(number) for number in numbers if number)])


DEFAULT = Place("default", "default")


@dataclass(frozen=True, slots=True)
class Source:
    """A value as a person wrote it, with its place."""

    place: Place
    value: Any


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing to set right: where, and a sentence that says what and how. A warning hinders no start."""

    place: Place
    sentence: str
    is_warning: bool = False

    def __str__(self) -> str:
        return f"{self.place}: {'warning: ' if self.is_warning else ''}{self.sentence}"

    def to_json(self) -> dict[str, Any]:
        return {
            "where": str(self.place),
            "line": self.place.line,
            "column": self.place.column,
            "sentence": self.sentence,
            "is_warning": self.is_warning,
        }
