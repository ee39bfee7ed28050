"""The small values in a route, checked and brought to one form: host, path, service, time, weight, location.

Used by the one-line form and by documents alike, so both say the same. Each raises Mistake with the place.
"""

from __future__ import annotations

import re
from urllib.parse import quote as percent_encode

from .text import Mistake, Token, quote

HOST_MAX_CHARACTERS = 253
"""RFC 1035: the longest name that DNS can carry."""
LABEL_MAX_CHARACTERS = 63
PATH_MAX_CHARACTERS = 1024
"""An eighth of the longest request target the proxy takes: a route is no longer than what it matches."""
SERVICE_MAX_CHARACTERS = 128
LOCATION_MAX_CHARACTERS = 2048
TIMEOUT_MAX_MS = 60 * 60 * 1000
"""An hour: a longer time is a mistyped unit; a stream without an end has no timeout."""

RESERVED_SERVICES = frozenset({"meshnode", "edge", "consul"})
"""Registrations of the mesh and of Consul itself: never a destination, never a service of a node."""

REDIRECT_STATUSES = (301, 302, 303, 307, 308)

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?")
_SERVICE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_PATH_CHARACTERS = re.compile(r"[A-Za-z0-9._~!$&'()+,;=:@%/-]*")
_PERCENT = re.compile(r"%([0-9A-Fa-f]{2})?")
_DURATION = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,3}))?([A-Za-zµ]*)")
_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000}
_LOCATION = re.compile(r"(?:https?://(?P<authority>[A-Za-z0-9._:\[\]-]+))?(?P<rest>[/?#].*)?")
_LOCATION_CHARACTERS = re.compile(r"[!#$%&'()*+,./0-9:;=?@A-Z\[\]_a-z~-]*")


def host(token: Token) -> str:
    """A host in lower case: a name, `*.` and a name, or `*`."""
    text = token.text.lower().removesuffix(".")
    if text == "*":
        return text
    if not text:
        raise Mistake('the host is missing; "*" takes any host', token, "*")
    skipped = 2 if text.startswith("*.") else 0
    name = text[skipped:]
    if "*" in name:
        raise Mistake('"*" stands alone or in front as "*.shop.example"', token)
    if text.startswith("["):
        raise Mistake("an IPv6 address as host is not in this version yet", token)
    if ":" in name:
        sentence = "a route has no port: the edge's listener has it"
        raise Mistake(sentence, token, text[: text.index(":")])
    if not name.isascii():
        raise Mistake(f"the host {quote(text)} must be written in ASCII", token, _punycode(text))
    if len(text) > HOST_MAX_CHARACTERS:
        raise Mistake(f"a host has at most {HOST_MAX_CHARACTERS} characters", token)
    _check_labels(name, token, skipped)
    if name == "mesh" or name.endswith(".mesh"):
        sentence = (
            f"the edge refuses {quote(text)}: names under .mesh are for calls between services"
        )
        raise Mistake(sentence, token)
    return text


def path(token: Token, *, is_exact: bool) -> str:
    """A path in its one form: a prefix without a trailing slash, else as written, since bytes are compared."""
    text = token.text
    if not text.startswith("/"):
        raise Mistake(f'a path begins with "/", {quote(text)} does not', token, "/" + text)
    if len(text) > PATH_MAX_CHARACTERS:
        raise Mistake(f"a path has at most {PATH_MAX_CHARACTERS} characters", token)
    for character, sentence in _PATH_MISTAKES:
        if (at := text.find(character)) >= 0:
            raise Mistake(sentence, token.part(at, len(character)))
    if not text.isascii():
        suggestion = percent_encode(text, safe="/%!$&'()+,;=:@~")
        raise Mistake("a path is written in ASCII, percent-encoded", token, suggestion)
    end = _PATH_CHARACTERS.match(text)
    if end and end.end() < len(text):
        raise Mistake(f"{quote(text[end.end()])} has no place in a path", token.part(end.end(), 1))
    for found in _PERCENT.finditer(text):
        _check_percent(found, token)
    _check_segments(text, token)
    return text if is_exact or text == "/" else text.removesuffix("/")


def strip(token: Token, route_path: str) -> str:
    """The prefix to take off a request's path: `route_path` or the beginning of it by whole segments."""
    prefix = path(token, is_exact=False)
    if prefix == "/":
        raise Mistake('strip "/" would take nothing away', token)
    if route_path != prefix and not route_path.startswith(prefix + "/"):
        sentence = f"strip {quote(prefix)} never applies: the route's path is {quote(route_path)}"
        raise Mistake(sentence, token, route_path if route_path != "/" else None)
    return prefix


def service(token: Token) -> str:
    """A service's name as Consul has it: letters, digits, `_`, `.` and `-`."""
    text = token.text
    if not text:
        raise Mistake("the service's name is missing", token)
    if "/" in text or re.fullmatch(r"[^:]*:[0-9]+", text):
        raise Mistake(f"a route leads to a service's name in Consul, not to {quote(text)}", token)
    if text in RESERVED_SERVICES:
        raise Mistake(f"{quote(text)} is no service to lead to: the mesh uses it itself", token)
    if len(text) > SERVICE_MAX_CHARACTERS:
        raise Mistake(f"a service's name has at most {SERVICE_MAX_CHARACTERS} characters", token)
    if not is_service_name(text):
        sentence = f"{quote(text)} is no service's name: letters, digits, _ . and - make one"
        raise Mistake(sentence, token)
    return text


