"""Which keys under `mesh/` mean what: routes, policies, what later versions read, and what no one reads."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .digests import Gathered
from .model import KvEntry, Problem
from .suggestions import nearest
from .text import Mistake, Token, quote
from .values import RESERVED_SERVICES, host, is_service_name

PREFIX = "mesh/"
ROUTES = "mesh/routes/"
DRAIN = "mesh/drain/"
SERVICES = "mesh/services/"
UPSTREAMS = "mesh/upstreams/"
SETTINGS = "mesh/settings"
TESTS = "mesh/tests/"
TLS = "mesh/tls/"

NAME_MAX_CHARACTERS = 200
"""A route's name stands in spans, metrics and log lines."""

EXAMPLES = {
    ROUTES: "mesh/routes/shop",
    DRAIN: "mesh/drain/update",
    TESTS: "mesh/tests/shop",
    SERVICES: "mesh/services/cart",
    UPSTREAMS: "mesh/upstreams/web",
}
"""A key below each folder whose names are people's own."""

FOLDERS = ("routes", "drain", "services", "tests", "tls", "upstreams")
LATER_FOLDERS = ("middlewares",)

CONFIRM = "mesh/confirm"
"""Says that keys which went all at once are meant to be gone: those that went by the index it holds (held.py)."""

_INDEX = re.compile(rb"[0-9]{1,20}")

_SEGMENT = re.compile(r"[A-Za-z0-9_.-]+")


def route_name(key: str) -> str | None:
    """The name of the route a key holds, None when the key is none or has a wrong name."""
    if not key.startswith(ROUTES):
        return None
    name = key[len(ROUTES) :]
    if len(name) > NAME_MAX_CHARACTERS:
        return None
    for segment in name.split("/"):
        if segment in (".", "..") or not _SEGMENT.fullmatch(segment):
            return None
    return name


WILDCARD = "_wildcard."
"""Stands for `*.` in front of a host in a key."""


def tls_host(key: str) -> str | None:
    """The host whose TLS settings a key holds, `shop.example` or `*.shop.example`; None where it is none."""
    name = key.removeprefix(TLS)
    wildcard = "*." if name.startswith(WILDCARD) else ""
    rest = name.removeprefix(WILDCARD)
    if not key.startswith(TLS) or rest.startswith(("*", "[")) or rest != rest.lower():
        return None
    try:
        host(Token(rest, 1, 1, len(rest)))
    except Mistake:
        return None
    return None if rest.endswith(".") else wildcard + rest


def tls_key(host_name: str) -> str:
    """The key of a host's TLS settings."""
    return TLS + (WILDCARD + host_name[2:] if host_name.startswith("*.") else host_name)


def policy_prefix(key: str) -> str | None:
    """DRAIN, SERVICES, SETTINGS, TESTS, TLS or UPSTREAMS for a key that holds such a text, None for others and wrong names."""
    if key == SETTINGS:
        return SETTINGS
    if key.startswith((SERVICES, UPSTREAMS)):
        prefix = SERVICES if key.startswith(SERVICES) else UPSTREAMS
        name = key[len(prefix) :]
        return prefix if is_service_name(name) and name not in RESERVED_SERVICES else None
    if key.startswith(TLS):
        return TLS if tls_host(key) else None
    for prefix in (DRAIN, TESTS):
        if key.startswith(prefix):
            return prefix if route_name(ROUTES + key[len(prefix) :]) else None
    return None


def keys_digest(entries: Iterable[KvEntry]) -> str:
    """The digest (digests.py) of the lines `<key> <ModifyIndex>`.

    Two nodes that agree have read the same, a deletion included.
    """
    return Gathered(map(key_line, entries)).digest()


def key_line(entry: KvEntry) -> bytes:
    """What the digest of the keys is over."""
    return f"{entry.key} {entry.modify_index}\n".encode("utf-8", "surrogatepass")


def key_problem(entry: KvEntry) -> Problem | None:
    """What is wrong with a key that holds no route.

    None for a folder, which people's tools make and no one reads, and for a policy's key.
    """
    if (entry.key.endswith("/") and not entry.value) or policy_prefix(entry.key):
        return None
    if entry.key == CONFIRM:
        return _confirm_problem(entry)
    sentence, suggestion = _judged(entry.key)
    return Problem(entry.key, entry.modify_index, "error", sentence, suggestion=suggestion)


