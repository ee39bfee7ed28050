"""One request as the nouns see it, and what they all share. Does nothing itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from .answer import Answer
from .errors import Refused, bad_request
from .shared import Shared
from .store import Store

# Consul's KV and transactions take half a MiB; nothing else one registers is near it.
MAX_BODY_BYTES = 512 * 1024
PAGES = "https://developer.hashicorp.com/docs/agent/config/config-files"


class Query:
    """The parameters behind the `?`, each with its first value; a name without one is there and empty."""

    def __init__(self, text: str) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in parse_qsl(text, keep_blank_values=True, errors="surrogateescape"):
            self._values.setdefault(name, []).append(value)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def get(self, name: str, default: str = "") -> str:
        return self._values.get(name, [default])[0]

    def all(self, name: str) -> list[str]:
        return self._values.get(name, [])

    def pairs(self) -> list[tuple[str, str]]:
        return [(name, value) for name, values in self._values.items() for value in values]

    def number(self, name: str) -> int:
        """A number without sign of 64 bits. Refused with Go's words if it is none."""
        text = self.get(name)
        if not (text.isascii() and text.isdigit()):
            raise Refused(500, f'strconv.ParseUint: parsing "{text}": invalid syntax')
        if int(text) >= 2**64:
            raise Refused(500, f'strconv.ParseUint: parsing "{text}": value out of range')
        return int(text)


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `rest` is what stands behind the route's own path, decoded; bytes that are no text are surrogates."""

    method: str
    path: str
    rest: str
    query: Query
    body: bytes
    node: str
    """The node whose agent was asked: that of the listener."""
    shared: Shared

    @property
    def store(self) -> Store:
        return self.shared.store

    def named(self, what: str) -> str:
        """`rest`, which must not be empty: `Missing service name`."""
        if not self.rest:
            raise bad_request(f"Missing {what}")
        return self.rest


Handler = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Route:
    """A path of Consul's API; one that ends with `/` takes all below it. `methods` is method to handler."""

    path: str
    methods: Mapping[str, Handler]
    max_body_bytes: int = MAX_BODY_BYTES
    limit_page: str = f"{PAGES}#kv_max_value_size"
    """Where Consul's own words on a body that is too large point to."""
