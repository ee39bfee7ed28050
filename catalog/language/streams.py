"""Routes of raw connections: by the port they come in by, as in `tcp :5432 when client=10.0.0.0/8 -> postgres`, or by the
server name their TLS begins with, as in `sni db.example -> postgres passthrough`.

What a line and a document say of them; whatever needs a request to look at is refused with a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .. import values
from ..text import Mistake, Token, quote
from .actions import kind_of
from .conditions import Conditions
from .rule import Action, Rule, Split
from .settings import read_settings

TCP = "tcp"
SNI = "sni"
PASSTHROUGH = "passthrough"
PORT_MAX = 65_535
SETTINGS = frozenset({"priority", "timeout_idle"})
"""What a line and a document may say beside port or names, clients and services."""
FIELDS = {
    TCP: frozenset({TCP, "when", "service", "split", *SETTINGS}),
    SNI: frozenset({SNI, PASSTHROUGH, "when", "service", "split", *SETTINGS}),
}
"""What a document says, by what its connections are taken by."""
_EXAMPLE = "tcp :5432 -> postgres"
SNI_EXAMPLE = "sni db.example -> postgres passthrough"


def port(token: Token) -> int:
    """The port of a word like `:5432`; a document may leave the colon out."""
    found = re.fullmatch(r":?([0-9]{1,5})", token.text)
    if found and 0 < int(found[1]) <= PORT_MAX:
        return int(found[1])
    sentence = f"a port is a number from 1 to {PORT_MAX}, as in {_EXAMPLE}, not {quote(token.text)}"
    raise Mistake(sentence, token)


def names(tokens: list[Token]) -> tuple[str, ...]:
    """The server names of a route: hosts, or all below one."""
    for token in tokens:
        if token.text == "*":
            sentence = '"*" would take the edge\'s own hosts as well: name those that are passed on'
            raise Mistake(sentence, token)
        if ":" in token.text or re.fullmatch(r"[0-9.]+", token.text):
            sentence = (
                f"a server name is a host alone, as in {SNI_EXAMPLE}, not {quote(token.text)}"
            )
            raise Mistake(sentence, token)
    return values.hosts(tokens)


def check_passed(flag: Token | None, at: Token) -> None:
    """Refuses a route of server names that does not say that its TLS is the service's own."""
    if flag is None:
        sentence = (
            f"TLS by server name is passed on as it is, and a route says so: {SNI_EXAMPLE}; "
            "where TLS ends at the edge, a route begins with its host alone"
        )
        raise Mistake(sentence, at)


def refuse_flag(at: Token) -> Mistake:
    """For `passthrough` where TLS ends at the edge."""
    sentence = (
        f'"{PASSTHROUGH}" is for TLS that is passed on by its server name, as in {SNI_EXAMPLE}'
    )
    return Mistake(sentence, at)


def rule(
    taken_by: int | tuple[str, ...],
    conditions: Conditions | None,
    action: Action,
    at: Token,
    settings: Mapping[str, tuple[Token, Token]],
) -> Rule:
    """The rule of a route of raw connections, by a port or by server names; `at` is where it leads."""
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
                f"who comes in by the edge is a stranger: from={source} never holds; "
                "who may call from inside is for intentions"
            )
            raise Mistake(sentence, place)
        taken["client_addresses"] = tuple(conditions.client_addresses)
    fields = read_settings(settings, "/", "prefix", action)
    if isinstance(taken_by, int):
        return Rule((), "/", action, port=taken_by, **taken, **fields)
    return Rule((), "/", action, sni=taken_by, **taken, **fields)


def no_request(name: str, at: Token) -> Mistake:
    """For what is said of requests."""
    return Mistake(f"{quote(name)} is about requests, and a raw connection has none to look at", at)
