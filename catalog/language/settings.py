"""What stands behind a route's target: what is rewritten, how long it may take, how often it is tried, its priority.

A line and a document hand over the same names with their values; only documents have the longer forms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .. import values
from ..text import Mistake, Token, quote
from . import paths
from .actions import kind_of
from .rule import Action, Https, PathKind, Retries, Split

PRIORITY_MAX = 10
"""Either way: each priority in use is a table of its own that requests go through."""
ATTEMPTS_MAX = 10
"""Beside the first try: more would only add to what is failing."""
HOST_WITH_PORT_MAX = 65_535

TIMES = {
    "timeout": "timeout_ms",
    "timeout_head": "head_timeout_ms",
    "timeout_idle": "idle_timeout_ms",
}
"""A setting's name, and the rule's: the whole request, the answer's head, time without a byte."""

ANYWHERE = frozenset({"https", "priority"})
"""Settings of routes that the mesh answers itself: nothing is sent on, so nothing is rewritten or waited for."""


def read_settings(
    settings: Mapping[str, tuple[Token, Token]], path: str, kind: PathKind, action: Action
) -> dict[str, Any]:
    """The fields of a rule; `settings` are (where the name stands, value) by the line's names."""
    if not settings:
        return {}
    if not isinstance(action, Split):
        check_answers_itself(action, {name: at for name, (at, _) in settings.items()})
    fields: dict[str, Any] = {}
    for name, (at, value) in settings.items():
        if name == "replace":
            if beside := next((one for one in ("strip", "add") if one in settings), None):
                sentence = f'"replace" is strip and add in one and cannot stand beside "{beside}"'
                raise Mistake(sentence, at)
            fields["strip_prefix"], fields["add_prefix"] = paths.replace(value, path, kind)
        elif name == "strip":
            fields["strip_prefix"] = paths.strip(value, path, kind)
        else:
            field, read = _SIMPLE[name]
            fields[field] = read(value)
    _check_times(fields, settings)
    return fields


def check_answers_itself(action: Action, names: Mapping[str, Token]) -> None:
    """Refuses what has no meaning where nothing is sent on."""
    for name, at in names.items():
        if name not in ANYWHERE:
            sentence = f"{kind_of(action)} is answered by the mesh itself, so {quote(name)} has no meaning here"
            raise Mistake(sentence, at)


def attempts(token: Token) -> int:
    """How often a request is tried again."""
    return values.number(token, "the number of retries", 0, ATTEMPTS_MAX)


def host_with_port(token: Token) -> str:
    """A host that is sent on, perhaps with a port."""
    text = token.text
    name, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        name, port = text, ""
    elif not port.isdigit() or not 0 < int(port[:6]) <= HOST_WITH_PORT_MAX:
        raise Mistake(f"{quote(port)} is no port", token.part(len(name) + 1))
    host = values.host(token.part(0, len(name)))
    if host.startswith("*"):
        raise Mistake("the host that is sent on is one name", token)
    return f"{host}:{int(port)}" if port else host


def _check_times(fields: dict[str, Any], settings: Mapping[str, tuple[Token, Token]]) -> None:
    whole = fields.get("timeout_ms")
    for name in ("timeout_head", "timeout_idle"):
        if whole is not None and name in settings and fields[TIMES[name]] >= whole:
            sentence = f'"{name}" is no shorter than "timeout", which ends the whole request before'
            raise Mistake(sentence, settings[name][1])


def _retries(token: Token) -> Retries:
    return Retries(attempts(token))


def https(token: Token) -> Https:
    """How the clients of a route are brought to TLS."""
    return Https(*values.https(token))


def _priority(token: Token) -> int:
    return values.number(token, "a priority", -PRIORITY_MAX, PRIORITY_MAX)


_SIMPLE: dict[str, tuple[str, Callable[[Token], Any]]] = {
    **{name: (field, values.milliseconds) for name, field in TIMES.items()},
    "add": ("add_prefix", paths.add),
    "host": ("rewrite_host", host_with_port),
    "https": ("https", https),
    "priority": ("priority", _priority),
    "retries": ("retries", _retries),
}
"""Settings that look at nothing but their value: the rule's field, and what reads it."""
