"""What the mesh answers itself: redirects and fixed answers."""

from __future__ import annotations

import re

from .. import values
from ..text import Mistake, Token, quote
from .rule import Action, Redirect

LOCATION_MAX_CHARACTERS = 2048
REDIRECT_STATUSES = (301, 302, 303, 307, 308)
ANSWER_MAX_BYTES = 8 * 1024
"""A page that says one thing; half of what a value holds, and it stands in every node's table."""
NO_BODY_STATUSES = (204, 205, 304)
CONTENT_TYPE_MAX_CHARACTERS = 128

_LOCATION = re.compile(
    r"(?:https?://(?P<authority>(?:[A-Za-z0-9._:\[\]-]|\{host\})+))?(?P<rest>[/?#].*)?"
)
_LOCATION_CHARACTERS = re.compile(r"(?:[!#$%&'()*+,./0-9:;=?@A-Z\[\]_a-z~-]|\{host\})*")
_CONTENT_TYPE = re.compile(
    r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+(\s*;\s*[A-Za-z0-9_.-]+=[A-Za-z0-9_.+-]+)*"
)


def redirect_status(token: Token) -> int:
    """A redirect's status code."""
    known = [str(code) for code in REDIRECT_STATUSES]
    if token.text not in known:
        sentence = f"a redirect has the status {', '.join(known[:-1])} or {known[-1]}"
        raise Mistake(f"{sentence}, not {quote(token.text)}", token)
    return int(token.text)


def location(token: Token) -> str:
    """Where a redirect leads: a whole http(s) URL, or a path on the same host; `{host}` is the host asked for."""
    text = token.text
    if len(text) > LOCATION_MAX_CHARACTERS:
        raise Mistake(f"a location has at most {LOCATION_MAX_CHARACTERS} characters", token)
    end = _LOCATION_CHARACTERS.match(text)
    if end and end.end() < len(text):
        what = text[end.end()]
        sentence = f"{quote(what)} has no place in a URL; percent-encode it"
        if what == "{":
            sentence = "of what stands in { }, a location knows {host} alone"
        raise Mistake(sentence, token.part(end.end(), 1))
    found = _LOCATION.fullmatch(text)
    if text and found and (found["authority"] or text.startswith("/")) and text[:2] != "//":
        return text
    suggestion = None
    if re.match(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(:[0-9]+)?(/|$)", text):
        suggestion = "https://" + text
    sentence = f"a redirect leads to an http(s) URL or a path, not to {quote(text)}"
    raise Mistake(sentence, token, suggestion)


def answer_status(token: Token) -> int:
    """A fixed answer's status code."""
    return values.number(token, "an answer's status", 200, 599)


def answer_body(token: Token, status: int) -> str:
    """What a fixed answer says."""
    text = token.text
    if text and status in NO_BODY_STATUSES:
        raise Mistake(f"an answer of status {status} has no text", token)
    if len(text.encode("utf-8", "surrogatepass")) > ANSWER_MAX_BYTES:
        raise Mistake(f"an answer's text has at most {ANSWER_MAX_BYTES:,} bytes", token)
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise Mistake("an answer's text holds half a character", token)
    return text


def content_type(token: Token) -> str:
    """The media type of a fixed answer (RFC 9110 §8.3.1)."""
    if len(token.text) > CONTENT_TYPE_MAX_CHARACTERS or not _CONTENT_TYPE.fullmatch(token.text):
        sentence = f"{quote(token.text)} is no content type, as in text/html; charset=utf-8"
        raise Mistake(sentence, token)
    return token.text


def kind_of(action: Action) -> str:
    """What a sentence calls an action that the mesh answers itself."""
    return "a redirect" if isinstance(action, Redirect) else "an answer"
