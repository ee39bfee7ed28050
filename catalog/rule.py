"""What a route says, however it was written: host, path, action and settings; nothing of where it stands in KV."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Split:
    """Requests go to services by weight: (service, weight) in the order written; one part with weight 1 is the rule."""

    parts: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Redirect:
    """The answer is a redirect; a location that ends in `/` has the rest of the request's path and query behind it."""

    status: int
    location: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One route's meaning.

    `host` is lower case without port and trailing dot (`*.` in front: one or more labels, `*`: any). `path` begins
    with `/`; as a prefix it matches by whole segments and has no trailing slash. `timeout_ms` is for the whole request.
    """

    host: str
    path: str
    is_exact: bool
    action: Split | Redirect
    timeout_ms: int | None = None
    strip_prefix: str | None = None

    @property
    def match(self) -> str:
        """Host and path as the one-line form writes them; equal for two rules that match the same requests."""
        return f"{self.host}{'=' if self.is_exact else ''}{self.path}"

    @property
    def services(self) -> tuple[str, ...]:
        """The services it sends requests to, in the order written."""
        return (
            tuple(name for name, _ in self.action.parts) if isinstance(self.action, Split) else ()
        )
