"""`meshnode config`: which settings hold and where they come from, all that is wrong with them, and files to begin with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import typer

from ..config import TABLE, Examined, Given, Mistake, Setting, examine_settings
from ..config.document import sample_document
from ..config.door import door
from ..config.machine import examine_machine
from ..config.unit import unit
from ..errors import EXIT_REFUSED
from .options import Json, with_all_settings
from .output import count, say, say_json, say_table

app = typer.Typer(
    help="Look at this node's settings, and print files to begin with.", no_args_is_help=True
)
HIDDEN = "(hidden)"


@app.callback()
def _group() -> None:
    """Look at this node's settings, and print files to begin with."""


@app.command()
@with_all_settings
def show(given: Given, *, as_json: Json = False) -> None:
    """Print each setting, its value, and where it comes from: flag, variable, line of the file, or default."""
    examined = examine_settings(given)
    if as_json:
        say_json([_setting_document(line, examined) for line in TABLE])
    else:
        rows = [
            (line.name, shown(line, examined), str(examined.place(line.name))) for line in TABLE
        ]
        say_table(("setting", "value", "from"), rows)
        for mistake in examined.mistakes:
            say(str(mistake))
    if examined.mistakes:
        raise typer.Exit(EXIT_REFUSED)


@app.command()
@with_all_settings
def check(given: Given, *, as_json: Json = False) -> None:
    """Find every mistake in the settings, and whether this machine lets a node start with them."""
    examined = examine_settings(given)
    mistakes = examined.mistakes or examine_machine(examined)
    is_well = all(one.is_warning for one in mistakes)
    if as_json:
        say_json({"is_well": is_well, "mistakes": [one.to_json() for one in mistakes]})
    else:
        for mistake in mistakes:
            say(str(mistake))
        say(_summary(given, examined) if is_well else _count(mistakes))
    if not is_well:
        raise typer.Exit(EXIT_REFUSED)


@app.command()
def sample() -> None:
    """Print a settings file with every setting, its sentence and its default."""
    typer.echo(sample_document(), nl=False)


@app.command("unit")
def print_unit() -> None:
    """Print a hardened unit of systemd, for the program where it lies here."""
    beside = Path(sys.executable).parent / "meshnode"
    typer.echo(unit(beside) if beside.exists() else unit(), nl=False)


def shown(line: Setting, examined: Examined) -> str:
    """The value as a person would write it; a secret is only told to be there."""
    value = examined.sources[line.name].value
    if line.is_secret:
        return HIDDEN if value else ""
    if examined.settings is not None and line.field in ("state_folder", "run_folder"):
        return str(getattr(examined.settings, line.field))
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _setting_document(line: Setting, examined: Examined) -> dict[str, Any]:
    place = examined.place(line.name)
    return {
        "setting": line.name,
        "value": shown(line, examined),
        "origin": place.origin,
        "where": str(place),
    }


def _count(mistakes: tuple[Mistake, ...]) -> str:
    return count(sum(1 for one in mistakes if not one.is_warning), "mistake")


def _summary(given: Given, examined: Examined) -> str:
    file = given.settings_file
    what = str(file) if file.exists() else "no settings file, so defaults, variables and flags"
    lines = [f"well: {what}"]
    if examined.settings is not None:
        lines.append(door(examined.settings))
    return "\n".join(lines)
