"""The one-line form of a route: `GET shop.example/cart when header.x-beta=1 -> cart 90%, cart-next 10% timeout=2s`.

Decides what each word is and where it stands; what a single value may be is decided beside it, for documents too.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

from .. import values
from ..suggestions import nearest
from ..text import Mistake, Token, lines, quote
from . import actions, grpc, paths, streams, targets
from .conditions import Conditions
from .later import (
    FIRST_WORDS_NOT_YET,
    FLAGS_NOT_YET,
    SETTINGS,
    TARGETS_NOT_YET,
    check_setting,
    not_yet,
)
from .methods import KNOWN_METHODS, methods
from .rule import Action, Answer, PathKind, Redirect, Rule
from .settings import read_settings
from .words import conditions as divided
from .words import unquoted, words

_QUOTES = "'\"`‘’“”"
_AFTER_MATCH = ("->", ",", "when")


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
        _refuse_outer_quotes(line, number)
        tokens = words(line, number)
    if not tokens:
        raise Mistake("the value holds only comments; to remove a route, delete its key")
    return _Parser(tokens).rule()


class _Parser:
    """Reads the tokens of one route from left to right."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._next = 0
        last = tokens[-1]
        self._end = Token("", last.line, last.column + last.length, 1)

    def rule(self) -> Rule:
        first, second = self._tokens[0], self._peek(1)
        is_first_word = second is not None and second.text not in _AFTER_MATCH
        if is_first_word and first.text in FIRST_WORDS_NOT_YET:
            raise Mistake(not_yet(f"a route by {quote(first.text)}"), first)
        if is_first_word and first.text in streams.FIELDS:
            return self._stream(first.text)
        is_grpc = is_first_word and first.text == grpc.GRPC
        taken: dict[str, Any] = {}
        if is_grpc:
            self._next = 1
            host, path, kind = grpc.read_grpc(self._take("a gRPC service is missing"))
            taken = {"hosts": grpc.hosts(host), "methods": grpc.METHODS}
        else:
            if asked := self._methods():
                taken["methods"] = methods(asked)
            taken["hosts"], path, kind = self._match()
        conditions = self._when(is_grpc=is_grpc)
        self._arrow()
        action = self._action()
        settings = read_settings(self._settings(), path, kind, action)
        if conditions:
            taken["conditions"] = conditions.conditions()
            taken["client_addresses"] = tuple(conditions.client_addresses)
            taken["sources"] = tuple(conditions.sources)
        return Rule(path=path, path_kind=kind, action=action, **taken, **settings)

    def _stream(self, kind: str) -> Rule:
        self._next = 1
        taken_by: int | tuple[str, ...]
        if kind == streams.TCP:
            taken_by = streams.port(self._take("a port is missing, as in tcp :5432"))
        else:
            taken_by = streams.names(self._list())
        conditions = self._when(is_grpc=False)
        self._arrow()
        leads = self._peek() or self._end
        action = self._action()
        flags: dict[str, Token | None] = {streams.PASSTHROUGH: None} if kind == streams.SNI else {}
        settings = self._settings(flags)
        made = streams.rule(taken_by, conditions, action, leads, settings)
        if kind == streams.SNI:
            streams.check_passed(flags[streams.PASSTHROUGH], leads)
        return made

    def _peek(self, ahead: int = 0) -> Token | None:
        at = self._next + ahead
        return self._tokens[at] if at < len(self._tokens) else None

    def _take(self, missing: str) -> Token:
        token = self._peek()
        if token is None:
            raise Mistake(missing, self._end)
        self._next += 1
        return token

    def _list(self) -> list[Token]:
        """The words that commas join, from here on."""
        found = [self._take("a word is missing")]
        while (comma := self._peek()) and comma.text == ",":
            self._next += 1
            found.append(self._take("a word is missing behind the comma"))
        return found

    def _methods(self) -> list[Token]:
        """The words before the host, if there are any that could be methods."""
        first = self._tokens[0]
        if not _is_method_like(first.text):
            return []
        found = self._list()
        following = self._peek()
        if following is None or following.text in _AFTER_MATCH or not _is_match_like(following):
            self._next = 0
            return []
        return found

    def _match(self) -> tuple[tuple[str, ...], str, PathKind]:
        """Hosts, path and its kind, of `shop.example/cart`, `shop.example=/cart`, `a,b~/x[0-9]+` or `shop.example`."""
        token = self._take("a route begins with its host, as in shop.example/")
        if (comma := self._peek()) is None or comma.text != ",":
            host, path, kind = _match(token)
            return (host,), path, kind
        self._next -= 1
        *others, last = self._list()
        for other in others:
            if other.text in ("->", ",") or "/" in other.text:
                _refuse_host(other)
        host, path, kind = _match(last)
        return values.hosts([*others, last.part(0, _host_length(last.text))]), path, kind

    def _when(self, *, is_grpc: bool) -> Conditions | None:
        token = self._peek()
        has_words = token is not None and token.text == "when"
        if not has_words and not is_grpc:
            return None
        conditions = Conditions.none()
        if is_grpc:
            conditions.found[grpc.CONTENT_TYPE] = self._tokens[0]
        if token is None or not has_words:
            return conditions
        self._next += 1
        wants_one = True
        while (token := self._peek()) and token.text != "->":
            self._next += 1
            for part in divided(token):
                if part.text == ",":
                    if wants_one:
                        raise Mistake("a condition is missing before the comma", part)
                    wants_one = True
                elif wants_one:
                    conditions.take_word(part)
                    wants_one = False
                else:
                    raise _refuse_condition(part)
        if wants_one:
            raise Mistake("a condition is missing, as in when header.x-beta=1", token or self._end)
        return conditions

    def _arrow(self) -> None:
        token = self._peek()
        if token is not None and token.text == "->":
            self._next += 1
            return
        if token is None:
            raise Mistake('the "->" and what the route leads to are missing', self._end)
        _refuse_before_arrow(token, is_last=self._peek(1) is None)

    def _action(self) -> Action:
        first = self._take('nothing stands behind the "->": name a service of the catalog')
        second = self._peek()
        if second and first.text == "redirect" and not _is_behind_service(second.text):
            return self._redirect(second)
        if second and first.text == "answer" and not _is_behind_service(second.text):
            return self._answer()
        if second and first.text in TARGETS_NOT_YET and not _is_behind_service(second.text):
            raise Mistake(not_yet(quote(first.text)), first)
        parts = [self._part(first)]
        while (token := self._peek()) and token.text == ",":
            self._next += 1
            parts.append(self._part(self._take("a service is missing behind the comma")))
        if token and "=" not in token.text and (share := self._peek(1)) and share.text[-1] == "%":
            raise Mistake(f"a comma is missing before {quote(token.text)}", token)
        return targets.split(parts)

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
        code = actions.redirect_status(self._take("a redirect needs its status"))
        return Redirect(code, actions.location(self._take("a redirect needs its URL")))

    def _answer(self) -> Answer:
        status = actions.answer_status(self._take("an answer needs its status"))
        text = self._peek()
        if text is None or (not text.text.startswith('"') and "=" in text.text):
            return Answer(status)
        self._next += 1
        more = self._peek()
        if not text.text.startswith('"') and more and "=" not in more.text:
            raise Mistake("an answer's text stands in double quotes", text)
        return Answer(status, actions.answer_body(unquoted(text), status))

    def _settings(
        self, flags: dict[str, Token | None] | None = None
    ) -> dict[str, tuple[Token, Token]]:
        """What stands behind the target; of the `flags` there may be, those that are there are put in."""
        settings: dict[str, tuple[Token, Token]] = {}
        while token := self._peek():
            self._next += 1
            if flags and token.text in flags:
                flags[token.text] = token
                continue
            name, equals, value = token.text.partition("=")
            if not equals or not name:
                _refuse_word(token, self._peek())
            at = token.part(0, len(name))
            check_setting(name, at)
            if name in settings:
                raise Mistake(f"the setting {quote(name)} stands here twice", at)
            if not value:
                raise Mistake(f"the setting {quote(name)} has no value", token)
            settings[name] = at, unquoted(token.part(len(name) + 1))
        return settings


