"""A settings file as text: every setting with its sentence, those that are set in force, the others as comments. Pure."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from .setting import Setting
from .settings import TABLE

WIDTH = 110
SAMPLE_HEAD = """Every setting of a node with its default: take the # from those you change, and `meshnode config check` finds every
mistake. In /etc/meshnode/meshnode.toml it is found by itself; `meshnode join` writes such a file too."""


def sample_document() -> str:
    """A file that says nothing but the defaults."""
    return settings_document({}, head=SAMPLE_HEAD)


def settings_document(values: Mapping[str, Any], *, head: str = "") -> str:
    """The file; `values` are the set ones by their dotted names, as a person would write them."""
    lines = [f"# {line}" for line in head.splitlines()]
    for section in dict.fromkeys(sorted((line.section for line in TABLE), key=bool)):
        lines += ["", f"[{section}]"] if section else []
        for line in TABLE:
            if line.section == section:
                lines += ["", *_lines(line, values)]
    return "\n".join(_without_double_blanks(lines)) + "\n"


def toml_value(line: Setting, value: Any) -> str:
    """The value in TOML, by the setting's kind."""
    if line.kind.toml == "list":
        words = value if isinstance(value, list) else str(value).split(",")
        return json.dumps([str(word).strip() for word in words if str(word).strip()])
    if line.kind.toml == "bare":
        return str(value).lower()
    return json.dumps(str(value), ensure_ascii=False)


def _lines(line: Setting, values: Mapping[str, Any]) -> Iterator[str]:
    for part in textwrap.wrap(line.sentence, WIDTH):
        yield f"# {part}"
    if line.kind.words:
        yield f"# One of: {', '.join(word for word in line.kind.words if word)}."
    key = line.name.rpartition(".")[2]
    if line.name in values:
        yield f"{key} = {toml_value(line, values[line.name])}"
    else:
        yield f"# {key} = {toml_value(line, line.default)}"


def _without_double_blanks(lines: list[str]) -> Iterator[str]:
    for before, line in zip(["", *lines], lines, strict=False):
        if line or before:
            yield line
