"""A route test, `mesh/tests/<name>`: lines that say where requests have to go. Asks nobody; the proxy decides.

`GET shop.example/cart -> cart`, `as web POST cart.mesh/admin -> 403`, `shop.example/old -> redirect 301 https://new.example/`.
A line without a host means the one of the line before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_address

from .. import values
from ..language.actions import location, redirect_status
from ..language.methods import KNOWN_METHODS, method
from ..language.targets import target
from ..language.words import unquoted, words
from ..suggestions import nearest
from ..text import Mistake, Token, quote

EXPECTATIONS_MAX = 200
"""Of one key. Each is asked of the proxy at each change; ten thousand in a key of 16 KiB would be one text by mistake."""
EDGE = "edge"
"""As a caller: whoever comes from outside."""
EXAMPLE = "GET shop.example/cart -> cart"

_NUMBER = re.compile(r"[0-9]+")
_FIELD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_SCHEME = re.compile(r"[Hh][Tt][Tt][Pp][Ss]?://")


@dataclass(frozen=True, slots=True)
class Expectation:
    """One line: the request, and what has to become of it. Exactly one of `target`, `status` and `location` decides.

    `target` is a service or a subset of one, `status` that of an answer the mesh makes itself, `location` that of a
    redirect with that status. `line` counts from 1 and `source` is the line itself, for people. `path` has the query.
    """

    line: int
    source: str
    host: str
    path: str
    method: str = "GET"
    caller: str | None = None
    client_address: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    target: str | None = None
    status: int | None = None
    location: str | None = None


@dataclass(frozen=True, slots=True)
class RouteTest:
    """What one key expects."""

    expectations: tuple[Expectation, ...]


def read_test(said: list[tuple[int, str]]) -> RouteTest:
    """The test of the lines that say something, with their numbers. Raises Mistake."""
    found: list[Expectation] = []
    host = ""
    for number, line in said:
        if len(found) == EXPECTATIONS_MAX:
            raise Mistake(
                f"a test has at most {EXPECTATIONS_MAX} lines; put more under another name",
                Token("", number, 1, 1),
            )
        found.append(_expectation(number, line, host))
        host = found[-1].host
    return RouteTest(tuple(found))


def _expectation(number: int, line: str, last_host: str) -> Expectation:
    tokens = words(line, number)
    arrow = next((at for at, token in enumerate(tokens) if token.text == "->"), None)
    if arrow is None:
        wrong = next((token for token in tokens if token.text in ("=>", "→", "-->", ">")), None)
        if wrong is not None:
            raise Mistake(f"{quote(wrong.text)} is no arrow", wrong, "->")
        raise Mistake(f'the arrow "->" is missing: {EXAMPLE}', tokens[-1])
    left, right = _asked(tokens[:arrow]), tokens[arrow + 1 :]
    if left.request is None:
        raise Mistake(f"the request is missing: {EXAMPLE}", tokens[arrow])
    if left.method is None and left.request.text in KNOWN_METHODS:
        sentence = f"behind {left.request.text} the request is missing: {EXAMPLE}"
        raise Mistake(sentence, left.request)
    host, path = _place(left.request, last_host)
    if not right:
        raise Mistake(f"what is expected is missing behind the arrow: {EXAMPLE}", tokens[arrow])
    wanted, status, location = _wanted(right)
    return Expectation(
        line=number,
        source=line.strip(),
        host=host,
        path=path,
        method=method(left.method) if left.method else "GET",
        caller=left.caller,
        client_address=left.client_address,
        headers=tuple(left.headers),
        target=wanted,
        status=status,
        location=location,
    )


@dataclass(slots=True)
class _Asked:
    """The words before the arrow, as they are read."""

    method: Token | None = None
    request: Token | None = None
    caller: str | None = None
    client_address: str | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)


def _asked(tokens: list[Token]) -> _Asked:
    found, rest = _Asked(), list(tokens)
    if rest and rest[0].text == "as":
        if len(rest) == 1:
            raise Mistake('behind "as" the calling service is missing', rest[0])
        found.caller = _caller(rest[1])
        rest = rest[2:]
    if len(rest) > 1 and "/" not in rest[0].text and not _is_more(rest[1]):
        found.method = rest.pop(0)
    if rest and not _is_more(rest[0]):
        found.request = rest.pop(0)
    for token in rest:
        _more(token, found)
    return found


def _caller(token: Token) -> str | None:
    """The service that calls; None for whoever asks at an edge, as where no caller stands."""
    if token.text == EDGE:
        return None
    if token.text in values.RESERVED_SERVICES:
        sentence = f"{quote(token.text)} calls nobody: a service does, as in as web, or as edge for who asks from outside"
        raise Mistake(sentence, token)
    return values.service(token)


def _is_more(token: Token) -> bool:
    return token.text.startswith(("header.", "client="))


def _more(token: Token, found: _Asked) -> None:
    """`header.x-beta=1` and `client=10.0.0.9`."""
    name, equals, _ = token.text.partition("=")
    value = unquoted(token.part(len(name) + 1)) if equals else token
    if name == "client" and equals:
        if found.client_address is not None:
            raise Mistake("the client's address stands here twice", token)
        found.client_address = _address(value)
        return
    header = name.removeprefix("header.")
    if header == name or not equals:
        sentence = "a header stands as header.x-beta=1, a client as client=10.0.0.9"
        if token.text == ",":
            sentence = "a value with a comma in it stands in double quotes"
        near = nearest(name, ("client",)) if equals else None
        raise Mistake(f"{quote(token.text)} has no place here: {sentence}", token, near)
    at = token.part(len("header."), len(header))
    if not _FIELD.fullmatch(header):
        raise Mistake(f"{quote(header)} is no header's name", at)
    if header.lower() == "host":
        raise Mistake("the host stands in the request itself, before the path", at)
    found.headers.append((header.lower(), value.text))


def _address(token: Token) -> str:
    try:
        return str(ip_address(token.text))
    except ValueError:
        raise Mistake(f"{quote(token.text)} is no IP address", token) from None


def _place(request: Token, last_host: str) -> tuple[str, str]:
    if scheme := _SCHEME.match(request.text):
        rest = request.text[scheme.end() :]
        raise Mistake("a request stands without a scheme", request, rest)
    host, slash, rest = request.text.partition("/")
    path = slash + rest or "/"
    if not host:
        if not last_host:
            raise Mistake(f"the host is missing: {EXAMPLE}", request)
        return last_host, path
    found = values.host(request.part(0, len(host)))
    if found.startswith("*"):
        raise Mistake("a request asks for one host: write a name", request.part(0, len(host)))
    return found, path


def _wanted(right: list[Token]) -> tuple[str | None, int | None, str | None]:
    """Target, status and location."""
    first = right[0]
    if first.text == "redirect":
        if len(right) != 3:
            sentence = (
                "a redirect is expected with status and URL: redirect 301 https://new.example/"
            )
            raise Mistake(sentence, right[-1])
        return None, redirect_status(right[1]), location(right[2])
    if len(right) > 1:
        sentence = f"{quote(right[1].text)} has no place here: behind the arrow stands a service, or a status"
        if first.text == "answer":
            raise Mistake("an answer is expected by its status alone", first, right[1].text)
        if near := nearest(first.text, ("redirect",)):
            raise Mistake(f"{quote(first.text)} is nothing to expect", first, near)
        raise Mistake(sentence, right[1])
    if _NUMBER.fullmatch(first.text):
        return None, values.number(first, "a status", 200, 599), None
    return target(first), None, None
