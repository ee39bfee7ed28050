"""Names: SPIFFE ids in Consul's form, made and compared as whole strings. Never matches a pattern or a prefix."""

from __future__ import annotations

import re
import uuid

from .keys import is_segment

# What Consul takes as a datacenter.
_DATACENTER = re.compile(r"[a-z0-9_-]{1,64}")
# SPIFFE-ID §2.1: lower-case letters, digits, dots, dashes and underscores, at most 255.
_TRUST_DOMAIN = re.compile(r"[a-z0-9_-][a-z0-9._-]{0,254}")

_HISTORY = "/meshnode/history/"


def new_trust_domain() -> str:
    """`<uuid>.consul`, as Consul makes its own."""
    return f"{uuid.uuid4()}.consul"


def is_trust_domain(name: str) -> bool:
    return _TRUST_DOMAIN.fullmatch(name) is not None


def trust_domain_id(trust_domain: str) -> str:
    """The name of the CA itself."""
    return f"spiffe://{trust_domain}"


def history_id(trust_domain: str, node: str) -> str:
    """The name of the writer of history on a node, which no service can have. Raises ValueError as `service_id`."""
    if not is_segment(node):
        raise ValueError(f'a node called "{node}" can write no history')
    return f"{trust_domain_id(trust_domain)}{_HISTORY}{node}"


def history_node(trust_domain: str, spiffe_id: str) -> str | None:
    """The node in a name of `history_id`; None for every other name."""
    start = f"{trust_domain_id(trust_domain)}{_HISTORY}"
    node = spiffe_id.removeprefix(start)
    return node if spiffe_id.startswith(start) and is_segment(node) else None


def service_id(trust_domain: str, datacenter: str, service: str) -> str:
    """`spiffe://<trust-domain>/ns/default/dc/<dc>/svc/<service>`.

    Raises ValueError for a service or datacenter whose name would need escaping: two spellings of one name are how
    one service passes for another.
    """
    if not is_segment(service):
        raise ValueError(
            f'a service called "{service}" can have no certificate: letters, digits, "_", "." and "-" only'
        )
    if not _DATACENTER.fullmatch(datacenter):
        raise ValueError(f'"{datacenter}" is no name of a datacenter')
    return f"{trust_domain_id(trust_domain)}/ns/default/dc/{datacenter}/svc/{service}"
