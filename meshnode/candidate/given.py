"""Keys that somebody has in files, and the place of each: folders laid out as the keys are, exports, intentions. Judges no value."""

from __future__ import annotations

import os
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

import orjson

from ..errors import UsageError

PREFIX = "mesh/"
# What stands right below mesh/: a folder called so with one of these in it is laid out as the keys are.
BELOW = (
    "routes", "services", "settings", "upstreams", "drain", "tests", "middlewares", "tls", "confirm",
)  # fmt: skip
# For editors; no key ends so.
ENDINGS = (".yaml", ".yml", ".json")
# What lies beside keys in a repository.
NOTES = (".md", "~")
INTENTIONS = "service-intentions"
# A repository of 10,000 routes of a page each; more was named by mistake, such as a whole disk.
FILES_MAX = 100_000
FILE_MAX_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Given:
    """Values by key and the file each came from, intentions as written, and files that hold neither."""

    values: Mapping[str, bytes] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    intentions: tuple[Mapping[str, Any], ...] = ()
    unread: tuple[str, ...] = ()
    twice: tuple[tuple[str, str], ...] = ()
    """(key, file): said once more there."""
    beside: tuple[tuple[str, str], ...] = ()
    """(key, file): a key of an export that is not under `mesh/`."""


class _Gathering:
    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.files: dict[str, str] = {}
        self.intentions: list[Mapping[str, Any]] = []
        self.unread: list[str] = []
        self.twice: list[tuple[str, str]] = []
        self.beside: list[tuple[str, str]] = []

    def put(self, key: str, value: bytes, file: str) -> None:
        if key in self.values:
            self.twice.append((key, file))
        else:
            self.values[key], self.files[key] = value, file


def read_given(paths: Iterable[Path]) -> Given:
    """All keys in these files and folders. Raises UsageError for one that cannot be read, or holds no keys."""
    found = _Gathering()
    for path in paths:
        if path.is_dir():
            for file in _files(path):
                if not _take(found, file, key_of(file, path)):
                    found.unread.append(_readable(str(file)))
        elif not _take(found, path, key_of(path)):
            raise UsageError(
                f"{path} is no key: there is no folder mesh/ on the way to it (mesh/routes/NAME is the route NAME), "
                "and it is neither what `consul kv export` writes nor a service-intentions entry as JSON"
            )
    return Given(
        found.values,
        found.files,
        tuple(found.intentions),
        tuple(found.unread),
        tuple(found.twice),
        tuple(found.beside),
    )


def key_of(file: Path, folder: Path | None = None) -> str | None:
    """The key a file stands for: its path from the nearest `mesh/`, without `.yaml`, `.yml` or `.json`; None: none.

    `folder` is the one it was found in, which may itself be laid out as what is below `mesh/`.
    """
    parts = PurePath(os.path.abspath(file)).parts  # noqa: PTH100  (Path.absolute keeps "..")
    meant = [at for at in range(len(parts) - 1) if parts[at] == "mesh"]
    laid_out = [at for at in meant if _without_ending(parts[at + 1]) in BELOW]
    if meant:
        return "/".join(("mesh", *_named(parts[(laid_out or meant)[-1] + 1 :])))
    if folder is None:
        return None
    below = file.relative_to(folder).parts
    return PREFIX + "/".join(_named(below)) if _without_ending(below[0]) in BELOW else None


def _named(parts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(_readable, (*parts[:-1], _without_ending(parts[-1]))))


def _readable(name: str) -> str:
    """Bytes of a file's name that are no UTF-8 stand escaped: such a key is told as wrong, and can be told."""
    return name.encode("utf-8", "backslashreplace").decode()


def _without_ending(name: str) -> str:
    return next((name.removesuffix(one) for one in ENDINGS if name.endswith(one)), name)


def _files(folder: Path) -> Iterator[Path]:
    """The files below, sorted; nothing hidden, no notes, no pipes and no folders behind links."""
    count = 0
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.startswith(".") or name.endswith(NOTES):
                continue
            count += 1
            if count > FILES_MAX:
                raise UsageError(
                    f"{folder} has more than {FILES_MAX:,} files: name a folder of keys"
                )
            path = Path(place) / name
            if path.is_file():
                yield path


def _take(found: _Gathering, file: Path, key: str | None) -> bool:
    """False where nothing in the file is meant for the mesh."""
    raw = _read(file)
    document = _json(raw) if file.suffix == ".json" or key is None else None
    if entries := _exported(document):
        for name, value in entries:
            if name.startswith(PREFIX):
                found.put(name, value, _readable(str(file)))
            else:
                found.beside.append((name, _readable(str(file))))
        return True
    if entered := _entered(document):
        found.intentions += entered
        return True
    if key is None:
        return False
    found.put(key, raw, _readable(str(file)))
    return True


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            raw = opened.read(FILE_MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{file} can not be read: {error.strerror}") from error
    if len(raw) > FILE_MAX_BYTES:
        raise UsageError(f"{file} has more than {FILE_MAX_BYTES:,} bytes: it is no configuration")
    return raw


def _json(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except ValueError:
        return None


def _exported(document: Any) -> list[tuple[str, bytes]]:
    """Keys and values of what `consul kv export` writes; none of anything else."""
    if not isinstance(document, list):
        return []
    found = []
    for one in document:
        if not isinstance(one, dict) or not isinstance(one.get("key"), str) or "value" not in one:
            return []
        try:
            found.append((one["key"], b64decode(one["value"] or "", validate=True)))
        except (ValueError, TypeError):
            return []
    return found


def _entered(document: Any) -> list[Mapping[str, Any]]:
    """The service-intentions entries among config entries as JSON, one or a list of them."""
    entries = document if isinstance(document, list) else [document]
    return [one for one in entries if isinstance(one, dict) and one.get("Kind") == INTENTIONS]
