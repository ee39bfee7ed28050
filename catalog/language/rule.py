"""What a route says, however it was written: what it takes and what is done; nothing of where it stands in KV."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PathKind = Literal["prefix", "exact", "glob", "regex"]
Place = Literal["header", "query", "cookie"]
RedirectPath = Literal["rest", "whole", "none"]
Comparison = Literal["exact", "prefix", "suffix", "regex", "present"]


@dataclass(frozen=True, slots=True)
class Split:
    """Requests go to targets by weight: (target, weight) in the order written; one part with weight 1 is the rule.

    A target is a service, or a subset of it by what its instances say: `cart[tag=v2]` (targets.py).
    """

    parts: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Redirect:
    """The answer is a redirect. `path` says what of the request's path is put behind the location.

    None for `path` and `query`: the rest and the query where the location ends in `/`, else nothing.
    """

    status: int
    location: str
    path: RedirectPath | None = None
    query: bool | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer is this one. `content_type` None: plain text."""

    status: int
    body: str = ""
    content_type: str | None = None


Action = Split | Redirect | Answer


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing a request's head must say; `value` is empty where any will do (`present`)."""

    place: Place
    name: str
    comparison: Comparison
    value: str = ""
    is_negated: bool = False


Fields = tuple[tuple[str, str], ...]
"""Header fields: name in lower case and value, those of one name together."""


@dataclass(frozen=True, slots=True)
class HeaderEdits:
    """Fields taken away, put in place of all of their name, and put beside those there are, in this order."""

    remove: tuple[str, ...] = ()
    set: Fields = ()
    add: Fields = ()

    def __bool__(self) -> bool:
        """Whether anything changes."""
        return bool(self.remove or self.set or self.add)


NO_EDITS = HeaderEdits()


@dataclass(frozen=True, slots=True)
class Backoff:
    """Between two tries lies a time between half and all of base · 2ⁿ, at most `max_ms`."""

    base_ms: int
    max_ms: int


@dataclass(frozen=True, slots=True)
class Budget:
    """Retries may be so many in a hundred of the route's requests, beside so many a second."""

    percent: int
    per_second: int


@dataclass(frozen=True, slots=True)
class Retries:
    """When a request is sent again, and how often. None: the proxy's own (docs/boundary.md)."""

    attempts: int
    on: tuple[str, ...] | None = None
    per_try_timeout_ms: int | None = None
    backoff: Backoff | None = None
    budget: Budget | None = None
    non_idempotent: bool = False


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """How many requests go on: a second (and how many at once), and at one time. `per` None: counted all together."""

    requests_per_second: int | None = None
    burst: int | None = None
    concurrent: int | None = None
    per: str | None = None


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A path that `regex` takes whole becomes `to`, with `$1` and `${name}` filled in."""

    regex: str
    to: str


@dataclass(frozen=True, slots=True)
class Https:
    """Whether requests in clear are sent to https, and how long browsers are told to come by it alone."""

    is_redirected: bool = False
    hsts_max_age_s: int | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One route's meaning.

    A host is lower case without port and trailing dot (`*.` in front: one or more labels, `*`: any). A prefix matches
    by whole segments and has no trailing slash; globs and regexes take the whole path. `conditions` all hold, headers
    before query before cookies; of `client_addresses` and `sources` one does. `timeout_ms` is for the whole request,
    `body_bytes` for its body. `port` or `sni`, its server names, are of a route of raw connections, which has no hosts
    and takes every path (streams.py).
    """

    hosts: tuple[str, ...]
    path: str
    action: Action
    path_kind: PathKind = "prefix"
    methods: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    client_addresses: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    priority: int = 0
    strip_prefix: str | None = None
    add_prefix: str | None = None
    rewrite_path: Rewrite | None = None
    rewrite_host: str | None = None
    request_headers: HeaderEdits = NO_EDITS
    response_headers: HeaderEdits = NO_EDITS
    timeout_ms: int | None = None
    head_timeout_ms: int | None = None
    idle_timeout_ms: int | None = None
    retries: Retries | None = None
    https: Https | None = None
    body_bytes: int | None = None
    limits: RequestLimits | None = None
    port: int | None = None
    sni: tuple[str, ...] = ()

    @property
    def is_raw(self) -> bool:
        """Whether it takes connections, of which nothing is known but their bytes."""
        return self.port is not None or bool(self.sni)

    @property
    def pattern(self) -> str:
        """Hosts and path, the port or the server names, as the one-line form writes them."""
        if self.port is not None:
            return f"tcp :{self.port}"
        if self.sni:
            return f"sni {','.join(self.sni)}"
        return ",".join(self.hosts) + _SIGNS[self.path_kind] + self.path

    @property
    def targets(self) -> tuple[str, ...]:
        """What it sends requests to, in the order written: services, and subsets of them."""
        return (
            tuple(name for name, _ in self.action.parts) if isinstance(self.action, Split) else ()
        )

    @property
    def services(self) -> tuple[str, ...]:
        """The services of its targets, each once."""
        return tuple(dict.fromkeys(target.partition("[")[0] for target in self.targets))


_SIGNS: dict[PathKind, str] = {"prefix": "", "exact": "=", "regex": "~", "glob": ""}
