"""A service's policy, `mesh/services/<service>`: how requests to it are sent on, and which of its instances count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from ..text import Mistake, quote
from ..yamltree import Mapping as Fields
from . import sent_on
from .fields import Shape, word
from .instance_tls import read_instance_tls

Warned = Literal["in", "out"]

HTTP = "http"
TCP = "tcp"
AUTO = "auto"
"""What callers speak, found out by the first bytes of each connection to a port that means this service."""

HTTP2_PROTOCOLS = ("http2", "grpc")
"""Words for one thing: a call of gRPC is a request in HTTP/2, and is known by its content type."""


@dataclass(frozen=True, slots=True)
class ServicePolicy:
    """`sent_on` by the names of a route's resource. `warning`: whether instances with a warning check get requests.

    `protocol`: what its instances speak, in the policy's own word.
    """

    sent_on: Mapping[str, Any]
    warning: Warned = "in"
    protocol: str = HTTP
    tls: Mapping[str, Any] | None = None
    """How its instances are spoken to by TLS, as docs/boundary.md has it; None: in clear."""
    limits: Mapping[str, Any] | None = None
    """How many requests it takes, as docs/boundary.md has it; None: any."""

    @property
    def spoken(self) -> str:
        """What its instances speak, in the proxy's words."""
        return "http2" if self.protocol in HTTP2_PROTOCOLS else self.protocol

    @property
    def is_raw(self) -> bool:
        """Whether what is sent to it are connections, of which nothing is known but their bytes."""
        return self.protocol == TCP


_TLS = "the protocol is what is spoken inside; that instances end TLS says tls: NAME, as in tls: db.example"
SHAPE = Shape(
    {
        **sent_on.READERS,
        "protocol": word(
            (HTTP, *HTTP2_PROTOCOLS, TCP, AUTO), ("udp",), {"tls": _TLS, "https": _TLS, "grpcs": _TLS}
        ),
        "balance": word(
            ("weighted_round_robin",),
            ("round_robin", "least_request", "random", "hash", "ring_hash", "maglev", "p2c"),
            has_fields_later=True,
        ),
        "health": word(("consul",), ("active", "passive", "none"), has_fields_later=True),
        "mtls": word(("permissive",), ("strict", "off", "disabled"), has_fields_later=True),
        "warning": word(("in", "out")),
        "tls": read_instance_tls,
        "limits": sent_on.request_limits,
    },
    later=(
        "circuit_breaker", "connections", "ejection", "hash", "locality", "middlewares", "mirror", "outlier",
        "slow_start", "sticky", "subsets",
    ),
    elsewhere={
        **dict.fromkeys(
            ("body_bytes", "burst", "concurrent", "rate_limit", "requests_per_second"),
            "limits stand in a mapping, as in limits: {requests_per_second: 100}",
        ),
        "host": "a route says who is led here, under mesh/routes/",
        "path": "a route says who is led here, under mesh/routes/",
        "port": "the port is what the instance registered in Consul",
        "service": "the service is the name of the key",
        "tags": "a route chooses instances by tag, as in cart[tag=v2]",
        "upstreams": "a service's own calls stand under mesh/upstreams/",
        "weight": "an instance's weight is its registration's, in Consul",
        "weights": "an instance's weights are its registration's, in Consul",
    },
)  # fmt: skip

OF_REQUESTS = frozenset({*sent_on.READERS, "limits"} - {"timeout_idle"})
"""Fields that raw connections have no use for."""

EXAMPLE = "timeout: 2s"


def read_service(root: Fields) -> ServicePolicy:
    """The policy of a document. Raises Mistake."""
    found = SHAPE.read(root)
    protocol = found.get("protocol", HTTP)
    for name, at in root.names.items():
        if protocol == TCP and name in OF_REQUESTS:
            sentence = f"{quote(name)} is about requests, and a service with protocol: tcp gets none: raw connections have nothing to look at"
            raise Mistake(sentence, at)
        if protocol == AUTO and name == "tls":
            sentence = (
                'the field "tls" is not for protocol: auto, whose callers speak TLS to the instances themselves; '
                "for nodes to do it say what is spoken inside, as in protocol: http"
            )
            raise Mistake(sentence, at)
    warning = cast("Warned", found.get("warning", "in"))
    limits = found.get("limits", {})
    of_routes = sent_on.taken(found)
    if "body_bytes" in limits:
        of_routes["body_bytes"] = limits["body_bytes"]
    return ServicePolicy(of_routes, warning, protocol, found.get("tls"), limits.get("limits"))
