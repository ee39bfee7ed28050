"""Reads settings: flags over environment over file over defaults; each value with its place, each mistake with its own.

Opens the settings file and nothing else; the environment and the user are arguments.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import SettingsError
from .file import read_file, unknown
from .places import DEFAULT, Mistake, Place, Source
from .setting import ENVIRONMENT_PREFIX, Setting
from .settings import TABLE, Settings

DEFAULT_FILE = Path("/etc/meshnode/meshnode.toml")
FILE_VARIABLE = ENVIRONMENT_PREFIX + "CONFIG"
# Read by the tests' tools, not by the node.
FOREIGN_VARIABLES = frozenset({FILE_VARIABLE, ENVIRONMENT_PREFIX + "TOOLS"})


@dataclass(frozen=True, slots=True)
class Given:
    """Everything settings may come from. `flags` by the setting's field; None there means "not given".

    `may_lack_file`: a file that was named and is not there is about to be written.
    """

    flags: Mapping[str, object]
    environment: Mapping[str, str]
    file: Path | None = None
    is_root: bool = False
    may_lack_file: bool = False

    @property
    def named_file(self) -> Path | None:
        """The file a flag or a variable names."""
        named = self.environment.get(FILE_VARIABLE)
        return self.file or (Path(named) if named else None)

    @property
    def settings_file(self) -> Path:
        """The file that is read, if it is there."""
        return self.named_file or DEFAULT_FILE


@dataclass(frozen=True, slots=True)
class Examined:
    """All that was given: `sources` has every setting by its name. `settings` is None where there are `mistakes`."""

    sources: Mapping[str, Source]
    mistakes: tuple[Mistake, ...]
    settings: Settings | None

    def place(self, name: str) -> Place:
        """Where the value of a setting comes from."""
        return self.sources[name].place


def examine_settings(given: Given) -> Examined:
    """Reads all of them, and finds every mistake in one go."""
    named = given.named_file
    known = {line.name for line in TABLE}
    file = read_file(named or DEFAULT_FILE, known, may_lack=named is None or given.may_lack_file)
    mistakes = [*file.mistakes, *_unknown_variables(given.environment)]
    sources = {line.name: _source(line, given, file.values) for line in TABLE}
    values: dict[str, Any] = {}
    for line in TABLE:
        try:
            values[line.field] = line.parse(sources[line.name].value)
        except ValueError as error:
            mistakes.append(_mistake(line, sources[line.name], error))
    if mistakes:
        return Examined(sources, tuple(mistakes), None)
    values["state_folder"] = values["state_folder"] or default_state_folder(given)
    values["run_folder"] = values["run_folder"] or values["state_folder"] / "run"
    return Examined(sources, (), Settings(**values))


def read_settings(given: Given) -> Settings:
    """The settings of a node. Raises SettingsError for the first that is wrong, with what it should be."""
    examined = examine_settings(given)
    if examined.settings is not None:
        return examined.settings
    first, *others = examined.mistakes
    more = "" if not others else f" (and {len(others)} more: `meshnode config check` names them)"
    raise SettingsError(str(first.place), first.sentence + more)


def default_state_folder(given: Given) -> Path:
    """Where a node without that setting keeps its state: root's is the machine's."""
    if given.is_root:
        return Path("/var/lib/meshnode")
    base = given.environment.get("XDG_STATE_HOME")
    home = Path(given.environment.get("HOME", "/")) / ".local" / "state"
    return (Path(base) if base else home).absolute() / "meshnode"


def _mistake(line: Setting, source: Source, error: ValueError) -> Mistake:
    shown = "" if line.is_secret else f', not "{source.value}"'
    return Mistake(source.place, f"{line.name}: {error}{shown}")


def _source(line: Setting, given: Given, file: Mapping[str, Source]) -> Source:
    flag = given.flags.get(line.field)
    if flag is not None:
        return Source(Place("flag", line.flag or line.name), flag)
    for variable in line.variables:
        if given.environment.get(variable):
            return Source(Place("environment", variable), given.environment[variable])
    return file.get(line.name, Source(DEFAULT, line.default))


def _unknown_variables(environment: Mapping[str, str]) -> Iterator[Mistake]:
    known = {variable for line in TABLE for variable in line.variables} | FOREIGN_VARIABLES
    for variable in sorted(environment):
        if variable.startswith(ENVIRONMENT_PREFIX) and variable not in known:
            yield Mistake(Place("environment", variable), unknown(variable, known))
