"""How requests are sent on, as routes, services and the whole mesh may say: times, retries, headers. Merges nothing.

What is read has the names and the form of docs/boundary.md, so that a merged route is what the proxy takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .fields import Read, time_ms

FIELDS: Mapping[str, tuple[str, Read]] = {
    "timeout": ("timeout_ms", time_ms),
    "timeout_head": ("head_timeout_ms", time_ms),
    "timeout_idle": ("idle_timeout_ms", time_ms),
}
"""A document's field: the route resource's, and what reads it."""

READERS: Mapping[str, Read] = {name: read for name, (_, read) in FIELDS.items()}


def taken(found: Mapping[str, Any]) -> dict[str, Any]:
    """Of the fields of a document those that are about sending on, by the resource's names."""
    return {FIELDS[name][0]: value for name, value in found.items() if name in FIELDS}
