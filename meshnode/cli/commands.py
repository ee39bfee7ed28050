"""The table of all commands: name, file and what help says. Each is loaded when it is used, so that quick ones are quick.

A new command is a line here and a file with `add_to` (one command) or `app` (a group of them).
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

HELP = ["--help", "-h"]


@dataclass(frozen=True, slots=True)
class Line:
    """`sentence` is the command's own, known without loading it."""

    name: str
    sentence: str

    def load(self) -> Any:
        """The command as typer makes it."""
        module = import_module(f".{self.name}", __package__)
        holder = typer.Typer(rich_markup_mode="rich", pretty_exceptions_enable=False)
        if hasattr(module, "add_to"):
            module.add_to(holder)
        else:
            holder.add_typer(module.app, name=self.name)
        return plain_flags(get_group(holder).commands[self.name])


def plain_flags(command: Any) -> Any:
    """The command, whose help says no `<bool>` behind what takes no value; nobody shall type `--json true`."""
    named = typer.Context(command, help_option_names=HELP)
    for one in command.get_params(named):
        if getattr(one, "is_flag", False):
            one.metavar = ""
    for below in getattr(command, "commands", {}).values():
        plain_flags(below)
    return command


COMMANDS = (
    Line("agent", "Run this machine's node until it is told to end."),
    Line(
        "join",
        "Make this machine a node of a mesh that stands: check all it needs, and write its settings file.",
    ),
    Line(
        "leave",
        "Take this machine out of the mesh for good: end the node, deregister it, remove what it kept.",
    ),
    Line("stop", "End the agent and the proxy of this machine; what runs may finish first."),
    Line("status", "Say what the nodes think of a key, or how they all are."),
    Line("routes", "List routes with what the nodes say of them."),
    Line("services", "List services, their health, and how they are reached and call."),
    Line("trace", "Show one request as a tree."),
    Line(
        "explain",
        "Say what would become of a request, and why: routes, changes, instances, the intention that decides.",
    ),
    Line(
        "plan",
        "Say what keys would do before they are written: routes, requests, mistakes, broken tests. Changes nothing.",
    ),
    Line(
        "check",
        "Check files of keys as a node would, without a mesh: every mistake with its place; ends with 1 where there is one.",
    ),
    Line("kv", "Read and write keys in Consul."),
    Line("tls", "Certificates of the edge, in Consul."),
    Line(
        "drain",
        "Take an instance out softly: no new request goes there; wait until it is safe to stop.",
    ),
    Line("confirm", "Say that keys which went all at once are meant to be gone."),
    Line(
        "wait",
        "Wait until every node that is alive serves a key as it stands, or reached an index.",
    ),
    Line("history", "List what was changed, when, which node saw it first, and what followed."),
    Line("diff", "Show what was changed at an index, or between two."),
    Line("undo", "Take back one change, unless somebody changed the key since."),
    Line("rollback", "Bring all keys back to how they were, in one transaction."),
    Line("intentions", "Say which service may call which (Consul's intentions)."),
    Line("acl", "Consul's ACLs."),
    Line("config", "Look at this node's settings, and print files to begin with."),
    Line("schema", "Print the JSON Schema of a kind of document, or say which kinds there are."),
    Line("dev", "Run a whole mesh on this machine, with a small shop to try it on."),
    Line(
        "registry",
        "Run the embedded registry: the part of Consul one machine needs, kept in one file.",
    ),
    Line(
        "completion",
        "Print the script that makes a shell complete meshnode's commands, flags, settings and keys.",
    ),
    Line("version", "Print the version."),
)
"""In the order of help."""


class Commands(TyperGroup):
    """The group of all of them."""

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        self.commands = _Loaded({line.name: line for line in COMMANDS})

    def list_commands(self, _: Any) -> list[str]:
        return list(self.commands)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The overview says each command's sentence, and needs no more of it."""
        shown: dict[str, Any] = {
            line.name: TyperCommand(line.name, help=line.sentence) for line in COMMANDS
        }
        overview = TyperGroup(
            name=self.name,
            help=self.help,
            epilog=self.epilog,
            params=self.params,
            commands=shown,
            rich_markup_mode=self.rich_markup_mode,
        )
        plain_flags(overview).format_help(ctx, formatter)


class _Loaded(dict[str, Any]):
    """Commands by name; a line of the table becomes its command when it is taken."""

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        if isinstance(value, Line):
            value = self[name] = value.load()
        return value

    def get(self, name: str, default: Any = None) -> Any:
        try:
            return self[name]
        except KeyError:
            return default

    def values(self) -> Any:
        return [self[name] for name in self]

    def items(self) -> Any:
        return [(name, self[name]) for name in self]
