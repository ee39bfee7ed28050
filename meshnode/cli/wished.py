"""What `meshnode plan` is asked about, from words as `kv put` has them, or files and folders of keys. Writes nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from catalog import KvEntry, Policies, decide_policies

from ..candidate.expected import askings, request_of
from ..candidate.given import read_given
from ..candidate.promise import Wish
from ..errors import UsageError
from .kv import check_key, read_value
from .misuse import unquoted

PREFIX = "mesh/"
COMMAND = "meshnode plan"
EXAMPLE = f"{COMMAND} mesh/routes/shop 'shop.example/ -> shop'"
ASKED = "mesh/tests/request"


def wish_of(
    words: Sequence[str],
    file: Path | None,
    deleted: Iterable[str],
    written_to: str | None = None,
) -> Wish:
    """The keys. Words are a key and its value, or files; raises UsageError for what can be neither.

    A word is a file where there is one of that name, but for a value: it stands behind a key and has no file's name.
    `written_to` is the file standard output goes to.
    """
    values: dict[str, bytes | None] = dict.fromkeys(deleted)
    if words and _is_key(words, file):
        is_cut = written_to is not None and words[-1].endswith("-") and words[-1] != "-"
        if len(words) > 2 or is_cut:
            raise UsageError(unquoted(["plan", *words], written_to, COMMAND))
        values[words[0]] = _value(words[1] if len(words) > 1 else None, file)
    elif words:
        values |= _of_files([Path(word) for word in words])
    if not values:
        raise UsageError(f"which keys? {EXAMPLE}; or a folder of keys, or --delete KEY")
    for key in values:
        if not key.isprintable():
            raise UsageError(f"{key!r} is no key that a person could read back")
        check_key(key)
        if not key.startswith(PREFIX):
            raise UsageError(
                f"{key}: no node reads it, so nothing would follow: keys lie under {PREFIX}"
            )
    return Wish(values)


def asked_of(lines: Sequence[str]) -> list[Mapping[str, Any]]:
    """Requests written as those of route tests: `GET shop.example/cart header.x-beta=1`. Raises UsageError."""
    asked: list[Mapping[str, Any]] = []
    for line in lines:
        text = f"{line} -> 200".encode(errors="surrogateescape")
        found = decide_policies((KvEntry(ASKED, text, 1),), Policies())
        if found.problems or len(tests := askings(found.tests)) != 1:
            why = found.problems[0].message if found.problems else "one line is one request"
            raise UsageError(f"--request '{line}': {why}; as in --request 'GET shop.example/cart'")
        asked.append(request_of(tests[0].expectation))
    return asked


def _is_key(words: Sequence[str], file: Path | None) -> bool:
    if file is not None:
        return True
    is_file = Path(words[0]).exists()
    if len(words) == 1:
        return words[0].startswith(PREFIX) and not is_file
    is_named = words[0].startswith(PREFIX) or not is_file
    return is_named and not all(Path(word).exists() for word in words[1:])


def _value(word: str | None, file: Path | None) -> bytes:
    """As `consul kv put` has it too: `@file` is a file's content, `-` what comes on standard input."""
    if word == "-":
        return read_value(None, None)
    if word is not None and file is None and word.startswith("@") and len(word) > 1:
        return read_value(None, Path(word[1:]))
    return read_value(word, file)


def _of_files(paths: Sequence[Path]) -> Mapping[str, bytes]:
    missing = next((path for path in paths if not path.exists()), None)
    if missing is not None:
        raise UsageError(f"there is no file or folder {missing}, and it is no key: {EXAMPLE}")
    given = read_given(paths)
    if given.twice:
        key, file = given.twice[0]
        raise UsageError(f"{file}: {key} stands in {given.files[key]}, too: a key has one value")
    if given.intentions:
        sys.stderr.write("meshnode: intentions are no keys, and left out\n")
    if not given.values:
        raise UsageError(
            f"there is no key in {', '.join(map(str, paths))}: a key stands as mesh/routes/NAME"
        )
    return given.values