def is_service_name(name: str) -> bool:
    """Whether a name of Consul's catalog may be a destination here."""
    return len(name) <= SERVICE_MAX_CHARACTERS and _SERVICE.fullmatch(name) is not None


def timeout_ms(token: Token) -> int:
    """A time with its unit (`500ms`, `2s`, `1.5s`, `1m`) in milliseconds, above 0, at most TIMEOUT_MAX_MS."""
    found = _DURATION.fullmatch(token.text)
    if not found:
        raise Mistake(f"{quote(token.text)} is no time; write one as 500ms, 2s or 1m", token)
    whole, fraction, unit = found.groups()
    if not unit:
        raise Mistake(
            f"the time {quote(token.text)} needs a unit: ms, s or m", token, token.text + "s"
        )
    if unit not in _UNITS_MS:
        raise Mistake(
            f"the unit {quote(unit)} is not known: ms, s or m", token.part(found.start(3))
        )
    thousandths = int(whole) * 1000 + int((fraction or "0").ljust(3, "0"))
    milliseconds, rest = divmod(thousandths * _UNITS_MS[unit], 1000)
    if rest:
        raise Mistake("a time is counted in whole milliseconds", token)
    if not milliseconds:
        raise Mistake("a timeout of 0 would let nothing through; leave it away for none", token)
    if milliseconds > TIMEOUT_MAX_MS:
        raise Mistake("a timeout is at most 60m", token)
    return milliseconds


def percent(token: Token) -> int:
    """A share as a whole percentage, `90%`, from 0 to 100."""
    found = re.fullmatch(r"([0-9]{1,9})(\.[0-9]+)?(%?)", token.text)
    if not found:
        raise Mistake(f"{quote(token.text)} is no share; write one as 90%", token)
    if found[2]:
        raise Mistake("shares are whole percentages in this version", token)
    if not found[3]:
        raise Mistake(f"the share {quote(token.text)} needs its %", token, token.text + "%")
    share = int(found[1])
    if share > 100:
        raise Mistake("a share is at most 100%", token)
    return share


def status(token: Token) -> int:
    """A redirect's status code."""
    known = [str(code) for code in REDIRECT_STATUSES]
    if token.text not in known:
        sentence = f"a redirect has the status {', '.join(known[:-1])} or {known[-1]}"
        raise Mistake(f"{sentence}, not {quote(token.text)}", token)
    return int(token.text)


def location(token: Token) -> str:
    """Where a redirect leads: a whole http(s) URL, or a path on the same host."""
    text = token.text
    if len(text) > LOCATION_MAX_CHARACTERS:
        raise Mistake(f"a location has at most {LOCATION_MAX_CHARACTERS} characters", token)
    end = _LOCATION_CHARACTERS.match(text)
    if end and end.end() < len(text):
        sentence = f"{quote(text[end.end()])} has no place in a URL; percent-encode it"
        raise Mistake(sentence, token.part(end.end(), 1))
    found = _LOCATION.fullmatch(text)
    if text and found and (found["authority"] or text.startswith("/")) and text[:2] != "//":
        return text
    suggestion = None
    if re.match(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(:[0-9]+)?(/|$)", text):
        suggestion = "https://" + text
    sentence = f"a redirect leads to an http(s) URL or a path, not to {quote(text)}"
    raise Mistake(sentence, token, suggestion)


_PATH_MISTAKES = (
    ("?", "a path ends before its query; choosing by query is not in this version yet"),
    ("#", 'a path has no "#": browsers never send what follows it'),
    ("*", 'a path takes all that lies below it without "*"; patterns are not in this version yet'),
    ("//", "a path has no empty segment"),
    ("\\", 'a path\'s segments are divided by "/"'),
)


def _check_labels(name: str, token: Token, offset: int) -> None:
    for label in name.split("."):
        at = token.part(offset, len(label))
        if not label:
            raise Mistake(f"the host {quote(token.text)} has an empty part between its dots", token)
        if len(label) > LABEL_MAX_CHARACTERS:
            raise Mistake(f"a part of a host has at most {LABEL_MAX_CHARACTERS} characters", at)
        if not _LABEL.fullmatch(label):
            raise Mistake(f"{quote(label)} cannot be part of a host", at)
        offset += len(label) + 1


def _punycode(text: str) -> str | None:
    try:
        return text.encode("idna").decode("ascii")
    except UnicodeError:
        return None


def _check_percent(found: re.Match[str], token: Token) -> None:
    at = token.part(found.start(), 3)
    if not found[1]:
        raise Mistake('"%" needs two hexadecimal digits behind it', at)
    character = chr(int(found[1], 16))
    if character.isascii() and (character.isalnum() or character in "-._~"):
        raise Mistake(f"write {quote(character)} instead of {found[0]}", at, character)
    if character in "/\\" or character < " " or character == "\x7f":
        raise Mistake(f"{found[0]} is not taken in a path: programs read it in two ways", at)


def _check_segments(text: str, token: Token) -> None:
    offset = 0
    for segment in text.split("/"):
        if segment in (".", ".."):
            raise Mistake(
                f"{quote(segment)} is no segment of a path", token.part(offset, len(segment))
            )
        offset += len(segment) + 1