def confirmed_index(entry: KvEntry) -> int | None:
    """The index CONFIRM holds, None where it holds none."""
    value = entry.value.strip()
    return int(value) if _INDEX.fullmatch(value) else None


def _confirm_problem(entry: KvEntry) -> Problem | None:
    if confirmed_index(entry) is not None:
        return None
    sentence = "it holds the index by which keys went, a number; meshnode confirm writes it"
    return Problem(entry.key, entry.modify_index, "error", sentence)


def _judged(key: str) -> tuple[str, str | None]:
    for prefix, what in ((ROUTES, "a route"), (DRAIN, "a drain"), (TESTS, "a test")):
        if key.startswith(prefix):
            return _wrong_name(key, prefix, what)
    if key.startswith(TLS):
        return _wrong_host(key[len(TLS) :])
    for prefix in (SERVICES, UPSTREAMS):
        if key.startswith(prefix):
            return _wrong_service(key[len(prefix) :], prefix), None
    rest = key.removeprefix(PREFIX)
    first, slash, name = rest.partition("/")
    if slash and first in LATER_FOLDERS:
        what = PREFIX + first + slash
        return f"{what} is not read by this version yet; the key changes nothing", None
    if not slash and first in (*FOLDERS, *LATER_FOLDERS):
        sentence = f"no one reads the key {quote(key)}: names stand below {PREFIX}{first}/"
        return sentence, None
    folders = [folder + "/" for folder in (*FOLDERS, *LATER_FOLDERS)]
    near = nearest(first + slash, folders if slash else ("confirm", "settings"))
    suggestion = PREFIX + near + name if near else None
    if suggestion is None and not slash and route_name(ROUTES + first):
        suggestion = ROUTES + first
    if suggestion is None and slash:
        return (
            f"no one reads keys under {quote(PREFIX + first + slash)}; routes stand under {ROUTES}",
            None,
        )
    sentence = f"no one reads the key {quote(key)}"
    return (
        f"{sentence}; did you mean {quote(suggestion)}?" if suggestion else sentence
    ), suggestion


def _wrong_host(name: str) -> tuple[str, str | None]:
    if not name:
        return (
            f"the host is missing behind {TLS}: put the value under it, as in {TLS}shop.example, and delete this key",
            None,
        )
    right = name.lower().rstrip(".").replace("*.", WILDCARD, 1)
    suggestion = TLS + right if right != name and tls_host(TLS + right) else None
    sentence = f"{quote(name)} is no host, as shop.example is one, or {WILDCARD}shop.example for *.shop.example"
    return (
        f"{sentence}; did you mean {quote(suggestion)}?" if suggestion else sentence
    ), suggestion


def _wrong_service(name: str, prefix: str) -> str:
    if name in RESERVED_SERVICES:
        return f"{quote(name)} is no service of people's: the mesh uses it itself"
    if not name:
        return f"the service's name is missing behind {prefix}: put the value under it, as in {EXAMPLES[prefix]}, and delete this key"
    return f"{quote(name)} is no service's name: letters, digits, _ . and - make one"


def _wrong_name(key: str, prefix: str, what: str) -> tuple[str, str | None]:
    name = key[len(prefix) :]
    if not name:
        example = EXAMPLES[prefix]
        return (
            f"{what}'s name is missing behind {prefix}: put the value under a name, as in {example}, and delete this key",
            None,
        )
    if len(name) > NAME_MAX_CHARACTERS:
        return f"{what}'s name has at most {NAME_MAX_CHARACTERS} characters", None
    segments = [re.sub(r"[^A-Za-z0-9_.-]+", "-", part).strip("-") for part in name.split("/")]
    right = "/".join(part for part in segments if part not in ("", ".", ".."))
    suggestion = prefix + right if right else None
    sentence = f"{what}'s name is made of letters, digits, _ . and -, in folders divided by one /"
    return (
        f"{sentence}; did you mean {quote(suggestion)}?" if suggestion else sentence
    ), suggestion
