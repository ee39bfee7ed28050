"""A route test, `mesh/tests/<name>`: lines that say where requests have to go. Asks nobody; the proxy decides.

`GET shop.example/cart -> cart`, `as web POST cart.mesh/admin -> 403`, `shop.example/old -> redirect 301 https://new.example/`.
A line without a host means the one of the line before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .. import values
from ..language.methods import method
from ..language.targets import target
from ..language.words import unquoted, words
from ..suggestions import nearest
from ..text import Mistake, Token, quote

EXPECTATIONS_MAX = 200
"""Of one key. Each is asked of the proxy at each change; ten thousand in a key of 16 KiB would be one text by mistake."""
EXAMPLE = "GET shop.example/cart -> cart"

_STATUS = re.compile(r"[1-5][0-9]{2}")
_FIELD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_ADDRESS = re.compile(r"[0-9A-Fa-f.:]{2,45}")


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
        raise Mistake(f'the arrow "->" is missing: {EXAMPLE}', tokens[-1])
    left, right = _asked(tokens[:arrow]), tokens[arrow + 1 :]
    if left.request is None:
        raise Mistake(f"the request is missing: {EXAMPLE}", tokens[arrow])
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


class _Asked:
    """The words before the arrow, as they are read."""

    def __init__(self) -> None:
        self.method: Token | None = None
        self.request: Token | None = None
        self.caller: str | None = None
        self.client_address: str | None = None
        self.headers: list[tuple[str, str]] = []


def _asked(tokens: list[Token]) -> _Asked:
    found, rest = _Asked(), list(tokens)
    if rest and rest[0].text == "as":
        if len(rest) == 1:
            raise Mistake('behind "as" the calling service is missing', rest[0])
        found.caller = values.service(rest[1])
        rest = rest[2:]
    if (
        rest
        and "/" not in rest[0].text
        and len(rest) > 1
        and not rest[0].text.startswith("header.")
    ):
        found.method = rest.pop(0)
    if rest:
        found.request = rest.pop(0)
    for token in rest:
        _more(token, found)
    return found


def _more(token: Token, found: _Asked) -> None:
    """`header.x-beta=1` and `client=10.0.0.9`."""
    name, equals, _ = token.text.partition("=")
    value = unquoted(token.part(len(name) + 1)).text if equals else ""
    if name == "client" and equals:
        if not _ADDRESS.fullmatch(value):
            raise Mistake(f"{quote(value)} is no IP address", token.part(len(name) + 1))
        found.client_address = value
        return
    field = name.removeprefix("header.")
    if field == name or not equals:
        near = nearest(name, ("client", "header."))
        raise Mistake(
            f"{quote(token.text)} has no place here: a header stands as header.x-beta=1, a client as client=10.0.0.9",
            token,
            near,
        )
    if not _FIELD.fullmatch(field):
        raise Mistake(f"{quote(field)} is no header's name", token.part(len("header.")))
    found.headers.append((field.lower(), value))


def _place(request: Token, last_host: str) -> tuple[str, str]:
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
        if len(right) != 3 or not _STATUS.fullmatch(right[1].text):
            raise Mistake(
                "a redirect is expected with status and URL: redirect 301 https://new.example/",
                right[-1],
            )
        return None, int(right[1].text), right[2].text
    if len(right) > 1:
        raise Mistake(
            f"{quote(right[1].text)} has no place here: behind the arrow stands a service, or a status",
            right[1],
        )
    if _STATUS.fullmatch(first.text):
        return None, int(first.text), None
    return target(first), None, None
