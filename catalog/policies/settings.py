"""Mesh-wide settings, `mesh/settings`: what holds where neither a route nor a service says otherwise. Reads nothing else.

What a machine has to know before it reaches Consul stands in its settings file instead (docs/settings.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

from ..language.limits import BODY_MAX_BYTES, MEMORY_MAX_BYTES
from ..text import Mistake, Token, quote
from ..yamltree import Mapping as Fields
from ..yamltree import Node
from . import sent_on
from .fields import Read, Shape, flag, number, texts, time_ms, time_ms_to

NETWORKS_MAX = 256
"""As the proxy takes."""

DETECT_TIMEOUT_MAX_MS = 10_000
"""As the proxy takes: nobody waits longer for a server that speaks first."""


@dataclass(frozen=True, slots=True)
class MeshSettings:
    """`sent_on` by the names of a route's resource, `node` by those of the settings resource, `limits` of its limits."""

    sent_on: Mapping[str, Any] = field(default_factory=dict)
    node: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)


def _networks(node: Node, name: Token) -> list[str]:
    found = []
    for at in texts(node, name):
        try:
            found.append(str(ip_network(at.text)))
        except ValueError:
            near = _host_bits(at.text)
            sentence = f"{quote(at.text)} is no network" + (
                "" if near else ", as 10.0.0.0/8 is one"
            )
            raise Mistake(sentence, at, near) from None
    if len(found) > NETWORKS_MAX:
        raise Mistake(f"there are at most {NETWORKS_MAX} networks", node.at)
    return found


def _host_bits(text: str) -> str | None:
    """The network of an address that was written with its mask."""
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        return None


_LIMITS: dict[str, tuple[str, Read]] = {
    "head_bytes": ("head_bytes", number(1024, 65_536)),
    "headers": ("headers", number(1, 256)),
    "head_timeout": ("head_timeout_ms", time_ms),
    "idle_timeout": ("idle_timeout_ms", time_ms),
    "body_idle_timeout": ("body_idle_timeout_ms", time_ms),
    "tunnel_idle_timeout": ("tunnel_idle_timeout_ms", time_ms),
    "connect_timeout": ("connect_timeout_ms", time_ms),
    "detect_timeout": ("detect_timeout_ms", time_ms_to(DETECT_TIMEOUT_MAX_MS)),
    "connections": ("connections", number(1, 1_000_000)),
    "connections_per_client": ("connections_per_client", number(1, 1_000_000)),
    "tls_handshakes": ("tls_handshakes", number(1, 100_000)),
    "pool_idle_per_endpoint": ("pool_idle_per_endpoint", number(0, 10_000)),
    "pool_idle_timeout": ("pool_idle_timeout_ms", time_ms),
    "http2_streams": ("http2_streams", number(1, 1000)),
    "http2_resets": ("http2_resets", number(1, 200)),
    "http2_stream_window_bytes": ("http2_stream_window_bytes", number(1024, 16_777_216)),
    "http2_connection_window_bytes": ("http2_connection_window_bytes", number(65_535, 16_777_216)),
    "body_bytes": ("body_bytes", number(1, BODY_MAX_BYTES)),
    "overload_lag": ("overload_lag_ms", time_ms),
    "overload_memory_bytes": ("overload_memory_bytes", number(1 << 20, MEMORY_MAX_BYTES)),
}
"""A document's limit: the proxy's, and what reads it."""

LIMITS_SHAPE = Shape({name: read for name, (_, read) in _LIMITS.items()})
_NODE: dict[str, Read] = {"trusted_clients": _networks, "strict_paths": flag}
SHAPE = Shape(
    {**sent_on.READERS, **_NODE, "limits": LIMITS_SHAPE.mapping},
    later=(
        "access_log",
        "balance",
        "middlewares",
        "mirror",
        "mtls",
        "request_id",
        "tls",
        "tracing",
    ),
    elsewhere={
        "consul": "it stands in each node's settings file (docs/settings.md)",
        "edge_address": "it stands in each node's settings file (docs/settings.md)",
        "mesh_address": "it stands in each node's settings file (docs/settings.md)",
        "trace_ratio": "it stands in each node's settings file (docs/settings.md)",
        "trusted_proxies": "it stands in each node's settings file (docs/settings.md)",
        **dict.fromkeys(_LIMITS, "limits stand in a mapping, as in limits: {head_bytes: 16384}"),
    },
)

EXAMPLE = "timeout: 30s"


def read_settings(root: Fields) -> MeshSettings:
    """The settings of a document. Raises Mistake."""
    found = SHAPE.read(root)
    limits = found.get("limits", {})
    return MeshSettings(
        sent_on.taken(found),
        {name: found[name] for name in _NODE if name in found},
        {_LIMITS[name][0]: value for name, value in limits.items()},
    )
