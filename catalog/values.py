"""The small values in what people write, checked and brought to one form: host, service, time, share, number.

Used by the one-line form and by documents alike, so both say the same. Each raises Mistake with the place.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv6Address

from .suggestions import nearest
from .text import Mistake, Token, quote

HOST_MAX_CHARACTERS = 253
"""RFC 1035: the longest name that DNS can carry."""
LABEL_MAX_CHARACTERS = 63
SERVICE_MAX_CHARACTERS = 128
TIMEOUT_MAX_MS = 60 * 60 * 1000
"""An hour: a longer time is a mistyped unit; a stream without an end has no timeout."""

HSTS_MAX_DAYS = 3650
"""As the proxy takes; preload lists ask for two years."""
HTTPS_PATTERN = (
    "^(off|redirect|hsts=[0-9]{1,4}d|redirect\\+hsts=[0-9]{1,4}d|hsts=[0-9]{1,4}d\\+redirect)$"
)
"""What the setting looks like, for the published schema."""

HOSTS_MAX = 64
"""As the proxy takes: each is a place in its table."""

RESERVED_SERVICES = frozenset({"meshnode", "edge", "consul"})
"""Registrations of the mesh and of Consul itself: never a destination, never a service of a node."""

_HOST = re.compile(r"(?:\*\.)?[a-z0-9_]+(?:-+[a-z0-9_]+)*(?:\.[a-z0-9_]+(?:-+[a-z0-9_]+)*)*")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?")
_SERVICE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_DURATION = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,3}))?([A-Za-zµ]*)")
TIME_PATTERN = "^[0-9]{1,9}(\\.[0-9]{1,3})?(ms|s|m)$"
"""What a time looks like, for the published schema."""
_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000}


def host(token: Token) -> str:
    """A host in lower case: a name, `*.` and a name, `*`, or an IPv6 address in brackets."""
    text = token.text.lower().removesuffix(".")
    if text == "*" or (len(text) <= LABEL_MAX_CHARACTERS and _HOST.fullmatch(text)):
        return text
    if not text:
        raise Mistake('the host is missing; "*" takes any host', token, "*")
    if text.startswith("["):
        return _ipv6(token, text)
    skipped = 2 if text.startswith("*.") else 0
    name = text[skipped:]
    if "*" in name:
        raise Mistake('"*" stands alone or in front as "*.shop.example"', token)
    if ":" in name:
        sentence = "a route has no port: the edge's listener has it"
        raise Mistake(sentence, token, text[: text.index(":")])
    if not name.isascii():
        raise Mistake(f"the host {quote(text)} must be written in ASCII", token, _punycode(text))
    if len(text) > HOST_MAX_CHARACTERS:
        raise Mistake(f"a host has at most {HOST_MAX_CHARACTERS} characters", token)
    _check_labels(name, token, skipped)
    return text


def hosts(tokens: list[Token]) -> tuple[str, ...]:
    """The hosts of a route, none twice, at most HOSTS_MAX."""
    return each_once(tokens, host, most=HOSTS_MAX, what="host", show=quote)


def each_once(
    tokens: list[Token],
    read: Callable[[Token], str],
    *,
    most: int,
    what: str,
    show: Callable[[str], str] = str,
) -> tuple[str, ...]:
    """What a route names several of: in the order they stand in, none twice, at most `most`."""
    found: dict[str, None] = {}
    for token in tokens:
        name = read(token)
        if name in found:
            raise Mistake(f"the {what} {show(name)} stands here twice", token)
        if len(found) == most:
            raise Mistake(f"a route has at most {most} {what}s", token)
        found[name] = None
    return tuple(found)


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


def milliseconds(token: Token, *, what: str = "timeout") -> int:
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
    value_ms, rest = divmod(thousandths * _UNITS_MS[unit], 1000)
    if rest:
        raise Mistake("a time is counted in whole milliseconds", token)
    if not value_ms:
        raise Mistake(f"a {what} of 0 would let nothing through; leave it away for none", token)
    if value_ms > TIMEOUT_MAX_MS:
        raise Mistake(f"a {what} is at most 60m", token)
    return value_ms


def https(token: Token) -> tuple[bool, int | None]:
    """`off`, or `redirect` and `hsts=365d` with a + between: whether clear text is sent to https, and for how long
    browsers are told to come by it alone, in seconds.
    """
    is_redirected, max_age_s = False, None
    if token.text == "off":
        return False, None
    at = 0
    for word in token.text.split("+"):
        part = token.part(at, len(word))
        at += len(word) + 1
        if word == "redirect" and not is_redirected:
            is_redirected = True
        elif word.startswith("hsts=") and max_age_s is None:
            max_age_s = _days(part.part(len("hsts=")))
        else:
            sentence = (
                f"{quote(word)} says nothing of https; it is off, redirect, or redirect+hsts=365d"
            )
            raise Mistake(sentence, part, nearest(word, ("off", "redirect")))
    return is_redirected, max_age_s


def _days(token: Token) -> int:
    found = re.fullmatch(r"([0-9]{1,4})d", token.text)
    if not found or int(found[1]) > HSTS_MAX_DAYS:
        sentence = f"{quote(token.text)} is no time for hsts: whole days up to {HSTS_MAX_DAYS}, as in hsts=365d"
        raise Mistake(sentence, token)
    return int(found[1]) * 86_400


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


def number(token: Token, what: str, lowest: int, highest: int) -> int:
    """A whole number in its range."""
    if re.fullmatch(r"[+-]?[0-9]{1,15}", token.text):
        value = int(token.text)
        if lowest <= value <= highest:
            return value
    raise Mistake(f"{what} is a number from {lowest} to {highest}, not {quote(token.text)}", token)


def one_of(token: Token, what: str, known: tuple[str, ...]) -> str:
    """One of a few words."""
    if token.text in known:
        return token.text
    words = f"{', '.join(known[:-1])} or {known[-1]}"
    suggestion = nearest(token.text, known)
    raise Mistake(f"{what} is {words}, not {quote(token.text)}", token, suggestion)


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


def _ipv6(token: Token, text: str) -> str:
    """An address in its one short form, as the proxy compares it."""
    try:
        address = IPv6Address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        address = None
    if address is None or not text.endswith("]") or address.scope_id:
        raise Mistake(f"{quote(text)} is no IPv6 address in brackets, as in [2001:db8::1]", token)
    mapped = address.ipv4_mapped
    return f"[::ffff:{mapped}]" if mapped else f"[{address.compressed}]"
