"""Which key holds which kind of document, and the document read: its meaning, or what is wrong with it. Never raises."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from ..keys import DRAIN, SERVICES, SETTINGS, TESTS, TLS, UPSTREAMS
from ..model import KvEntry, Problem
from ..text import VALUE_MAX_BYTES, Mistake, Token, decode, lines, problem_of
from ..yamltree import Mapping, compose
from . import drains, expectations, service, settings, tls, upstreams
from .drains import Drain
from .expectations import RouteTest, read_test
from .service import ServicePolicy
from .settings import MeshSettings
from .tls import TlsSettings
from .upstreams import Upstreams

T_co = TypeVar("T_co", covariant=True)

Meaning = Drain | MeshSettings | RouteTest | ServicePolicy | TlsSettings | Upstreams

WHAT_TEST = "a route test"
_WORD = re.compile(r"\S+")
_DOCUMENT = re.compile(r"[{%]|---|[\"']?[A-Za-z_0-9-]+[\"']?\s*:(\s|$)")


@dataclass(frozen=True, slots=True)
class Written(Generic[T_co]):
    """A document's meaning, where it stands, and how it is written."""

    key: str
    index: int
    meaning: T_co
    value: bytes = b""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of document: what it is called in a sentence, one as an example, and what reads it."""

    what: str
    example: str
    read: Callable[[Mapping], Meaning]
    most_bytes: int = VALUE_MAX_BYTES


_KINDS: dict[str, Kind] = {
    DRAIN: Kind("a drain", drains.EXAMPLE, drains.read_drain),
    SERVICES: Kind("a service's policy", service.EXAMPLE, service.read_service),
    SETTINGS: Kind("the mesh's settings", settings.EXAMPLE, settings.read_settings),
    TLS: Kind("a host's TLS settings", tls.EXAMPLE, tls.read_tls, tls.TLS_MAX_BYTES),
    UPSTREAMS: Kind("a service's upstreams", upstreams.EXAMPLE, upstreams.read_upstreams),
}


def read_entry(prefix: str, entry: KvEntry) -> Written[Meaning] | Problem:
    """The document of a key that begins with `prefix`, else what is wrong with it."""
    text: str | None = None
    try:
        text = _decoded(prefix, entry.value)
        meaning = _meaning(prefix, text)
    except Mistake as mistake:
        if prefix == TLS:
            # The line itself may be a key in clear.
            return replace(problem_of(entry, text or "", mistake), source=None)
        return problem_of(entry, text or entry.value.decode("utf-8", "replace"), mistake)
    return Written(entry.key, entry.modify_index, meaning, entry.value)


def read_tls_entry(entry: KvEntry) -> Problem | Written[TlsSettings]:
    """The TLS settings of an entry, else what every node would say is wrong with them."""
    found = read_entry(TLS, entry)
    if isinstance(found, Problem):
        return found
    assert isinstance(found.meaning, TlsSettings)
    return Written(found.key, found.index, found.meaning, found.value)


def _decoded(prefix: str, value: bytes) -> str:
    if prefix == TESTS:
        return decode(value, WHAT_TEST)
    kind = _KINDS[prefix]
    return decode(value, kind.what, kind.most_bytes)


def _meaning(prefix: str, text: str) -> Meaning:
    if prefix == TESTS:
        return _test(text)
    if prefix == DRAIN and not _is_document(text):
        return _line(text)
    kind = _KINDS[prefix]
    return kind.read(compose(text, kind.example))


def _test(text: str) -> RouteTest:
    said = _said(text)
    if not said:
        raise Mistake(f"the test expects nothing; a line is {expectations.EXAMPLE}")
    return read_test(said)


def _is_document(text: str) -> bool:
    said = _said(text)
    return not said or _DOCUMENT.match(said[0][1].strip()) is not None


def _line(text: str) -> Drain:
    said = _said(text)
    number, line = said[0]
    if len(said) > 1:
        at = said[1][0]
        raise Mistake("a drain is one line, or a document of fields", Token("", at, 1, 1))
    words = [
        Token(found.group(), number, found.start() + 1, len(found.group()))
        for found in _WORD.finditer(line)
    ]
    return drains.read_line(words)


def _said(text: str) -> list[tuple[int, str]]:
    """The lines that are neither empty nor a comment, with their numbers."""
    return [
        (number, line)
        for number, line in enumerate(lines(text), start=1)
        if line.strip() and not line.strip().startswith("#")
    ]
