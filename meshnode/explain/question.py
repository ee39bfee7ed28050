"""The request somebody asks about, from words as curl takes them. Sends nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ..errors import UsageError

# RFC 9110 §5.6.2; a method and a field name are tokens.
TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
SCHEMES = ("http", "https")
PORT = re.compile(r":([0-9]{1,5})$")
"""Behind a host or an address in brackets."""
RAW = {"tcp": "tcp", "sni": "tls"}
"""How a route says which raw connections it takes, and the scheme by which they are asked about."""
EDGE = "edge"
"""How the edge is called where callers are named; the name is reserved, so no service has it."""
EXAMPLE = "meshnode explain http://shop.example/cart"


@dataclass(frozen=True, slots=True)
class Question:
    """A request in mind. `source` is the calling service; None: a stranger at the edge.

    `path` has the query, `host` the port where one was given; header names are as written. `listener` names the one it
    comes in by; None: whichever is for such requests. `port` is the one a client connects to, where its URL names one.
    """

    host: str
    path: str = "/"
    method: str = "GET"
    scheme: str = "http"
    headers: tuple[tuple[str, str], ...] = ()
    source: str | None = None
    client_address: str | None = None
    listener: str | None = None
    port: int | None = None

    @property
    def is_raw(self) -> bool:
        """Whether it is a connection, not a request."""
        return self.scheme in RAW.values()

    @property
    def line(self) -> str:
        """The request as it was read; a connection in the words of its route."""
        if self.is_raw:
            word = next(word for word, scheme in RAW.items() if scheme == self.scheme)
            return f"{word} {self.host}"
        return f"{self.method} {self.host} {self.path}"

    @property
    def caller(self) -> str:
        """As people say it."""
        return self.source or EDGE

    def to_json(self) -> dict[str, Any]:
        """As `POST /v1/explain` takes it (docs/boundary.md)."""
        document: dict[str, Any] = {
            "listener": self.listener or (EDGE if self.source is None else "outbound"),
            "method": self.method,
            "scheme": self.scheme,
            "host": self.host,
            "path": self.path,
            "headers": [[name.lower(), value] for name, value in self.headers],
        }
        if self.source is not None:
            document["source"] = self.source
        if self.client_address is not None:
            document["client_address"] = self.client_address
        return document


def question_of_words(
    url: str,
    *,
    method: str = "GET",
    headers: tuple[str, ...] = (),
    source: str | None = None,
    client_address: str | None = None,
) -> Question:
    """The request that curl would make of the same words. Raises UsageError.

    A `Host` header takes the place of the URL's, as curl has it, so that what is tried on an address can be asked as it
    is. The path goes as it is written: what the proxy makes of `..` or `%2F` is part of the answer.
    """
    source = _caller(source)
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "http", url
    if scheme.lower() not in SCHEMES:
        raise UsageError(f'"{url}": a URL begins with http:// or https://, as in {EXAMPLE}')
    rest = rest.partition("#")[0]
    cut = next((at for at, letter in enumerate(rest) if letter in "/?"), len(rest))
    host, path = rest[:cut].rpartition("@")[2], rest[cut:]
    if path.startswith("?") or not path:
        path = f"/{path}"
    if not TOKEN.fullmatch(method):
        raise UsageError(f'"{method}" is no method: one word such as GET or POST')
    port = PORT.search(host)
    fields = [_field(line) for line in headers]
    named = [value for name, value in fields if name.lower() == "host"]
    host = named[-1] if named else host
    if not host:
        raise UsageError(f'"{url}" names no host: {EXAMPLE}')
    return Question(
        host=host,
        path=path,
        method=method,
        scheme=scheme.lower(),
        headers=tuple(field for field in fields if field[0].lower() != "host"),
        source=source,
        client_address=client_address,
        port=int(port[1]) if port else None,
    )


def question_of_connection(
    target: str, *, source: str | None = None, client_address: str | None = None
) -> Question | None:
    """The raw connection that words like `tcp :5432` and `sni db.example` mean; None: these mean none. Raises UsageError."""
    source = _caller(source)
    word, _, where = target.partition(" ")
    where = where.strip()
    if word not in RAW or not where:
        return None
    if word == "sni" and source is not None:
        raise UsageError("TLS is passed on at the edge alone: --as goes with tcp and with a URL")
    if word == "tcp" and not re.fullmatch(r"\S*:[0-9]{1,5}", where):
        raise UsageError(f"\"{target}\": a port is a number behind a colon, as in 'tcp :5432'")
    return Question(
        host=where,
        path="",
        scheme=RAW[word],
        source=source,
        client_address=client_address,
    )


def _caller(source: str | None) -> str | None:
    """The calling service; the edge is a stranger's way in, by its name as well."""
    return None if source == EDGE else source


def _field(line: str) -> tuple[str, str]:
    name, separator, value = line.partition(":")
    if not separator or not TOKEN.fullmatch(name):
        raise UsageError(f"-H '{line}': a header is a name, a colon and a value: -H 'x-beta: 1'")
    return name, value.strip(" \t")
