"""Short ways to write what Consul tells, for tests of the catalog's pure half."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from textwrap import indent

import orjson

from catalog import (
    Compiler,
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
    Snapshot,
    State,
    UnhealthyUpdate,
    Update,
    delta,
    full,
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


WHOLE_LANGUAGE = """\
hosts: [shop.example, '*.shop.example']
path: {glob: /beta/*/items/**}
methods: [GET, POST]
when:
  - header.x-beta=1
  - {header: x-tenant, suffix: -eu}
  - {cookie: group, regex: '[a-c]+'}
  - {query: q, prefix: x, negated: true}
  - {client: [10.0.0.0/8, '2001:db8::/32']}
  - {from: edge}
priority: 5
split:
  - {service: cart, weight: 80}
  - {service: 'cart[tag=v2]', weight: 20}
rewrite: {regex: '/beta/([a-z]+)/(?P<rest>.*)', to: '/$1/${rest}'}
rewrite_host: shop.internal:8443
request_headers:
  remove: x-debug
  set: {x-tenant: eu}
  add: {x-seen: [edge, mesh]}
response_headers: {remove: [server, x-powered-by]}
timeout: 5s
timeout_head: 2s
timeout_idle: 1s
retries:
  attempts: 3
  on: [connect, reset, timeout, 5xx, 429]
  per_try_timeout: 300ms
  backoff: {base: 10ms, max: 100ms}
  budget: {percent: 10, per_second: 5}
  non_idempotent: true
limits: {body_bytes: 1048576, requests_per_second: 100, burst: 200, concurrent: 50, per: client}
"""
"""Every field that a document may have beside those it may not have together."""

GOLDEN = Path(__file__).parent.parent / "golden"
_ROOTS = orjson.loads((GOLDEN / "identity.json").read_bytes())["roots_pem"]
OWN_TLS = f"tls:\n  server_name: web.internal\n  authorities: |\n{indent(_ROOTS, '    ')}"
"""Instances that end TLS themselves, by a certificate of an authority of their own."""


def golden_states() -> tuple[State, State]:
    """Two states, one after the other, with a bit of everything a snapshot can say.

    What they compile into stands in tests/golden/compiled_snapshot.json and compiled_delta.json, which the proxy's
    tests read too. `python -m tests.support.catalog` writes both anew.
    """
    before = state(
        {
            "routes/shop": "shop.example/cart -> cart 90%, cart-next 10% timeout=2s strip=/cart",
            "routes/front": "shop.example/ -> web",
            "routes/team-a/docs": "host: '*.docs.example'\npath: /v1\nexact: true\nservice: legacy\n",
            "routes/any": "* -> nowhere",
            "routes/old": "old.example/ -> redirect 301 https://new.example/",
            "routes/wrong": "shop.example/ -> web tiemout=2s",
            "routes/beta": WHOLE_LANGUAGE,
            "routes/users": (
                "GET,HEAD shop.example,*.shop.example~/users/[0-9]+/orders when !header.x-internal, query.debug=1, "
                "client=10.0.0.0/8|fd00::/8, from=edge|web -> cart[meta.version=2] priority=2 add=/v2"
            ),
            "routes/cart-rpc": "grpc shop.v1.Cart/Get when cookie.group^=b- -> cart timeout_head=500ms retries=2",
            "routes/gone": '*=/old when header.user-agent~=(?i).*bot.* -> answer 410 "Nothing is here, ""really""."',
            "upstreams/web": "destinations: {cart: 15006, mail: 15025}",
            "services/cart": "limits: {requests_per_second: 500, concurrent: 100, per: caller}",
            "services/mail": "protocol: auto",
            "settings": "limits: {detect_timeout: 250ms}",
            "services/web": OWN_TLS,
            "services/legacy": "tls: legacy.internal",
        },
        instance("web", meta={"mesh-user": "deploy", "mesh-outbound-port": "15005"}),
        instance("cart", "node-1"),
        instance("cart", "node-2", weight=3, meta={"version": "2"}),
        instance("cart", "node-3", status="critical"),
        instance("mail", "node-1", port=2525),
        instance("mail", "node-2", port=2525),
        instance("cart-next", "node-2", address="fd00::12", port=9001),
        instance("legacy", "old-box"),
        absent=("nowhere",),
        intentions=(
            intention("*", 70, any="deny"),
            intention("cart", 80, web="allow", edge="allow"),
            intention("legacy", 81, web="permissions", any="allow"),
        ),
    )
    after = before.apply(
        kv(
            {
                "routes/shop": "shop.example/cart -> cart timeout=2s strip=/cart",
                "routes/front": "shop.example/ -> web",
                "routes/any": "* -> nowhere",
                "upstreams/web": "destinations: {cart: 15006, mail: 15025}",
                "services/cart": "limits: {requests_per_second: 500, concurrent: 100, per: caller}",
                "services/mail": "protocol: auto",
                "settings": "limits: {detect_timeout: 250ms}",
                "services/web": "tls: 10.0.0.11",
            },
            1001,
        )
    )
    return before, after.apply(LocalServicesUpdate(before.local[:1]))


def golden_documents() -> dict[str, bytes]:
    """The golden documents by file name."""
    facts = replace(FACTS, outbound_ports={"cart": 15001}, trusted_proxies=("10.0.0.0/8",))
    facts = replace(facts, limits={"headers": 200}, trace_ratio=0.25)
    compiler = Compiler()
    snapshots = []
    for generation, one in enumerate(golden_states(), start=7):
        compiled = compiler.compile(one, facts)
        snapshots.append(Snapshot(generation, compiled.digest, compiled.resources))
    return {
        "compiled_snapshot.json": indented(full(snapshots[0])),
        "compiled_delta.json": indented(delta(*snapshots)),
    }


def indented(document: bytes) -> bytes:
    """In the order of its keys, so that a change alone makes a difference."""
    how = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS
    return orjson.dumps(orjson.loads(document), option=how) + b"\n"


if __name__ == "__main__":
    for name, document in golden_documents().items():
        (GOLDEN / name).write_bytes(document)
