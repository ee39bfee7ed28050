"""What the compiler is told of this node: from settings, from Consul, from the certificates. Also kept for a cold start."""

from __future__ import annotations

import functools
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import orjson

from catalog import AgentSelf, NodeFacts

from ..config import Settings
from ..config.collisions import tls_address
from ..config.listening import split_address

SCHEMA = 1
HTTPS_PORT = 443


@dataclass(frozen=True, slots=True)
class Me:
    """Who this node is to Consul. `acls_deny`: its ACLs are on and refuse what no policy allows."""

    node: str
    datacenter: str
    address: str
    acls_deny: bool

    @classmethod
    def of(cls, agent: AgentSelf) -> Self:
        return cls(agent.node, agent.datacenter, agent.address, agent.acls_deny)

    @classmethod
    def load(cls, path: Path) -> Self | None:
        """Who it was the last time Consul was reached; None where nobody knows."""
        try:
            document = orjson.loads(path.read_bytes())
            return cls(
                str(document["node"]),
                str(document["datacenter"]),
                str(document["address"]),
                bool(document["acls_deny"]),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def to_json(self) -> bytes:
        return orjson.dumps(
            {"schema": SCHEMA, **{name: getattr(self, name) for name in self.__slots__}}
        )


def node_facts(settings: Settings, me: Me, trust_domain: str | None) -> NodeFacts:
    """Without the outbound ports: they follow from what is registered here."""
    return NodeFacts(
        node=me.node,
        datacenter=me.datacenter,
        address=me.address,
        trust_domain=trust_domain,
        edge_address=settings.edge_address,
        edge_tls_address=tls_address(settings),
        https_port=_https_port(settings),
        mesh_address=settings.mesh_address,
        outbound_host=settings.outbound_host,
        callers=settings.callers,
        intention_default=settings.intentions_default,
        trace_ratio=settings.trace_ratio,
        trusted_proxies=settings.edge_trusted_proxies,
        uid_of=uid_of,
    )


def _https_port(settings: Settings) -> int | None:
    """The port of the edge's TLS as clients see it; None where there is none, or it is the usual one."""
    address = tls_address(settings)
    if address is None:
        return None
    port = settings.edge_tls_public_port or split_address(address)[1]
    return None if port == HTTPS_PORT else port


@functools.lru_cache(maxsize=256)
def uid_of(name: str) -> int | None:
    """The number of a user in meta `mesh-user`, by name or as it is; None where this machine has no such user."""
    if name.isascii() and name.isdigit():
        return int(name)
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None
