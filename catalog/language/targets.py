"""Where requests go: services, subsets of them by what their instances say (`cart[tag=v2]`), and splits of both."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .. import values
from ..text import Mistake, Token, quote
from .rule import Split
from .words import quoted, unquoted

SPLIT_MAX_PARTS = 32
"""More services behind one route are a table, not a line."""
SELECTORS_MAX = 8
"""More are a registration to be tidied up."""
SELECTOR_MAX_CHARACTERS = 128
"""A target is a name in the proxy's table, of at most 512 bytes."""
TARGET_MAX_BYTES = 512

_SELECTOR = re.compile(r'(tag|meta\.([^="\[\],]+))=("(?:[^"]|"")*"|[^",\[\]]*)')
_PLAIN_VALUE = re.compile(r'[^\s",\[\]]+')


@dataclass(frozen=True, slots=True, order=True)
class Selector:
    """One thing an instance says of itself: a tag (`name` is empty), or an entry of its meta."""

    name: str
    value: str

    def __str__(self) -> str:
        plain = _PLAIN_VALUE.fullmatch(self.value) is not None
        value = self.value if plain else quoted(self.value)
        return f"meta.{self.name}={value}" if self.name else f"tag={value}"


def target(token: Token) -> str:
    """A service's name, perhaps with its subset behind it, selectors sorted."""
    text = token.text
    bracket = text.find("[")
    if bracket < 0:
        return values.service(token)
    name = values.service(token.part(0, bracket))
    if not text.endswith("]"):
        raise Mistake('a subset ends in "]", as in cart[tag=v2]', token)
    found: list[Selector] = []
    inner = token.part(bracket + 1, len(text) - bracket - 2)
    for part in _divided(inner):
        made = _selector(part)
        if made in found:
            raise Mistake(f"{quote(part.text)} stands here twice", part)
        if made.name and any(one.name == made.name for one in found):
            raise Mistake(f"no instance has two values of {quote('meta.' + made.name)}", part)
        found.append(made)
    if len(found) > SELECTORS_MAX:
        raise Mistake(f"a subset has at most {SELECTORS_MAX} of them", inner)
    canonical = f"{name}[{','.join(map(str, sorted(found)))}]"
    if len(canonical.encode()) > TARGET_MAX_BYTES:
        raise Mistake(f"a subset has at most {TARGET_MAX_BYTES} bytes", token)
    return canonical


def service_of(name: str) -> str:
    """The service of a target."""
    return name.partition("[")[0]


def selectors(name: str) -> tuple[Selector, ...]:
    """The selectors of a target as `target` made it; none of a whole service."""
    _, bracket, inner = name.partition("[")
    if not bracket:
        return ()
    token = Token(inner[:-1], 1, 1, len(inner) - 1)
    return tuple(_selector(part) for part in _divided(token))


def split(parts: list[tuple[Token, Token | None]]) -> Split:
    """The split of (target, share) pairs; one target needs no share, several add up to 100%."""
    if len(parts) == 1 and parts[0][1] is None:
        return Split(((target(parts[0][0]), 1),))
    if len(parts) > SPLIT_MAX_PARTS:
        raise Mistake(f"a split has at most {SPLIT_MAX_PARTS} services", parts[SPLIT_MAX_PARTS][0])
    found: dict[str, int] = {}
    for token, share in parts:
        name = target(token)
        if name in found:
            raise Mistake(f"the service {quote(name)} stands in the split twice", token)
        if share is None:
            raise Mistake(f"in a split each service has its share, as in {name} 90%", token)
        found[name] = values.percent(share)
    total = sum(found.values())
    if total != 100:
        raise Mistake(f"the shares add up to {total}%, not to 100%", parts[-1][1])
    return Split(tuple(found.items()) if len(found) > 1 else ((next(iter(found)), 1),))


def _divided(inner: Token) -> list[Token]:
    parts, start, in_quotes = [], 0, False
    for at, letter in enumerate(inner.text):
        if letter == '"':
            in_quotes = not in_quotes
        elif letter == "," and not in_quotes:
            parts.append(inner.part(start, at - start))
            start = at + 1
    return [*parts, inner.part(start)]


def _selector(part: Token) -> Selector:
    found = _SELECTOR.fullmatch(part.text)
    if not found:
        sentence = f"{quote(part.text)} chooses no instances: tag=v2 or meta.version=2 does"
        raise Mistake(sentence, part)
    name = found[2] or ""
    value = unquoted(part.part(found.start(3))).text
    if not value or len(value) > SELECTOR_MAX_CHARACTERS or len(name) > SELECTOR_MAX_CHARACTERS:
        sentence = (
            f"a tag and a meta's name and value have 1 to {SELECTOR_MAX_CHARACTERS} characters"
        )
        raise Mistake(sentence, part)
    if not (value.isprintable() and name.isprintable()) or value != value.strip() or " " in name:
        raise Mistake(f"{quote(part.text)} is nothing an instance has", part)
    return Selector(name, value)
