"""What a request's head must say beside host and path: `header.x-beta=1`, `!query.debug`, `client=10.0.0.0/8`, `from=web`.

The words of the one-line form; a document's `when` takes the same words, or fields that say the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network

from .. import values
from ..suggestions import nearest
from ..text import Mistake, Token, quote
from .headers import header_name
from .patterns import check_regex
from .rule import Comparison, Condition, Place
from .words import unquoted

CONDITIONS_MAX = 64
"""As the proxy takes; each is looked at for a request."""
ADDRESSES_MAX = 256
"""Networks of one route, and calling services: as the proxy takes."""
NAME_MAX_CHARACTERS = 256
VALUE_MAX_BYTES = 4096
"""A long cookie."""

PLACES: tuple[Place, ...] = ("header", "query", "cookie")
_WORD = re.compile(r"(!?)([A-Za-z_-]+)(?:\.([^=^$~!\"]*))?([!^$~]?=)?(.*)", re.DOTALL)
_COMPARISONS: dict[str, Comparison] = {"=": "exact", "^=": "prefix", "$=": "suffix", "~=": "regex"}


@dataclass(slots=True)
class Conditions:
    """All of a route, gathered one by one."""

    found: dict[Condition, Token]
    client_addresses: dict[str, Token]
    sources: dict[str, Token]

    @classmethod
    def none(cls) -> Conditions:
        return cls({}, {}, {})

    def take_word(self, token: Token) -> None:
        """One condition as it stands in a line."""
        found = _WORD.fullmatch(token.text)
        if not found:
            raise _no_condition(token)
        no, place, name, operator, _ = found.groups()
        value = token.part(found.start(5)) if operator else None
        if operator == "!=":
            right = token.text.replace("!=", "=", 1)
            raise Mistake("what must not be has its ! in front", token, "!" + right)
        if place in ("client", "from") and name is None:
            self._take_list(token, place, operator, value, is_negated=bool(no))
            return
        if place not in PLACES or name is None:
            raise _no_condition(token)
        comparison: Comparison = _COMPARISONS[operator] if operator else "present"
        at = token.part(found.start(3), len(name))
        text = _value(value, token, comparison) if value else None
        self.take(place, at, comparison, text, token, is_negated=bool(no))

    def take(
        self,
        place: Place,
        name: Token,
        comparison: Comparison,
        value: Token | None,
        at: Token,
        *,
        is_negated: bool,
    ) -> None:
        """One condition on the head; `at` is all of it."""
        made = Condition(
            place,
            _name(place, name),
            comparison,
            _checked_value(place, comparison, value) if value else "",
            is_negated,
        )
        if made in self.found:
            raise Mistake("this condition stands here twice", at)
        opposites = [replace(made, is_negated=not is_negated)]
        if is_negated and comparison == "present":
            opposites = [
                one
                for one in self.found
                if (one.place, one.name) == (place, made.name) and not one.is_negated
            ]
        elif not is_negated:
            opposites.append(Condition(place, made.name, "present", is_negated=True))
        if any(opposite in self.found for opposite in opposites):
            raise Mistake("this condition and one before it never hold together", at)
        if len(self.found) == CONDITIONS_MAX:
            raise Mistake(f"a route has at most {CONDITIONS_MAX} conditions", at)
        self.found[made] = at

    def take_client(self, token: Token) -> None:
        """A network or address of which the client is one."""
        text = token.text.strip("[]") if token.text.startswith("[") else token.text
        try:
            network = ip_network(text, strict=False)
        except ValueError:
            sentence = f"{quote(token.text)} is no network and no address, as in 10.0.0.0/8"
            raise Mistake(sentence, token) from None
        if "/" in text and ip_address(text.partition("/")[0]) != network.network_address:
            sentence = f"{quote(text)} has bits behind its prefix"
            raise Mistake(sentence, token, str(network))
        self._once(self.client_addresses, str(network), token, "network")

    def take_source(self, token: Token) -> None:
        """A service that calls; `edge` for what comes from outside."""
        if token.text != "edge" and not values.is_service_name(token.text):
            raise Mistake(f"{quote(token.text)} is no name of a service that calls", token)
        self._once(self.sources, token.text, token, "service")

    def conditions(self) -> tuple[Condition, ...]:
        """Those on the head: headers, query, cookies, each in the order written."""
        return tuple(sorted(self.found, key=lambda one: PLACES.index(one.place)))

    def _take_list(
        self,
        token: Token,
        place: str,
        operator: str | None,
        value: Token | None,
        *,
        is_negated: bool,
    ) -> None:
        example = "client=10.0.0.0/8" if place == "client" else "from=web"
        if is_negated:
            raise Mistake(
                f'"{place}" says who may use the route, not who may not: a wider route takes the others',
                token,
            )
        if operator != "=" or value is None or not value.text:
            raise Mistake(f'"{place}" has a value behind "=", as in {example}', token)
        if self.client_addresses if place == "client" else self.sources:
            raise Mistake(f'"{place}" stands here twice; several are divided by |', token)
        offset = 0
        for text in value.text.split("|"):
            part = value.part(offset, len(text))
            if place == "client":
                self.take_client(part)
            else:
                self.take_source(part)
            offset += len(text) + 1

    def _once(self, known: dict[str, Token], text: str, at: Token, what: str) -> None:
        if text in known:
            raise Mistake(f"the {what} {quote(text)} stands here twice", at)
        if len(known) == ADDRESSES_MAX:
            raise Mistake(f"a route names at most {ADDRESSES_MAX} of them", at)
        known[text] = at


def read_words(tokens: Iterable[Token]) -> Conditions:
    """The conditions of the words behind `when`."""
    conditions = Conditions.none()
    for token in tokens:
        conditions.take_word(token)
    return conditions


def _no_condition(token: Token) -> Mistake:
    word = re.split(r"[.=]", token.text.lstrip("!"), maxsplit=1)[0]
    if word in PLACES:
        sentence = f"the name of the {word} is missing, as in {word}.name=value"
        return Mistake(sentence, token)
    near = nearest(word, (*PLACES, "client", "from"))
    sentence = (
        f"{quote(token.text)} is no condition: one begins with header., query., cookie., client= or from=; a value "
        "with a space, a comma or a quote stands in double quotes"
    )
    return Mistake(sentence, token, near)


def _name(place: Place, token: Token) -> str:
    if not token.text:
        raise Mistake(f"the name of the {place} is missing", token)
    if len(token.text) > NAME_MAX_CHARACTERS:
        raise Mistake(f"a name has at most {NAME_MAX_CHARACTERS} characters", token)
    if place == "header":
        return header_name(token)
    if not token.text.isprintable() or token.text != token.text.strip():
        raise Mistake(f"{quote(token.text)} is no name of a {place}", token)
    return token.text


def _value(token: Token, word: Token, comparison: Comparison) -> Token:
    if not token.text:
        sentence = 'the value is missing; the name alone takes any, ="" an empty one'
        raise Mistake(sentence, word)
    value = unquoted(token)
    if "|" in value.text and value is token and comparison != "regex":
        sentence = (
            'one of several is a regex, as in ~=a|b; a value that has a "|" stands in double quotes'
        )
        raise Mistake(sentence, token)
    return value


def _checked_value(place: Place, comparison: Comparison, token: Token) -> str:
    text = token.text
    if comparison == "regex":
        check_regex(token)
        return text
    if len(text.encode("utf-8", "surrogatepass")) > VALUE_MAX_BYTES:
        raise Mistake(f"a value has at most {VALUE_MAX_BYTES:,} bytes", token)
    if not text.isprintable():
        raise Mistake("a value is written without control characters", token)
    if not text and comparison in ("prefix", "suffix"):
        raise Mistake("an empty text begins and ends every value; the name alone takes any", token)
    if place == "header":
        starts, ends = comparison != "suffix", comparison != "prefix"
        if (starts and text.startswith(" ")) or (ends and text.endswith(" ")):
            raise Mistake("a header's value has no spaces around it, so this never holds", token)
    return text
