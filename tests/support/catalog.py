"""Short ways to write what Consul tells, for tests of the catalog's pure half."""

from __future__ import annotations

from catalog import (
    DefaultIntentionUpdate,
    Instance,
    InstancesUpdate,
    IntentionsUpdate,
    KvEntry,
    KvUpdate,
    LocalServicesUpdate,
    NodeFacts,
    NodesUpdate,
    ServicesUpdate,
    State,
    UnhealthyUpdate,
    Update,
)
from catalog.model import Intentions, IntentionSource, Status

NODES = {
    "node-1": "10.0.0.11",
    "node-2": "10.0.0.12",
    "node-3": "10.0.0.13",
    "old-box": "10.0.0.44",
}
FACTS = NodeFacts(
    node="node-1",
    datacenter="dc1",
    address="10.0.0.11",
    trust_domain="1f0c.consul",
    edge_address="0.0.0.0:8080",
    outbound_ports={"web": 15001},
    uid_of={"deploy": 1001, "www-data": 33}.get,
)


def instance(
    service: str,
    node: str = "node-1",
    *,
    id: str = "",  # noqa: A002  (Consul's own word)
    address: str = "",
    port: int = 9000,
    meta: dict[str, str] | None = None,
    status: Status = "passing",
    weight: int = 1,
    weight_warning: int = 1,
    kind: str = "",
) -> Instance:
    return Instance(
        service,
        id or f"{service}-{node[-1]}",
        node,
        NODES[node],
        address,
        port,
        meta=tuple(sorted((meta or {}).items())),
        status=status,
        weight_passing=weight,
        weight_warning=weight_warning,
        kind=kind,
    )


def mesh_node(node: str, *, port: int = 7443, status: Status = "passing") -> Instance:
    return instance("meshnode", node, id="meshnode", port=port, status=status)


def keys(values: dict[str, str | bytes], *, first_index: int = 100) -> tuple[KvEntry, ...]:
    """Entries under mesh/, their indexes counting up in the order written."""
    entries = [
        KvEntry(
            "mesh/" + key, value if isinstance(value, bytes) else value.encode(), first_index + at
        )
        for at, (key, value) in enumerate(values.items())
    ]
    return tuple(sorted(entries, key=lambda entry: entry.key))


def kv(values: dict[str, str | bytes], index: int = 1000, **more: bool) -> KvUpdate:
    return KvUpdate("mesh/", keys(values), index, **more)


def intention(destination: str, index: int = 80, **sources: str) -> Intentions:
    """An entry; `any` stands for `*`, the action `permissions` for a source with Permissions."""
    made = []
    for name, action in sources.items():
        source = "*" if name == "any" else name
        if action == "permissions":
            made.append(IntentionSource(source, None, has_permissions=True))
        else:
            made.append(IntentionSource(source, "allow" if action == "allow" else "deny"))
    return Intentions(destination, tuple(made), index)


def state(
    values: dict[str, str | bytes] | None = None,
    *instances: Instance,
    nodes: tuple[str, ...] = ("node-1", "node-2", "node-3"),
    intentions: tuple[Intentions, ...] = (),
    absent: tuple[str, ...] = (),
) -> State:
    """A state in which every service of `instances` was swept, and every one of `absent` with no result.

    What stands on node-1 is local.
    """
    by_service: dict[str, list[Instance]] = {name: [] for name in absent}
    for one in instances:
        by_service.setdefault(one.service, []).append(one)
    made = State()
    names = tuple((name, ()) for name in sorted(by_service) if name not in absent)
    updates: tuple[Update, ...] = (
        ServicesUpdate(names, 10),
        NodesUpdate(tuple(mesh_node(node) for node in nodes), 10),
        IntentionsUpdate(intentions, 10),
        DefaultIntentionUpdate("allow", "acl.default_policy"),
        *(InstancesUpdate(name, tuple(found), 11) for name, found in by_service.items()),
        UnhealthyUpdate((), 10),
        LocalServicesUpdate(tuple(one for one in instances if one.node == "node-1")),
        kv(values or {}),
    )
    for update in updates:
        made = made.apply(update)
    return made