def _match(token: Token) -> tuple[str, str, PathKind]:
    text = token.text
    if text in ("->", ","):
        raise Mistake("a route begins with its host, as in shop.example/", token)
    end = _host_length(text)
    if end == len(text):
        return values.host(token), "/", "prefix"
    sign = text[end]
    if sign == "/" and text[end - 1 : end] == ":":
        _refuse_host(token)
    if end == 0:
        sentence = f"the host is missing; {quote('*' + text)} takes any host"
        raise Mistake(sentence, token, "*" + text)
    host = values.host(token.part(0, end))
    if sign == "~":
        return host, paths.path(token.part(end + 1), "regex"), "regex"
    kind: PathKind = "exact" if sign == "=" else "prefix"
    return host, paths.path(token.part(end + (sign == "=")), kind), kind


def _host_length(text: str) -> int:
    """Where the host ends: before the first `/`, `=/` or `~`."""
    found = re.search(r"=?/|~", text)
    return found.start() if found else len(text)


def _refuse_host(token: Token) -> NoReturn:
    """Raises for a URL or path where a host stands."""
    if scheme := re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", token.text):
        sentence = "a route's host has no scheme before it"
        raise Mistake(sentence, token.part(0, scheme.end()), token.text[scheme.end() :])
    if token.text in ("->", ","):
        raise Mistake("a host is missing here", token)
    sentence = (
        "several hosts share one path, which stands behind the last, as in a.example,b.example/cart"
    )
    raise Mistake(sentence, token)


