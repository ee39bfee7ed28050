"""What the compiler has to know of the node it compiles for; meshnode fills it in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from .policies.tls import TlsJudge, no_judge


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """The node's names, addresses and settings.

    `node`, `datacenter` and `address` are Consul's. `trust_domain` is None until the certificates are there.
    `edge_address` is None on a node without an edge. Outbound listeners stand on `outbound_host`, at the port of
    meta `mesh-outbound-port`, else of `outbound_ports` by service. `callers` is how a caller is proven (`port`: not).
    `intention_default` is the own setting, None to follow Consul. `uid_of` gives a user's number by name, None when
    there is none. `limits` are the proxy's, by the names of docs/boundary.md. `edge_tls_address` is None where the edge has no TLS,
    `https_port` the port of it that clients see. `file_hosts` are those whose certificate is a file here, `tls_judge`
    says what is wrong with certificates in KV.
    """

    node: str
    datacenter: str
    address: str
    trust_domain: str | None = None
    edge_address: str | None = None
    mesh_address: str = "0.0.0.0:7443"
    outbound_host: str = "127.0.0.1"
    outbound_ports: Mapping[str, int] = field(default_factory=dict)
    callers: Literal["user", "port"] = "user"
    intention_default: Literal["allow", "deny"] | None = None
    trace_ratio: float = 1.0
    trusted_proxies: tuple[str, ...] = ()
    uid_of: Callable[[str], int | None] = lambda _name: None
    limits: Mapping[str, int] = field(default_factory=dict)
    edge_tls_address: str | None = None
    https_port: int | None = None
    file_hosts: frozenset[str] = frozenset()
    tls_judge: TlsJudge = no_judge
