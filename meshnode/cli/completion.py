"""`meshnode completion`: the script by which a shell completes commands, flags, values and keys. Installs nothing."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from typer.completion import get_completion_script  # type: ignore[attr-defined]

COMMAND = "meshnode"
# As a file of $fpath, zsh runs the script at the first tab: that one is to be answered too.
AT_ONCE = 'if [ "$funcstack[1]" = "_meshnode" ]; then _meshnode_completion "$@"; fi'


class Shell(StrEnum):
    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def add_to(app: typer.Typer) -> None:
    app.command()(completion)


def completion(shell: Annotated[Shell, typer.Argument(help="bash, zsh or fish.")]) -> None:
    """Print the script that makes a shell complete meshnode's commands, flags, settings and keys."""
    from .app import COMPLETION_VARIABLE

    script = get_completion_script(
        prog_name=COMMAND, complete_var=COMPLETION_VARIABLE, shell=shell.value
    )
    typer.echo(f"{script}\n{AT_ONCE}" if shell is Shell.ZSH else script)