def _is_method_like(text: str) -> bool:
    return not re.search(r"[./*~=\[:]", text) and (text.isupper() or text.upper() in KNOWN_METHODS)


def _is_match_like(token: Token) -> bool:
    return re.search(r"[./*~\[]", token.text) is not None or token.text == "localhost"


def _is_behind_service(text: str) -> bool:
    """Whether `redirect`, `answer` and `mirror` before this word are services of that name."""
    is_setting = text == streams.PASSTHROUGH or re.match(r"[a-z_]+=(?!\")", text) is not None
    return text == "," or text.endswith("%") or is_setting


def _refuse_outer_quotes(line: str, number: int) -> None:
    start = len(line) - len(line.lstrip())
    if line[start] in _QUOTES:
        sentence = "the quotes around a route are the shell's; the value itself has none"
        raise Mistake(sentence, Token(line[start], number, start + 1, 1))


def _refuse_condition(token: Token) -> Mistake:
    """What a second word without a comma before it is."""
    text = token.text
    if text in ("and", "&&", "&"):
        return Mistake("conditions are divided by commas", token, ",")
    if text in ("or", "||"):
        sentence = "all conditions have to hold; for one or the other write two routes, or a regex"
        return Mistake(sentence, token)
    if re.match(r"!?(header|query|cookie)\.|(client|from)=", text):
        return Mistake("a comma is missing before this condition", token)
    if re.match(r"[!^$~]?=", text):
        return Mistake("a condition has no spaces around its =", token)
    if text in _ARROWS:
        return Mistake(f'the arrow is written "->", not {quote(text)}', token, "->")
    sentence = f'"->" or a comma is expected here; a value with a space stands in double quotes, not {quote(text)}'
    return Mistake(sentence, token)


_ARROWS = ("=>", "-->", "→", "➔", "—>", "–>", "-", ">", "=", ":")


def _refuse_before_arrow(token: Token, *, is_last: bool) -> NoReturn:
    """Raises for a word that stands where only `->` may."""
    text = token.text
    if text == "-" and is_last:
        sentence = (
            "the value ends where a shell takes > for a file: put the whole route in single quotes"
        )
        raise Mistake(sentence, token)
    if text in _ARROWS:
        raise Mistake(f'the arrow is written "->", not {quote(text)}', token, "->")
    if re.match(r"!?(header|query|cookie)\.|(client|from)=", text):
        raise Mistake('conditions stand behind the word "when"', token, f"when {text}")
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
    if text in FLAGS_NOT_YET or text in TARGETS_NOT_YET:
        raise Mistake(not_yet(quote(text)), token)
    if text == streams.PASSTHROUGH:
        raise streams.refuse_flag(token)
    if text == "when":
        raise Mistake('conditions stand before the "->"', token)
    if text == ",":
        raise Mistake(
            "a comma divides services of a split; settings have spaces between them", token
        )
    if following and following.text.startswith("="):
        raise Mistake(f"a setting has no spaces around its =, as in {text}=…", token)
    suggestion = nearest(text, (*SETTINGS, streams.PASSTHROUGH))
    raise Mistake(f"{quote(text)} is no setting: one is written name=value", token, suggestion)


def _whole(number: int, line: str) -> Token:
    text = line.strip()
    return Token(text, number, len(line) - len(line.lstrip()) + 1, len(text))
