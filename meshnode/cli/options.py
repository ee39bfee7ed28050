"""Flags, made from the settings table: those every command has, and all of them for the agent."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from ..config import TABLE, Given, Setting, Settings, read_settings

Json = Annotated[bool, typer.Option("--json", help="Print a document for programs.")]
Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="The settings file.", show_default=False),
]
Consul = Annotated[
    str | None,
    typer.Option(
        "--consul",
        "--consul-address",
        metavar="HOST:PORT",
        help="Where Consul's API is.",
        show_default=False,
    ),
]
TokenFile = Annotated[
    str | None,
    typer.Option(
        "--consul-token-file",
        metavar="FILE",
        help="A file with Consul's token.",
        show_default=False,
    ),
]
StateFolder = Annotated[
    str | None,
    typer.Option(
        "--state-folder", metavar="FOLDER", help="The agent's state folder.", show_default=False
    ),
]
RunFolder = Annotated[
    str | None,
    typer.Option(
        "--run-folder", metavar="FOLDER", help="The agent's run folder.", show_default=False
    ),
]
PANELS = {"": "The node", "consul": "Consul", "proxy": "The proxy", "certificates": "Certificates"}


Admin = Annotated[
    str | None,
    typer.Option("--admin", "--admin-address", help="The node's admin API.", show_default=False),
]
"""Of a command that asks a node itself."""


def given_by(config: Path | None, flags: Mapping[str, object]) -> Given:
    """Where the settings of this command come from: flags (by the setting's field) over environment over file."""
    return Given(flags, os.environ, config, is_root=os.geteuid() == 0)


@dataclass(frozen=True, slots=True)
class Asked:
    """What every command that asks Consul is given beside its own words."""

    settings: Settings
    as_json: bool
    given: Given

    def with_flags(self, flags: Mapping[str, object]) -> Settings:
        """The settings with some more flags, by field."""
        return read_settings(replace(self.given, flags={**self.given.flags, **flags}))

    def with_folders(self, state_folder: str | None, run_folder: str | None) -> Settings:
        """The settings for a command about the node on this machine."""
        named = {"state_folder": state_folder, "run_folder": run_folder}
        return self.with_flags({name: word for name, word in named.items() if word})


def with_consul(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command whose first parameter is an Asked the flags that make one."""

    def wrapped(  # the names are those of _COMMON
        *words: object,
        config: Path | None,
        consul: str | None,
        token_file: str | None,
        as_json: bool,
        **named: object,
    ) -> None:
        flags = {"consul_address": consul, "consul_token_file": token_file}
        given = given_by(config, flags)
        command(Asked(read_settings(given), as_json, given), *words, **named)

    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    return _shown_as(wrapped, command, [_keyword(one) for one in own] + _COMMON)


def with_all_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command whose first parameter is a Given one flag for each line of the table."""
    fields = {line.field for line in TABLE}

    def wrapped(config: Path | None, **named: object) -> None:
        flags = {name: value for name, value in named.items() if name in fields}
        words = {name: value for name, value in named.items() if name not in fields}
        command(given_by(config, flags), **words)

    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    flags = [_flag(line) for line in TABLE if line.flag is not None]
    return _shown_as(wrapped, command, [*map(_keyword, own), _COMMON[0], *flags])


def _shown_as(
    wrapped: Callable[..., None], command: Callable[..., None], parameters: list[inspect.Parameter]
) -> Callable[..., None]:
    """Typer reads signature, annotations, name and docstring; nothing else of a function."""
    wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {one.name: one.annotation for one in parameters}
    wrapped.__doc__, wrapped.__name__ = command.__doc__, command.__name__
    return wrapped


def _keyword(parameter: inspect.Parameter) -> inspect.Parameter:
    return parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)


def _flag(line: Setting) -> inspect.Parameter:
    names = [name for name in (line.flag, line.short_flag) if name is not None]
    assert line.flag is not None
    panel = PANELS.get(line.section, "The node")
    variables = ", ".join(line.variables)
    if line.kind.form == "true|false":
        help_text = f"{line.sentence} (default {line.default}; {variables})"
        names[0] = f"{line.flag}/--no-{line.flag.removeprefix('--')}"
        option = typer.Option(*names, help=help_text, rich_help_panel=panel, show_default=False)
        return _parameter(line.field, Annotated[bool | None, option], None)
    default = f"default {line.default}; " if line.default else ""
    help_text = f"{line.sentence} ({default}{variables})"
    option = typer.Option(
        *names,
        help=help_text,
        metavar=line.kind.form.upper(),
        rich_help_panel=panel,
        show_default=False,
        autocompletion=_starting(line.kind.words) if line.kind.words else None,
    )
    return _parameter(line.field, Annotated[str | None, option], None)


def _starting(words: tuple[str, ...]) -> Callable[[str], list[str]]:
    """Those of the words that begin as what is typed so far, for the shell's completion."""

    def complete(incomplete: str) -> list[str]:
        return [word for word in words if word.startswith(incomplete)]

    return complete


def _parameter(name: str, annotation: Any, default: object) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


_COMMON = [
    _parameter("config", Config, None),
    _parameter("consul", Consul, None),
    _parameter("token_file", TokenFile, None),
    _parameter("as_json", Json, default=False),
]
