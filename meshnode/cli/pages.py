"""A page for each command, made from the same tree that --help is made from. Knows no command by name but the agent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer
import typer.main

from ..config import TABLE
from .examples import EXAMPLES

ENDS = """Ends with 0: done; 1: refused, or not well; 2: used wrongly; 3: not reached."""
SETTING_FLAGS = frozenset(line.flag for line in TABLE if line.flag is not None)


def command_pages(app: typer.Typer) -> dict[str, str]:
    """Page by file name; README.md lists them."""
    root: Any = typer.main.get_command(app)
    context = typer.Context(root, info_name="meshnode")
    commands = {name: root.get_command(context, name) for name in root.list_commands(context)}
    named = {name: command for name, command in commands.items() if not command.hidden}
    pages = {f"{name}.md": _page(name, command, context) for name, command in named.items()}
    return {**pages, "README.md": _index(named)}


def _index(commands: dict[str, Any]) -> str:
    rows = [f"| [{name}]({name}.md) | {_first_line(commands[name])} |" for name in sorted(commands)]
    return "\n".join(["# Commands", "", "| | |", "| --- | --- |", *rows, "", ENDS, ""])


def _page(name: str, command: Any, parent: Any) -> str:
    context = typer.Context(command, info_name=name, parent=parent)
    lines = [f"# meshnode {name}", "", *_text(command)]
    if hasattr(command, "list_commands"):
        if command.invoke_without_command:
            lines += _usage(name, command, parent)
        for below in command.list_commands(context):
            child = command.get_command(context, below)
            lines += [f"## meshnode {name} {below}", "", *_text(child)]
            lines += _usage(f"{name} {below}", child, context)
    else:
        lines += _usage(name, command, parent)
    lines += [*_examples(name), ENDS]
    return "\n".join(lines) + "\n"


def _text(command: Any) -> Iterator[str]:
    for text in (command.help, command.epilog):
        if text:
            yield from (" ".join(text.split()), "")


def _usage(path: str, command: Any, parent: Any) -> Iterator[str]:
    parameters = [one for one in command.get_params(typer.Context(command, parent=parent)) if not one.hidden]  # fmt: skip
    arguments = [one for one in parameters if one.param_type_name == "argument"]
    words = " ".join(_argument(one) for one in arguments)
    yield from ("```", f"meshnode {path} [OPTIONS] {words}".rstrip(), "```", "")
    options = [one for one in parameters if one.param_type_name == "option" and one.name != "help"]
    takes_all = {one.opts[0] for one in options} >= SETTING_FLAGS
    shown = [one for one in options if not (takes_all and SETTING_FLAGS.intersection(one.opts))]
    yield from ("| | |", "| --- | --- |")
    for one in (*arguments, *shown):
        yield f"| `{_name(one)}` | {_cell(one)} |"
    if takes_all:
        yield "| every setting as a flag | See [settings](../settings.md). |"
    yield ""


def _argument(one: Any) -> str:
    name = (one.metavar or one.name).upper()
    return name if one.required else f"[{name}]"


def _name(one: Any) -> str:
    if one.param_type_name == "argument":
        return str(one.metavar or one.name).upper()
    names = ", ".join((*one.opts, *one.secondary_opts))
    return names if one.is_flag else f"{names} {one.metavar or one.name.upper().replace('_', '-')}"


def _cell(one: Any) -> str:
    default = one.default
    has_default = one.param_type_name == "option" and one.show_default and not one.is_flag
    suffix = f" (default {default})" if has_default and default not in (None, "") else ""
    return f"{one.help or ''}{suffix}".replace("|", "\\|")


def _examples(name: str) -> Iterator[str]:
    examples = EXAMPLES.get(name, ())
    if not examples:
        return
    yield from ("## Examples", "", "```")
    for example in examples:
        yield f"# {example.says}"
        yield example.line
    yield from ("```", "")


def _first_line(command: Any) -> str:
    return " ".join((command.help or "").split())
