"""Wrong use of the command line as a sentence of our own that says what was meant. Prints nothing, and imports no typer.

Typer keeps a copy of click under a private name, so its errors are known here by what they carry.
"""

from __future__ import annotations

import difflib
import itertools
import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .examples import EXAMPLES

_NO_COMMAND = re.compile(r"No such command '(.*?)'", re.DOTALL)
_EXTRA = re.compile(r"Got unexpected extra argument\(s\) \((.*)\)", re.DOTALL)
_NO_VALUE = re.compile(r"Option '(.*?)' requires an argument")
# Pydantic's way of saying twice what was wrong.
_TWICE = re.compile(r", unable to parse.*", re.DOTALL)
_NO_INTEGER = "Input should be a valid integer"
PUT = "meshnode kv put"
FLAGS = ("--json", "--wait", "--no-wait")


def is_misuse(error: Exception) -> bool:
    """Whether this is typer's error for words that can't be meant."""
    return hasattr(error, "format_message")


def is_bare(error: Exception) -> bool:
    """A group of commands without one: its help was shown."""
    return type(error).__name__ == "NoArgsIsHelpError"


def sentence_of(error: Any, words: Sequence[str], written_to: str | None) -> str:
    """One sentence for a person. `words` are those of the command line, `written_to` the file standard output goes to."""
    context = getattr(error, "ctx", None)
    path = getattr(context, "command_path", None) or _path(words)
    message = str(error.format_message()).strip()
    if path == PUT and _EXTRA.search(message):
        return unquoted(words, written_to)
    said = _own_words(error, message, path, context)
    return f"{said} (`{path} --help` says what there is)"


def _path(words: Sequence[str]) -> str:
    """The command as it was typed, for the errors that do not say where they come from."""
    return " ".join(
        ["meshnode", *itertools.takewhile(lambda word: not word.startswith("-"), words)]
    )


def _own_words(error: Any, message: str, path: str, context: Any) -> str:
    if found := _NO_COMMAND.search(message):
        near = difflib.get_close_matches(found[1], context.command.list_commands(context), n=1)
        return f'"{path}" has no command "{found[1]}"{_meant(near)}'
    if (option := getattr(error, "option_name", None)) and hasattr(error, "possibilities"):
        near = difflib.get_close_matches(option, error.possibilities or (), n=1, cutoff=0)
        return f'"{path}" has no option {option}{_meant(near)}'
    if found := _EXTRA.search(message):
        return f'"{path}" takes no more words: "{found[1]}" is too many'
    if found := _NO_VALUE.search(message):
        return f"what {found[1]} is to be is missing"
    name = _name(getattr(error, "param", None))
    if type(error).__name__ == "MissingParameter":
        return f"{name} is missing{_as_in(path)}"
    if name and _NO_INTEGER in message:
        return f"{name} is a whole number{_as_in(path) if name[0] != '-' else ''}"
    own = _TWICE.sub("", str(getattr(error, "message", message))).removeprefix("Value error, ")
    return f"{name}: {own[:1].lower()}{own[1:].rstrip('.')}" if name else own


def _meant(near: Sequence[str]) -> str:
    return f'; did you mean "{near[0]}"?' if near else ""


def _name(parameter: Any) -> str:
    """As help shows it: `--nodes`, `TRACE-ID`."""
    if parameter is None:
        return ""
    if parameter.param_type_name == "option":
        return str(parameter.opts[0])
    return str(parameter.metavar or parameter.name).strip("[]").upper().replace("_", "-")


def _as_in(path: str) -> str:
    """The first of this command's examples that is a line of its own."""
    command = path.split()[1:2]
    examples = EXAMPLES.get(command[0], ()) if command else ()
    example = next((one.line for one in examples if one.line.startswith(f"{path} ")), "")
    return f", as in: {example}" if example else ""


def unquoted(words: Sequence[str], written_to: str | None, command: str = PUT) -> str:
    """What to say to `kv put KEY shop.test/ -> cart`, of which the shell makes words, and a file called `cart`."""
    plain = _plain(words[words.index(command.rpartition(" ")[2]) + 1 :])
    key, value = (plain or ["mesh/routes/shop"])[0], plain[1:]
    if written_to is None or not any(word.endswith("-") for word in value):
        meant = f"{command} {key} '{' '.join(value)}'"
        return f"the shell takes a value for many words unless it stands in single quotes: {meant}"
    at = next(number for number, word in enumerate(value) if word.endswith("-"))
    before = [*value[:at], value[at][:-1]]
    route = " ".join([*filter(None, before), "->", Path(written_to).name, *value[at + 1 :]])
    return (
        f'without quotes the shell takes "->" for a redirection: this went to the file {written_to}, '
        f"which you may remove, and nothing to Consul. Meant was perhaps: {command} {key} '{route}'"
    )


def _plain(words: Sequence[str]) -> list[str]:
    """Those that are no option and no option's value."""
    plain, is_value = [], False
    for word in words:
        if not word.startswith("--") and not is_value:
            plain.append(word)
        is_value = word.startswith("--") and "=" not in word and word not in FLAGS
    return plain


def file_of(handle: int) -> str | None:
    """The regular file this handle writes to; None for a terminal, a pipe or /dev/null."""
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        return os.readlink(f"/proc/self/fd/{handle}")  # noqa: PTH115  (Path.readlink is slower to load)
    except OSError:
        return None
