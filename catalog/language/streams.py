"""Routes of raw connections, by the port they come in by: `tcp :5432 when client=10.0.0.0/8 -> postgres`.

What a line and a document say of them; whatever needs a request to look at is refused with a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..text import Mistake, Token, quote
from .actions import kind_of
from .conditions import Conditions
from .rule import Action, Rule, Split
from .settings import read_settings

TCP = "tcp"
PORT_MAX = 65_535
SETTINGS = frozenset({"priority", "timeout_idle"})
"""What a line and a document may say beside port, clients and services."""
FIELDS = frozenset({TCP, "when", "service", "split", *SETTINGS})
_EXAMPLE = "tcp :5432 -> postgres"


def port(token: Token) -> int:
    """The port of a word like `:5432`; a document may leave the colon out."""
    found = re.fullmatch(r":?([0-9]{1,5})", token.text)
    if found and 0 < int(found[1]) <= PORT_MAX:
        return int(found[1])
    sentence = f"a port is a number from 1 to {PORT_MAX}, as in {_EXAMPLE}, not {quote(token.text)}"
    raise Mistake(sentence, token)


def rule(
    at_port: int,
    conditions: Conditions | None,
    action: Action,
    at: Token,
    settings: Mapping[str, tuple[Token, Token]],
) -> Rule:
    """The rule of a route of raw connections; `at` is where it leads."""
    if not isinstance(action, Split):
        sentence = f"a raw connection goes to a service: {kind_of(action)} needs a request"
        raise Mistake(sentence, at)
    for name, (place, _) in settings.items():
        if name not in SETTINGS:
            raise no_request(name, place)
    taken: dict[str, Any] = {}
    if conditions:
        for condition, place in conditions.found.items():
            raise no_request(f"{condition.place}.{condition.name}", place)
        for source, place in conditions.sources.items():
            sentence = (
                f"who comes in by a port is a stranger: from={source} never holds; "
                "who may call from inside is for intentions"
            )
            raise Mistake(sentence, place)
        taken["client_addresses"] = tuple(conditions.client_addresses)
    fields = read_settings(settings, "/", "prefix", action)
    return Rule((), "/", action, port=at_port, **taken, **fields)


def no_request(name: str, at: Token) -> Mistake:
    """For what is said of requests."""
    return Mistake(f"{quote(name)} is about requests, and a raw connection has none to look at", at)
