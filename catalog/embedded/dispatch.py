"""Which handler answers a method and a path; what Consul has and we have not is 501 by name, the rest is its 404."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from .answer import Answer
from .call import Route
from .errors import Redirected, Refused, not_here

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
        self._folders = {route.path for route in below}
        self._below = sorted(below, key=lambda route: len(route.path), reverse=True)

    def find(self, path: str) -> Route:
        """Refused with what Consul answers there, or 501."""
        route = self._exact.get(path) or next(
            (route for route in self._below if path.startswith(route.path)), None
        )
        if route is not None:
            return route
        if path + "/" in self._folders:
            raise Redirected(path + "/")
        if path.startswith(NOT_HERE):
            raise not_here(path)
        if path == "/":
            raise Refused(
                200,
                "meshnode's embedded registry: it speaks the part of Consul's HTTP API a mesh on one machine needs.",
            )
        hint = (
            "not a recognized HTTP API endpoint"
            if "/v1/" in path
            else "if attempting to use the HTTP API, ensure the path starts with '/v1/'"
        )
        raise Refused(404, f"Invalid URL path: {hint}\n")


def method_answer(route: Route, method: str) -> Answer | None:
    """What OPTIONS is answered; None for a method the path has. Refused with 405 for another."""
    if method in route.methods:
        return None
    allowed = ",".join(("OPTIONS", *route.methods))
    if method == "OPTIONS":
        return Answer(raw=b"", headers={"Allow": allowed})
    raise Refused(405, f"method {method} not allowed", (("Allow", allowed),))


def clean_path(raw: str) -> str | None:
    """Where a path with `..`, `.` or `//` is sent on to, as Go's server does; None for one that is clean.

    `raw` is still escaped: what is escaped is a name and no way.
    """
    cleaned = posixpath.normpath("/" + raw.lstrip("/"))
    if raw.endswith("/") and not cleaned.endswith("/"):
        cleaned += "/"
    return None if cleaned == raw else cleaned
