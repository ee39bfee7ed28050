"""The settings file: its values with their places, and what is wrong with it. Opens that one file; parses no value."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .places import Mistake, Place, Source
from .toml_places import find_key

# A settings file is a few lines; anything longer is another file given by mistake.
FILE_LIMIT_BYTES = 1_000_000
SIMILARITY = 0.6
# tomllib's own words, at the end of its sentence.
_AT = re.compile(r" \(at line (\d+), column (\d+)\)$")


@dataclass(frozen=True, slots=True)
class FileValues:
    """What the file says, by the settings' names."""

    values: Mapping[str, Source] = field(default_factory=dict)
    mistakes: tuple[Mistake, ...] = ()


def read_file(path: Path, known: Collection[str], *, may_lack: bool) -> FileValues:
    """The file's values; `known` are the names there are. One that `may_lack` and is not there says nothing."""
    whole = Place("file", str(path))
    try:
        with path.open("rb") as opened:
            raw = opened.read(FILE_LIMIT_BYTES + 1)
    except FileNotFoundError:
        if may_lack:
            return FileValues()
        return _wrong(whole, "there is no such settings file")
    except OSError as error:
        return _wrong(whole, f"can not be read ({error.strerror})")
    if len(raw) > FILE_LIMIT_BYTES:
        return _wrong(whole, "is too long for a settings file")
    try:
        text = raw.decode()
        document = tomllib.loads(text)
    except UnicodeDecodeError as error:
        return _wrong(whole, f"this is not TOML: {error}")
    except tomllib.TOMLDecodeError as error:
        return _wrong(*_not_toml(path, str(error)))
    return _values(path, text, document, known)


def unknown(name: str, known: Collection[str]) -> str:
    """What to say about a name that no setting has."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=SIMILARITY)
    hint = f'; did you mean "{near[0]}"?' if near else "; `meshnode agent --help` lists them"
    return f'no setting is called "{name}"{hint}'


def _values(
    path: Path, text: str, document: Mapping[str, Any], known: Collection[str]
) -> FileValues:
    values: dict[str, Source] = {}
    mistakes: list[Mistake] = []
    for name, value in _flat(document):
        at = find_key(text, name)
        if name in known:
            place = _place(path, None if at is None else (at.line, at.value_column))
            values[name] = Source(place, value)
        else:
            place = _place(path, None if at is None else (at.line, at.column))
            mistakes.append(Mistake(place, unknown(name, known)))
    return FileValues(values, tuple(mistakes))


def _place(path: Path, at: tuple[int, int] | None) -> Place:
    line, column = at or (None, None)
    return Place("file", str(path), line, column)


def _flat(document: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in document.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield before + key, value


def _not_toml(path: Path, words: str) -> tuple[Place, str]:
    match = _AT.search(words)
    at = (int(match[1]), int(match[2])) if match else None
    sentence = words[: match.start()] if match else words
    return _place(path, at), f"this is not TOML: {sentence}"


def _wrong(place: Place, sentence: str) -> FileValues:
    return FileValues(mistakes=(Mistake(place, sentence),))
