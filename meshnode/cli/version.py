"""`meshnode version`: the version. Asks nobody."""

from __future__ import annotations

import typer

from .. import VERSION
from .options import Json
from .output import say, say_json


def add_to(app: typer.Typer) -> None:
    app.command()(version)


def version(*, as_json: Json = False) -> None:
    """Print the version."""
    if as_json:
        say_json({"version": VERSION})
    else:
        say(f"meshnode {VERSION}")
