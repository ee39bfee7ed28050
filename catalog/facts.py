"""What Consul says about one session and about its own agent. Pure; a document of another shape is ConsulAnswerError."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from .errors import NOBODY, ConsulAnswerError


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """A session as Consul knows it. Source: `GET /v1/session/info/<id>`. `ttl_s` is 0 for one without."""

    id: str
    name: str
    node: str
    ttl_s: float
    behavior: str

    @classmethod
    def from_json(cls, document: Any) -> SessionInfo:
        return cls(
            id=str(field(document, "ID")),
            name=str(field(document, "Name")),
            node=str(field(document, "Node")),
            ttl_s=_seconds(str(document.get("TTL") or "")),
            behavior=str(field(document, "Behavior")),
        )


@dataclass(frozen=True, slots=True)
class AgentSelf:
    """Who the Consul agent is that we speak to. Source: `GET /v1/agent/self`.

    `address` is the one it gives to others. `default_intention` is None where neither its configuration nor a
    header says what happens to a call without an intention; `default_intention_source` is the setting's name.
    """

    node: str
    datacenter: str
    address: str
    version: str
    default_intention: Literal["allow", "deny"] | None
    default_intention_source: str
    acls_deny: bool
    """True when Consul's ACLs are on and refuse what no policy allows."""

    @classmethod
    def from_json(cls, document: Any, acl_default: str | None) -> AgentSelf:
        """`acl_default` is the header X-Consul-Default-ACL-Policy: the intentions' default where nothing else is set."""
        config, member = field(document, "Config"), field(document, "Member")
        debug = document.get("DebugConfig")
        said = debug.get("DefaultIntentionPolicy") if isinstance(debug, Mapping) else None
        source = "default_intention_policy" if said else "acl.default_policy"
        return cls(
            node=str(field(config, "NodeName")),
            datacenter=str(field(config, "Datacenter")),
            address=str(field(member, "Addr")),
            version=str(config.get("Version", "")),
            default_intention=intention_policy(said or acl_default),
            default_intention_source=source,
            acls_deny=acl_default == "deny",
        )


def intention_policy(text: str | None) -> Literal["allow", "deny"] | None:
    """`allow` or `deny`, None for anything else."""
    return cast("Literal['allow', 'deny']", text) if text in ("allow", "deny") else None


def field(document: Any, name: str) -> Any:
    """One field of a document from Consul. Raises ConsulAnswerError where there is none."""
    if document is None:
        raise ConsulAnswerError(404, NOBODY)
    if not isinstance(document, Mapping) or name not in document:
        raise ConsulAnswerError(200, f'an answer without "{name}"')
    return document[name]


def _seconds(text: str) -> float:
    """`10s` as Consul gives a TTL back; 0 for a form it does not use."""
    number = text.removesuffix("s")
    return float(number) if number.isdigit() else 0.0
