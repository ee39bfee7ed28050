"""Where in a TOML file a key stands; tomllib tells values but no places. Decides nothing about the values."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TABLE = re.compile(r"\s*\[\s*([A-Za-z0-9_.\-\s\"']+?)\s*\]\s*(#.*)?")
_KEY = re.compile(r"\s*([A-Za-z0-9_.\-\s\"']+?)\s*=\s*")


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """Line and columns count from 1; `value_column` is where the value begins."""

    line: int
    column: int
    value_column: int


def find_key(text: str, name: str) -> KeyPlace | None:
    """The place of the dotted key, or of the table of that name; None where it can't be told."""
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if match := _TABLE.fullmatch(line):
            table = _plain(match[1])
            if table == name:
                return KeyPlace(number, match.start(1) + 1, match.start(1) + 1)
        elif match := _KEY.match(line):
            key = _plain(match[1])
            dotted = f"{table}.{key}" if table else key
            if dotted == name:
                return KeyPlace(number, match.start(1) + 1, match.end() + 1)
            if name.startswith(dotted + "."):
                return _inside(number, line, match, name)
    return None


def _inside(number: int, line: str, match: re.Match[str], name: str) -> KeyPlace:
    """`consul = { address = … }` holds consul.address in its own line."""
    last = re.escape(name.rpartition(".")[2])
    inner = re.compile(rf"\b{last}[\"']?\s*=\s*").search(line, match.end())
    if inner is None:
        return KeyPlace(number, match.start(1) + 1, match.end() + 1)
    return KeyPlace(number, inner.start() + 1, inner.end() + 1)


def _plain(dotted: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in dotted.split("."))
