"""The one-line form of a route: `shop.example/cart -> shop 90%, shop-next 10% timeout=2s`.

Decides what each word is and where it stands; what a single value may be is decided in values.py. What this version
does not do yet is recognised by name and refused, so that it is neither taken silently nor called unknown.
"""

from __future__ import annotations

import re
from typing import NoReturn

from . import values
from .rule import Redirect, Rule, Split
from .suggestions import nearest
from .text import Mistake, Token, lines, quote

SPLIT_MAX_PARTS = 32
"""More services behind one route are a table, not a line."""

SETTINGS = ("strip", "timeout")
SETTINGS_NOT_YET = (
    "balance", "middlewares", "mirror", "priority", "retries", "rewrite", "subset", "timeout_head", "timeout_idle",
)  # fmt: skip
FLAGS_NOT_YET = ("passthrough", "insecure")
FIRST_WORDS_NOT_YET = ("tcp", "udp", "sni", "grpc")
METHODS = ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE")

_QUOTES = "'\"`‘’“”"


def not_yet(what: str) -> str:
    """The sentence for what later versions do."""
    return f"{what} is not in this version yet, so the key is refused"


def parse_line(text: str) -> Rule:
    """The rule of a one-line value (lines that begin with `#` are comments). Raises Mistake."""
    tokens: list[Token] = []
    for number, line in enumerate(lines(text), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if tokens:
            raise Mistake(
                "a route is one line; put each route in a key of its own", _whole(number, line)
            )
        tokens = tokenize(line, number)
    if not tokens:
        raise Mistake("the value holds only comments; to remove a route, delete its key")
    return _Parser(tokens).rule()


def tokenize(line: str, number: int) -> list[Token]:
    """The words of a line, `->` and `,` among them as words of their own, each with its place.

    A comma divides where no slash stands before it in its word, or where the word ends: `GET,HEAD`, `a 1%,b 2%`, but
    not the commas within a path or URL.
    """
    tokens: list[Token] = []
    for found in re.finditer(r"[^ \t]+", line):
        start = found.start()
        for piece in re.split(r"(->)", found.group()):
            for part in [piece] if piece == "->" else _commas(piece):
                if part:
                    tokens.append(Token(part, number, start + 1, len(part)))
                start += len(part)
    return tokens


def _commas(word: str) -> list[str]:
    slash = word.find("/")
    head, tail = (word, "") if slash < 0 else (word[:slash], word[slash:])
    parts = re.split(r"(,)", head)
    if tail.endswith(","):
        return [*parts[:-1], parts[-1] + tail[:-1], ","]
    return [*parts[:-1], parts[-1] + tail]


class _Parser:
    """Reads the tokens of one route from left to right."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._next = 0
        last = tokens[-1]
        self._end = Token("", last.line, last.column + last.length, 1)

    def rule(self) -> Rule:
        self._refuse_first_words()
        host, path, is_exact = match(
            self._take("a route begins with its host, as in shop.example/")
        )
        self._arrow()
        action = self._action()
        settings = self._settings()
        if isinstance(action, Redirect) and settings:
            at = next(iter(settings.values()))
            raise Mistake("a redirect is answered by the edge itself and takes no settings", at)
        timeout, strip = settings.get("timeout"), settings.get("strip")
        return Rule(
            host,
            path,
            is_exact,
            action,
            timeout_ms=values.timeout_ms(timeout) if timeout else None,
            strip_prefix=values.strip(strip, path) if strip else None,
        )

    def _peek(self, ahead: int = 0) -> Token | None:
        at = self._next + ahead
        return self._tokens[at] if at < len(self._tokens) else None

    def _take(self, missing: str) -> Token:
        token = self._peek()
        if token is None:
            raise Mistake(missing, self._end)
        self._next += 1
        return token

    def _refuse_first_words(self) -> None:
        first, second = self._tokens[0], self._peek(1)
        if first.text[0] in _QUOTES:
            sentence = "the quotes around a route are the shell's; the value itself has none"
            raise Mistake(sentence, first.part(0, 1))
        if first.text in FIRST_WORDS_NOT_YET and second and second.text != "->":
            raise Mistake(not_yet(f"a route by {quote(first.text)}"), first)
        if first.text in METHODS or (first.text.isupper() and second and second.text == ","):
            raise Mistake(not_yet("choosing by method"), first)

    def _arrow(self) -> None:
        token = self._peek()
        if token is not None and token.text == "->":
            self._next += 1
            return
        if token is None:
            raise Mistake('the "->" and what the route leads to are missing', self._end)
        _refuse_before_arrow(token, is_last=self._peek(1) is None)

    def _action(self) -> Split | Redirect:
        first = self._take('nothing stands behind the "->": name a service of the catalog')
        if first.text == "redirect" and (second := self._peek()) and "=" not in second.text[:8]:
            return self._redirect(second)
        parts = [self._part(first)]
        while (token := self._peek()) and token.text == ",":
            self._next += 1
            parts.append(self._part(self._take("a service is missing behind the comma")))
        if token and "=" not in token.text and (share := self._peek(1)) and share.text[-1] == "%":
            raise Mistake(f"a comma is missing before {quote(token.text)}", token)
        return split(parts)

    def _part(self, service: Token) -> tuple[Token, Token | None]:
        if service.text in (",", "->"):
            raise Mistake(f'a service is missing before "{service.text}"', service)
        share = self._peek()
        if share and re.fullmatch(r"[0-9.]+%?", share.text):
            self._next += 1
            return service, share
        return service, None

    def _redirect(self, first: Token) -> Redirect:
        if not first.text[0].isdigit():
            sentence = "a redirect has its status before the URL, as in redirect 301 https://…"
            raise Mistake(sentence, first, f"301 {first.text}")
        code = values.status(self._take("a redirect needs its status"))
        return Redirect(code, values.location(self._take("a redirect needs its URL")))

    def _settings(self) -> dict[str, Token]:
        settings: dict[str, Token] = {}
        while token := self._peek():
            self._next += 1
            name, equals, value = token.text.partition("=")
            if not equals or not name:
                _refuse_word(token, self._peek())
            at = token.part(0, len(name))
            check_name(name, at, "setting", SETTINGS, SETTINGS_NOT_YET)
            if name in settings:
                raise Mistake(f"the setting {quote(name)} stands here twice", at)
            if not value:
                raise Mistake(f"the setting {quote(name)} has no value", token)
            settings[name] = token.part(len(name) + 1)
        return settings


def match(token: Token) -> tuple[str, str, bool]:
    """Host, path and whether it is exact, of `shop.example/cart`, `shop.example=/cart` or `shop.example`."""
    text = token.text
    if text in ("->", ","):
        raise Mistake("a route begins with its host, as in shop.example/", token)
    if scheme := re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text):
        sentence = "a route's host has no scheme before it"
        raise Mistake(sentence, token.part(0, scheme.end()), text[scheme.end() :])
    slash = text.find("/")
    if slash < 0:
        return values.host(token), "/", False
    is_exact = slash > 0 and text[slash - 1] == "="
    host_end = slash - is_exact
    if host_end == 0:
        sentence = f"the host is missing; {quote('*' + text)} takes any host"
        raise Mistake(sentence, token, "*" + text)
    host = values.host(token.part(0, host_end))
    return host, values.path(token.part(slash), is_exact=is_exact), is_exact


def split(parts: list[tuple[Token, Token | None]]) -> Split:
    """The split of (service, share) pairs; one service needs no share, several add up to 100%."""
    if len(parts) > SPLIT_MAX_PARTS:
        raise Mistake(f"a split has at most {SPLIT_MAX_PARTS} services", parts[SPLIT_MAX_PARTS][0])
    found: dict[str, int] = {}
    for service, share in parts:
        name = values.service(service)
        if name in found:
            raise Mistake(f"the service {quote(name)} stands in the split twice", service)
        if share is None and len(parts) > 1:
            raise Mistake(f"in a split each service has its share, as in {name} 90%", service)
        found[name] = values.percent(share) if share else 1
    total = sum(found.values())
    if any(share for _, share in parts) and total != 100:
        raise Mistake(f"the shares add up to {total}%, not to 100%", parts[-1][1])
    return Split(tuple(found.items()) if len(found) > 1 else ((next(iter(found)), 1),))


def check_name(
    name: str, at: Token, kind: str, known: tuple[str, ...], not_yet_known: tuple[str, ...]
) -> None:
    """Refuses a name that is not known, or not in this version yet."""
    if name in known:
        return
    if name in not_yet_known:
        raise Mistake(not_yet(f"the {kind} {quote(name)}"), at)
    suggestion = nearest(name, (*known, *not_yet_known))
    raise Mistake(f"no {kind} is called {quote(name)}", at, suggestion)


def _refuse_before_arrow(token: Token, *, is_last: bool) -> NoReturn:
    """Raises for a word that stands where only `->` may."""
    text = token.text
    if text == "when":
        raise Mistake(not_yet('choosing by "when"'), token)
    if text == "-" and is_last:
        sentence = (
            "the value ends where a shell takes > for a file: put the whole route in single quotes"
        )
        raise Mistake(sentence, token)
    if text in ("=>", "-->", "→", "➔", "—>", "–>", "-", ">", "=", ":"):
        raise Mistake(f'the arrow is written "->", not {quote(text)}', token, "->")
    if "=" in text:
        raise Mistake("settings stand at the end, behind the service", token)
    suggestion = nearest(text, ("when",))
    sentence = f'"->" is expected here, not {quote(text)}'
    raise Mistake(sentence, token, suggestion)


def _refuse_word(token: Token, following: Token | None) -> NoReturn:
    """Raises for a word behind the target that is no setting."""
    text = token.text
    if text == "->":
        raise Mistake('a route has one "->"', token)
    if text in FLAGS_NOT_YET:
        raise Mistake(not_yet(quote(text)), token)
    if text == ",":
        raise Mistake(
            "a comma divides services of a split; settings have spaces between them", token
        )
    if following and following.text.startswith("="):
        raise Mistake(f"a setting has no spaces around its =, as in {text}=…", token)
    suggestion = nearest(text, (*SETTINGS, *SETTINGS_NOT_YET))
    raise Mistake(f"{quote(text)} is no setting: one is written name=value", token, suggestion)


def _whole(number: int, line: str) -> Token:
    text = line.strip()
    return Token(text, number, len(line) - len(line.lstrip()) + 1, len(text))
