"""In which line of a TOML file a key stands; tomllib tells values but no places. Decides nothing about the values."""

from __future__ import annotations

import re

_TABLE = re.compile(r"\s*\[\s*([A-Za-z0-9_.\-\s\"']+?)\s*\]\s*(#.*)?")
_KEY = re.compile(r"\s*([A-Za-z0-9_.\-\s\"']+?)\s*=")


def find_line(text: str, name: str) -> int | None:
    """The line (from 1) of the dotted key, or of the table of that name; None where it can't be told."""
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if match := _TABLE.fullmatch(line):
            table = _plain(match[1])
            if table == name:
                return number
        elif match := _KEY.match(line):
            key = _plain(match[1])
            dotted = f"{table}.{key}" if table else key
            # `consul = { address = … }` holds consul.address in its own line.
            if dotted == name or name.startswith(dotted + "."):
                return number
    return None


def _plain(dotted: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in dotted.split("."))
