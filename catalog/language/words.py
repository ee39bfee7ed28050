"""The words of a one-line route, each with its place. Knows no meaning but quotes, commas and the arrow."""

from __future__ import annotations

import re

from ..text import Mistake, Token

_ARROW = re.compile(r"(->)")
_WORD = re.compile(r"[^ \t]+")
_QUOTED_WORD = re.compile(r'(?:(?:^|(?<=[ \t=]))(?:"(?:[^"]|"")*"|(?P<unclosed>".*))|[^ \t])+')
"""A double quote opens at a word's beginning and behind a `=`; twice within quotes it is one."""
_QUOTE_MISSING = 'a double quote is missing: one stands at each end, and "" for one within'


def words(line: str, number: int) -> list[Token]:
    """The words of a line, `->` and `,` among them as words of their own.

    A comma divides where neither slash, `~`, bracket nor quote stands before it in its word, or where the word ends:
    `GET,HEAD`, `a 1%,b 2%`, but not the commas within a path or URL.
    """
    tokens: list[Token] = []
    has_quotes = '"' in line
    for found in (_QUOTED_WORD if has_quotes else _WORD).finditer(line):
        word, start = found.group(), found.start()
        if has_quotes and found["unclosed"]:
            at = Token(found["unclosed"], number, found.start("unclosed") + 1, 1)
            raise Mistake(_QUOTE_MISSING, at)
        if "," not in word and "->" not in word:
            tokens.append(Token(word, number, start + 1, len(word)))
            continue
        for part in _parts(word):
            if part:
                tokens.append(Token(part, number, start + 1, len(part)))
            start += len(part)
    return tokens


def conditions(token: Token) -> list[Token]:
    """The conditions in one word, which commas divide outside of quotes; a comma is a word of its own."""
    found: list[Token] = []
    start, in_quotes = 0, False
    for at, letter in enumerate(token.text):
        if letter == '"':
            in_quotes = not in_quotes
        elif letter == "," and not in_quotes:
            found.extend((token.part(start, at - start), token.part(at, 1)))
            start = at + 1
    found.append(token.part(start))
    return [one for one in found if one.text]


def unquoted(token: Token) -> Token:
    """What stands between double quotes, two of them within being one; the same token where it has none."""
    text = token.text
    if not text.startswith('"'):
        return token
    if len(text) < 2 or not text.endswith('"') or text[1:-1].replace('""', "").count('"'):
        raise Mistake(_QUOTE_MISSING, token)
    inner = text[1:-1].replace('""', '"')
    return Token(inner, token.line, token.column, token.length)


def quoted(text: str) -> str:
    """The word that `unquoted` makes this text of."""
    return '"' + text.replace('"', '""') + '"'


def _parts(word: str) -> list[str]:
    if '"' in word:
        # Only what stands behind a value in quotes may divide.
        end = word.rindex('"') + 1
        if "[" in word[: word.index('"')]:
            # A subset's commas are its own.
            end = word.find("]", end) + 1 or len(word)
        divider = re.search(r",|->", word[end:])
        if divider is None:
            return [word]
        end += divider.start()
        return [word[:end], *_parts(word[end:])]
    parts: list[str] = []
    for piece in _ARROW.split(word):
        parts.extend([piece] if piece == "->" else _commas(piece))
    return parts


def _commas(word: str) -> list[str]:
    found = re.search(r"[/~\[]", word)
    head, tail = (word, "") if not found else (word[: found.start()], word[found.start() :])
    parts = re.split(r"(,)", head)
    if "[" in tail[:1]:
        closed = tail.find("]") + 1
        if closed and tail[closed:].startswith(","):
            return [*parts[:-1], parts[-1] + tail[:closed], ",", *_commas(tail[closed + 1 :])]
    if tail.endswith(","):
        return [*parts[:-1], parts[-1] + tail[:-1], ","]
    return [*parts[:-1], parts[-1] + tail]
