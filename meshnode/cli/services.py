"""`meshnode services`: what is registered, how healthy it is, and how the mesh reaches it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import typer

from catalog import ConsulClient, Instance

from .nodes import EDGE_SERVICE, NODE_SERVICE, read_nodes
from .options import Asked, with_consul
from .output import say, say_json, say_table
from .reach import consul_client, run

# Consul's own, and ours.
HIDDEN = frozenset({"consul", NODE_SERVICE, EDGE_SERVICE})


@dataclass(frozen=True, slots=True)
class Service:
    """A service as the mesh sees it.

    `outbound` is node → `ip:port` of its outbound listener there, `destinations` are whom it calls by a port of its own,
    the node and that `ip:port`; `draining` are the node and id of instances that get no new request.
    """

    name: str
    instances: tuple[Instance, ...]
    mesh_nodes: tuple[str, ...]
    clear: tuple[Instance, ...]
    outbound: tuple[tuple[str, str], ...]
    destinations: tuple[tuple[str, str, str], ...] = ()
    draining: frozenset[tuple[str, str]] = frozenset()

    @property
    def usable(self) -> int:
        return sum(1 for instance in self.instances if instance.weight > 0)


def add_to(app: typer.Typer) -> None:
    app.command()(services)


@with_consul
def services(asked: Asked) -> None:
    """List services, their health, and how they are reached and call."""
    run(_services(asked))


async def _services(asked: Asked) -> None:
    async with consul_client(asked.settings) as client:
        nodes = await read_nodes(client)
        outbound = {one.node: dict(one.outbound) for one in nodes.statuses.counted}
        draining = frozenset(
            (drained.service, drained.node, drained.id)
            for one in nodes.statuses.counted
            for drained in one.draining
        )
        names = sorted((await client.services()).keys() - HIDDEN)
        found = [await _read(client, name, nodes.names, outbound, draining) for name in names]
    if asked.as_json:
        say_json([_document(one) for one in found])
        return
    if not found:
        say("no service is registered: `consul services register shop.json` registers one")
        return
    say_table(("service", "healthy", "reached", "calls out from"), [_row(one) for one in found])


async def _read(
    client: ConsulClient,
    name: str,
    mesh: Iterable[str],
    outbound: dict[str, dict[str, str]],
    draining: frozenset[tuple[str, str, str]],
) -> Service:
    instances = tuple(one for one in await client.instances(name) if not one.kind)
    known = frozenset(mesh)
    return Service(
        name=name,
        instances=instances,
        mesh_nodes=tuple(sorted({one.node for one in instances if one.node in known})),
        clear=tuple(one for one in instances if one.node not in known),
        outbound=tuple(
            sorted((node, ports[name]) for node, ports in outbound.items() if name in ports)
        ),
        destinations=tuple(
            sorted(
                (listener.removeprefix(f"{name}:"), node, address)
                for node, ports in outbound.items()
                for listener, address in ports.items()
                if listener.startswith(f"{name}:")
            )
        ),
        draining=frozenset(
            (one.node, one.id) for one in instances if (name, one.node, one.id) in draining
        ),
    )


def _row(service: Service) -> tuple[str, ...]:
    healthy = f"{service.usable} of {len(service.instances)}"
    if service.draining:
        healthy += f", {len(service.draining)} of them draining"
    reached = []
    if service.mesh_nodes:
        reached.append(f"by mutual TLS on {', '.join(service.mesh_nodes)}")
    reached += [
        f"in clear at {one.host}:{one.port} ({one.node} has no node)" for one in service.clear
    ]
    calls = ", ".join(
        [
            *(f"{address} on {node}" for node, address in service.outbound),
            *(f"{name} at {address} on {node}" for name, node, address in service.destinations),
        ]
    )
    return service.name, healthy, "; ".join(reached) or "nowhere", calls or "-"


def _document(service: Service) -> dict[str, Any]:
    return {
        "service": service.name,
        "instances": [
            {
                "id": one.id,
                "node": one.node,
                "address": f"{one.host}:{one.port}",
                "status": one.status,
                "is_in_mesh": one.node in service.mesh_nodes,
                "is_draining": (one.node, one.id) in service.draining,
            }
            for one in service.instances
        ],
        "outbound": dict(service.outbound),
        "destinations": [
            {"service": name, "node": node, "address": address}
            for name, node, address in service.destinations
        ],
    }
