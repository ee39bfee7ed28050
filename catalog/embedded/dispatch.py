"""Which handler answers a method and a path; what Consul has and we have not is 501 by name, the rest is its 404."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from .answer import Answer, text
from .call import Route
from .errors import Refused, not_here

# Consul's other doors; a trailing slash stands for all below.
NOT_HERE = (
    "/v1/acl/",
    "/v1/agent/",
    "/v1/catalog/",
    "/v1/config",
    "/v1/connect/",
    "/v1/coordinate/",
    "/v1/discovery-chain/",
    "/v1/event/",
    "/v1/exported-services",
    "/v1/health/",
    "/v1/internal/",
    "/v1/operator/",
    "/v1/peering",
    "/v1/query",
    "/v1/snapshot",
    "/v1/status/",
)


class Table:
    """All routes. The longest path that fits wins, as in Consul's own server."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._exact = {route.path: route for route in routes if not route.path.endswith("/")}
        below = [route for route in routes if route.path.endswith("/")]
        self._below = sorted(below, key=lambda route: len(route.path), reverse=True)

    def find(self, path: str) -> Route:
        """Refused with what Consul answers there, or 501."""
        route = self._exact.get(path) or next(
            (route for route in self._below if path.startswith(route.path)), None
        )
        if route is not None:
            return route
        if path.startswith(NOT_HERE):
            raise not_here(path)
        hint = (
            "not a recognized HTTP API endpoint"
            if "/v1/" in path
            else "if attempting to use the HTTP API, ensure the path starts with '/v1/'"
        )
        raise Refused(404, f"Invalid URL path: {hint}\n")


def method_answer(route: Route, method: str) -> Answer | None:
    """What the method alone is answered: OPTIONS, and 405 for one the path has not. None for one it has."""
    if method in route.methods:
        return None
    allowed = ",".join(("OPTIONS", *route.methods))
    if method == "OPTIONS":
        return Answer(raw=b"", headers={"Allow": allowed})
    refused = text(f"method {method} not allowed", 405)
    return Answer(
        refused.document, 405, refused.raw, refused.content_type, headers={"Allow": allowed}
    )


def clean_path(path: str) -> str | None:
    """Where a path with `..`, `.` or `//` is sent on to, as Go's server does; None for one that is clean."""
    cleaned = posixpath.normpath("/" + path.lstrip("/")) if path else "/"
    if path.endswith("/") and not cleaned.endswith("/"):
        cleaned += "/"
    return None if cleaned == path else cleaned
