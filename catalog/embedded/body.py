"""JSON bodies as Consul reads them: names in any case, null is nothing, and Go's words for what is wrong. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from .durations import parse_duration

_GO_KINDS = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "bool",
    int: "number",
    float: "number",
}


# Go's whole numbers, with sign and without.
LEAST_INT, MOST_INT, MOST_UINT = -(2**63), 2**63 - 1, 2**64 - 1
_MOST_DIGITS = len(str(LEAST_INT))
# An escape in a text; its group is half of a surrogate pair, which is no character.
_HALF_A_PAIR = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"invalid character '{name[0]}' looking for beginning of value")


def _whole(text: str) -> int | float:
    """One beyond 64 bits is a fraction, as in Go: whoever wants a whole number refuses it."""
    if len(text) <= _MOST_DIGITS and LEAST_INT <= int(text) <= MOST_UINT:
        return int(text)
    return _fraction(text)


def _fraction(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"json: cannot unmarshal number {text:.50} into Go value of type float64")
    return value


_DECODER = json.JSONDecoder(
    parse_constant=_refuse_constant, parse_int=_whole, parse_float=_fraction
)


def parse_json(body: bytes) -> Any:
    """The first value of a body; what follows it is not looked at. Raises ValueError with Go's words."""
    text = body.decode(errors="replace").lstrip(" \t\r\n")
    if not text:
        raise ValueError("EOF")
    if "\\u" in text:
        text = _HALF_A_PAIR.sub(lambda found: "\\ufffd" if found[1] else found[0], text)
    try:
        return _DECODER.raw_decode(text)[0]
    except json.JSONDecodeError as error:
        if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated"):
            raise ValueError("unexpected EOF") from None
        character = text[error.pos]
        raise ValueError(
            f"invalid character '{character}' looking for beginning of value"
        ) from None
    except RecursionError:
        raise ValueError("exceeded max depth") from None


class Fields:
    """An object of a body. Each reading gives its default for a name that is not there or null.

    All raise ValueError with Go's words for a value of another kind.
    """

    def __init__(self, found: Any, what: str = "value", owner: str = "") -> None:
        """`what` and `owner` name the object in errors, as Go does: its type, and what its fields hang on."""
        if not isinstance(found, dict):
            raise ValueError(  # noqa: TRY004  (as the other mistakes in a body)
                f"json: cannot unmarshal {go_kind(found)} into Go value of type {what}"
            )
        self._owner = owner
        self.original: Mapping[str, Any] = found
        self._found = {name.casefold(): value for name, value in found.items()}

    def __contains__(self, name: str) -> bool:
        return self._found.get(name.casefold()) is not None

    def raw(self, name: str) -> Any:
        return self._found.get(name.casefold())

    def text(self, name: str, default: str = "") -> str:
        value = self._of(name, str, "string")
        return default if value is None else str(value)

    def number(self, name: str, default: int = 0) -> int:
        return self._number(name, default, "int", LEAST_INT, MOST_INT)

    def unsigned(self, name: str) -> int:
        return self._number(name, 0, "uint64", 0, MOST_UINT)

    def _number(self, name: str, default: int, go_type: str, least: int, most: int) -> int:
        value = self.raw(name)
        if value is None:
            return default
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self._refuse(name, value, go_type)
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        value = self._of(name, bool, "bool")
        return default if value is None else bool(value)

    def texts(self, name: str) -> list[str] | None:
        """None where there is no list."""
        values = self._of(name, list, "[]string")
        if values is None:
            return None
        for value in values:
            if value is not None and not isinstance(value, str):
                self._refuse(name, value, "string")
        return [value or "" for value in values]

    def mapping(self, name: str) -> dict[str, Any] | None:
        value = self._of(name, dict, "map[string]string")
        return None if value is None else dict(value)

    def object(self, name: str) -> Fields | None:
        value = self.raw(name)
        return None if value is None else Fields(value, name)

    def objects(self, name: str) -> list[Fields] | None:
        values = self._of(name, list, f"[]{name}")
        return None if values is None else [Fields(value, name) for value in values]

    def duration_ns(self, name: str) -> int | None:
        """A text such as `10s`, or a number of nanoseconds. ValueError for what is neither."""
        value = self.raw(name)
        if value is None or isinstance(value, bool):
            return None
        if isinstance(value, str):
            return parse_duration(value)
        return self.number(name)

    def _of(self, name: str, kind: type, go_type: str) -> Any:
        value = self.raw(name)
        if value is not None and not isinstance(value, kind):
            self._refuse(name, value, go_type)
        return value

    def _refuse(self, name: str, value: Any, go_type: str) -> NoReturn:
        raise ValueError(
            f"json: cannot unmarshal {go_kind(value)} into Go struct field {self._owner}.{name} of type {go_type}"
        )


def go_kind(value: Any) -> str:
    """What Go calls a JSON value."""
    return "null" if value is None else _GO_KINDS[type(value)]


def quoted(text: str) -> str:
    """As Go's %q prints a text."""
    return json.dumps(text, ensure_ascii=False)
