"""Reads settings: flags over environment over file over defaults. Each mistake is one SettingsError that says where.

Opens the settings file and nothing else; the environment and the user are arguments.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import SettingsError
from .setting import ENVIRONMENT_PREFIX, Setting
from .settings import TABLE, Settings
from .toml_lines import find_line

DEFAULT_FILE = Path("/etc/meshnode/meshnode.toml")
FILE_VARIABLE = ENVIRONMENT_PREFIX + "CONFIG"
# Read by the tests' tools, not by the node.
FOREIGN_VARIABLES = frozenset({FILE_VARIABLE, ENVIRONMENT_PREFIX + "TOOLS"})
# A settings file is a few lines; anything longer is another file given by mistake.
FILE_LIMIT_BYTES = 1_000_000
SIMILARITY = 0.6


@dataclass(frozen=True, slots=True)
class Given:
    """Everything settings may come from. `flags` by the setting's field; None there means "not given"."""

    flags: Mapping[str, object]
    environment: Mapping[str, str]
    file: Path | None = None
    is_root: bool = False


@dataclass(frozen=True, slots=True)
class _Source:
    where: str
    value: Any


def read_settings(given: Given) -> Settings:
    """The settings of a node. Raises SettingsError for the first that is wrong, with what it should be."""
    file = _file_values(given)
    _refuse_unknown_variables(given.environment)
    values = {line.field: _value(line, given, file) for line in TABLE}
    values["state_folder"] = values["state_folder"] or default_state_folder(given)
    values["run_folder"] = values["run_folder"] or values["state_folder"] / "run"
    return Settings(**values)


def default_state_folder(given: Given) -> Path:
    """Where a node without that setting keeps its state: root's is the machine's."""
    if given.is_root:
        return Path("/var/lib/meshnode")
    base = given.environment.get("XDG_STATE_HOME")
    home = Path(given.environment.get("HOME", "/")) / ".local" / "state"
    return (Path(base) if base else home).absolute() / "meshnode"


def _value(line: Setting, given: Given, file: Mapping[str, _Source]) -> Any:
    source = _source(line, given, file)
    try:
        return line.parse(source.value)
    except ValueError as error:
        shown = "" if line.is_secret else f', not "{source.value}"'
        raise SettingsError(source.where, f"{line.name}: {error}{shown}") from None


def _source(line: Setting, given: Given, file: Mapping[str, _Source]) -> _Source:
    flag = given.flags.get(line.field)
    if flag is not None:
        return _Source(line.flag or line.name, flag)
    for variable in line.variables:
        if given.environment.get(variable):
            return _Source(variable, given.environment[variable])
    return file.get(line.name, _Source("default", line.default))


def _file_values(given: Given) -> dict[str, _Source]:
    named = given.file or _path_from(given.environment)
    path = named or DEFAULT_FILE
    try:
        with path.open("rb") as opened:
            raw = opened.read(FILE_LIMIT_BYTES + 1)
    except FileNotFoundError:
        if named is None:
            return {}
        raise SettingsError(str(path), "there is no such settings file") from None
    except OSError as error:
        raise SettingsError(str(path), f"can not be read ({error.strerror})") from error
    if len(raw) > FILE_LIMIT_BYTES:
        raise SettingsError(str(path), "is too long for a settings file")
    return _parse(path, raw)


def _parse(path: Path, raw: bytes) -> dict[str, _Source]:
    try:
        text = raw.decode()
        document = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(str(path), f"this is not TOML: {error}") from None
    known = {line.name for line in TABLE}
    values: dict[str, _Source] = {}
    for name, value in _flat(document):
        line = find_line(text, name)
        where = f"{path}:{line}" if line else str(path)
        if name not in known:
            raise SettingsError(where, unknown(name, known))
        values[name] = _Source(where, value)
    return values


def _flat(document: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in document.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield before + key, value


def unknown(name: str, known: set[str]) -> str:
    """What to say about a name that no setting has."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=SIMILARITY)
    hint = f'; did you mean "{near[0]}"?' if near else "; `meshnode agent --help` lists them"
    return f'no setting is called "{name}"{hint}'


def _refuse_unknown_variables(environment: Mapping[str, str]) -> None:
    known = {variable for line in TABLE for variable in line.variables} | FOREIGN_VARIABLES
    for variable in sorted(environment):
        if variable.startswith(ENVIRONMENT_PREFIX) and variable not in known:
            raise SettingsError(variable, unknown(variable, known))


def _path_from(environment: Mapping[str, str]) -> Path | None:
    named = environment.get(FILE_VARIABLE)
    return Path(named) if named else None
