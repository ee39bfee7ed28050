"""Where a request is meant for. There is one datacenter, namespace and partition; others are refused as Consul does. Pure."""

from __future__ import annotations

from .answer import NOTHING_READ
from .call import Query
from .errors import Refused, bad_request
from .shared import DATACENTER

# Where `?dc` is not looked at: an agent is where it is, and what is registered says it in its body.
_HERE = (
    "/v1/agent/",
    "/v1/catalog/datacenters",
    "/v1/catalog/register",
    "/v1/catalog/deregister",
)
# Their changes go to the one datacenter that decides, whatever is said.
_PRIMARY = ("/v1/config", "/v1/connect/intentions")
_ENTERPRISE = {"ns": "Namespaces", "partition": "Partitions"}
# What belongs to no namespace, and what to no partition either, is not asked for it.
_UNPLACED = (
    "/v1/agent/self",
    "/v1/agent/version",
    "/v1/agent/maintenance",
    "/v1/catalog/datacenters",
    "/v1/status/",
    "/v1/txn",
)
_OF_ALL_NAMESPACES = ("/v1/agent/members", "/v1/catalog/nodes")
# Reads that tell their index with what they found only.
_QUIET_WHEN_REFUSED = (
    "/v1/config",
    "/v1/connect/intentions/check",
    "/v1/connect/intentions/exact",
    "/v1/health/connect/",
    "/v1/health/service/",
    "/v1/kv/",
    "/v1/status/",
)


def refuse_elsewhere(method: str, path: str, query: Query) -> None:
    """Refused with Consul's words where another place is meant."""
    for name, what in _ENTERPRISE.items():
        if query.get(name) and not _is_unplaced(path, name):
            raise bad_request(
                f'Invalid query parameter: "{name}" - {what} are a Consul Enterprise feature'
            )
    if query.get("dc") in ("", DATACENTER) or path.startswith(_HERE):
        return
    if method == "GET" or not path.startswith(_PRIMARY):
        raise read_refused(method, path, "No path to datacenter")


def read_refused(method: str, path: str, text: str) -> Refused:
    """Consul's refusal of a request that its servers did not take."""
    is_quiet = method != "GET" or path.startswith(_QUIET_WHEN_REFUSED)
    return Refused(500, text, () if is_quiet else NOTHING_READ)


def _is_unplaced(path: str, name: str) -> bool:
    return path.startswith(_UNPLACED) or (name == "ns" and path.startswith(_OF_ALL_NAMESPACES))
