"""One request as the nouns see it, and what they all share. Does nothing itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from .answer import Answer
from .body import MOST_UINT
from .errors import Refused, bad_request
from .shared import Shared
from .store import Store

# Consul's KV and transactions take half a MiB; nothing else one registers is near it.
MAX_BODY_BYTES = 512 * 1024
_MOST_DIGITS = len(str(MOST_UINT))
PAGES = "https://developer.hashicorp.com/docs/agent/config/config-files"


class Query:
    """The parameters behind the `?`, each with its first value; a name without one is there and empty."""

    def __init__(self, text: str, errors: str = "replace") -> None:
        """`errors` says what becomes of bytes that are no text, as for `bytes.decode`."""
        self._values: dict[str, list[str]] = {}
        for name, value in parse_qsl(text, keep_blank_values=True, errors=errors):
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
        try:
            return parse_unsigned(self.get(name))
        except ValueError as error:
            raise Refused(500, str(error)) from None


def parse_unsigned(text: str) -> int:
    """A number without sign of 64 bits. Raises ValueError with Go's words."""
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f'strconv.ParseUint: parsing "{text}": invalid syntax')
    digits = text.lstrip("0") or "0"
    if len(digits) > _MOST_DIGITS or int(digits) > MOST_UINT:
        raise ValueError(f'strconv.ParseUint: parsing "{text}": value out of range')
    return int(digits)


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
    is_of_bytes: bool = False
    """Its names may be bytes that are no text. Elsewhere these are read as U+FFFD, which is how Consul shows them."""
