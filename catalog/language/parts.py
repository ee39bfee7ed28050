"""The parts of a route that only documents have: a rewritten path, changed headers, all about retries."""

from __future__ import annotations

import re

from .. import values
from ..text import Mistake, Token, quote
from ..yamltree import Mapping, Node, Scalar, Sequence
from .headers import EDITS_MAX, edited_name, header_value
from .patterns import PATTERN_MAX_CHARACTERS, check_regex
from .rule import Backoff, Budget, Fields, HeaderEdits, Retries, Rewrite
from .settings import ATTEMPTS_MAX, attempts

RETRY_PERCENT_MAX = 1000
RETRIES_A_SECOND_MAX = 100_000
"""A budget over these is none; as the proxy takes."""
RETRY_ON_MAX = 64
RETRY_ON = ("connect", "reset", "timeout", "5xx")

_PLACEHOLDER = re.compile(r"\$(?:\$|([0-9])|\{([^}]*)\}|)")


def rewrite(node: Node) -> Rewrite:
    """The regex, and what becomes of a path it takes: its groups have to be there."""
    assert isinstance(node, Mapping)
    regex, to = node.items["regex"].at, node.items["to"].at
    groups = check_regex(regex)
    text = to.text
    if not text.startswith(("/", "$")) or len(text) > PATTERN_MAX_CHARACTERS:
        raise Mistake(f'a path begins with "/", {quote(text)} does not', to)
    if not text.isascii() or not text.isprintable() or re.search(r"[ ?#]", text):
        raise Mistake("a path has no spaces, no query and is written in ASCII", to)
    for found in _PLACEHOLDER.finditer(text):
        name = found[1] or found[2]
        at = to.part(found.start(), max(len(found.group()), 1))
        if name is None and found.group() != "$$":
            raise Mistake(
                'a "$" stands before a digit, a name in braces as ${name}, or a second "$"', at
            )
        if name is not None and name not in groups:
            raise Mistake(f"the regex has no group {quote(name)}", at)
    return Rewrite(regex.text, text)


def header_edits(node: Node, at: Token) -> HeaderEdits:
    """The changes of one head."""
    assert isinstance(node, Mapping)
    remove: dict[str, None] = {}
    for token in _tokens(node.items.get("remove")):
        name = edited_name(token)
        if name in remove:
            raise Mistake(f"the header {quote(name)} stands here twice", token)
        remove[name] = None
    made = HeaderEdits(
        tuple(remove), _fields(node.items.get("set")), _fields(node.items.get("add"))
    )
    if made == HeaderEdits():
        raise Mistake("this changes nothing; set, add or remove says what", at)
    for name, _ in made.set:
        if name in remove:
            sentence = f'the header {quote(name)} is set anyway; "remove" says nothing more'
            raise Mistake(sentence, at)
    if max(len(made.remove), len(made.set), len(made.add)) > EDITS_MAX:
        raise Mistake(f"a route removes, sets and adds at most {EDITS_MAX} headers each", at)
    return made


def retries(node: Node) -> Retries:
    """Their number alone, or all about them."""
    if not isinstance(node, Mapping):
        return Retries(attempts(node.at))
    items = node.items
    backoff, budget, per_try = (
        items.get(name) for name in ("backoff", "budget", "per_try_timeout")
    )
    on = tuple(_retry_on(token) for token in _tokens(items.get("on")))
    if repeated := next(
        (token for token in _tokens(items.get("on")) if on.count(token.text) > 1), None
    ):
        raise Mistake(f"{quote(repeated.text)} stands here twice", repeated)
    if len(on) > RETRY_ON_MAX:
        raise Mistake(f"there are at most {RETRY_ON_MAX} of them", items["on"].at)
    if "timeout" in on and per_try is None:
        sentence = 'a try is over in no time without "per_try_timeout", so "timeout" never happens'
        raise Mistake(sentence, items["on"].at)
    non_idempotent = items.get("non_idempotent")
    return Retries(
        values.number(items["attempts"].at, "the number of retries", 0, ATTEMPTS_MAX),
        on if "on" in items else None,
        values.milliseconds(per_try.at) if per_try else None,
        _backoff(backoff) if isinstance(backoff, Mapping) else None,
        _budget(budget) if isinstance(budget, Mapping) else None,
        isinstance(non_idempotent, Scalar) and non_idempotent.value is True,
    )


def _fields(node: Node | None) -> Fields:
    if not isinstance(node, Mapping):
        return ()
    found: dict[str, list[str]] = {}
    for written, value in node.items.items():
        name = edited_name(node.names[written])
        if name in found:
            raise Mistake(f"the header {quote(name)} stands here twice", node.names[written])
        found[name] = [header_value(token) for token in _tokens(value)]
        if not found[name]:
            raise Mistake(f"the header {quote(name)} has no value", node.names[written])
    return tuple((name, text) for name, texts in found.items() for text in texts)


def _retry_on(token: Token) -> str:
    if re.fullmatch(r"[45][0-9][0-9]", token.text):
        return token.text
    if token.text in RETRY_ON:
        return token.text
    sentence = f"a request is tried again on {', '.join(RETRY_ON)} or a status from 400 to 599, not on {quote(token.text)}"
    raise Mistake(sentence, token)


def _backoff(node: Mapping) -> Backoff:
    base, most = node.items["base"].at, node.items["max"].at
    made = Backoff(
        values.milliseconds(base, what="backoff"), values.milliseconds(most, what="backoff")
    )
    if made.max_ms < made.base_ms:
        raise Mistake("the longest time between two tries is shorter than the first", most)
    return made


def _budget(node: Mapping) -> Budget:
    return Budget(
        values.number(node.items["percent"].at, "the percentage", 0, RETRY_PERCENT_MAX),
        values.number(node.items["per_second"].at, "the number a second", 0, RETRIES_A_SECOND_MAX),
    )


def _tokens(node: Node | None) -> list[Token]:
    if node is None:
        return []
    return [item.at for item in node.items] if isinstance(node, Sequence) else [node.at]
