"""Where the demo's configuration lies: the embedded registry, or real Consul agents that somebody named.

Both are spoken to by the same client, as an agent of the mesh does; what was put there is taken away again where it
is not ours.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from catalog import CatalogError, ConsulClient

from ..errors import StartError
from ..handles import take_all
from .addresses import Ports, addresses_here, is_here
from .plan import HOMES, ROUTE, ROUTE_KEY, Node, Place, Plan, embedded_places, node_addresses

# What an agent of the mesh registers beside the services; it stays when the agent ends.
OF_A_NODE = ("edge", "meshnode")
SHOP = frozenset(name for name, _ in HOMES)
MACHINES = "meshnode/"
CA = "meshnode/ca/"
MARK = "ca-in-consul"


@asynccontextmanager
async def embedded(
    file: Path, count: int, ports: Ports
) -> AsyncIterator[tuple[str, tuple[Place, ...]]]:
    """Runs the registry in this process; gives its address and the nodes in it."""
    from catalog.embedded import Registry, RegistryError

    take_all()
    where, places = embedded_places(addresses_here(node_addresses(count)), ports)
    try:
        async with Registry(file) as registry:
            # A kept folder's last demo may have had more of them.
            await registry.keep_nodes([place.name for place in places])
            for place in places:
                await registry.add_node(place.name, place.address)
                await registry.listen(*_pair(place.registry), node=place.name)
            if where != places[0].registry:
                await registry.listen(*_pair(where), node=places[0].name)
            yield where, places
    except RegistryError as error:
        raise StartError(str(error)) from error


async def given(addresses: Sequence[str], token: str | None) -> tuple[Place, ...]:
    """One node for each Consul agent. Raises CatalogError, or StartError where two are one or are not here."""
    places: list[Place] = []
    for address in addresses:
        async with ConsulClient(address, token) as client:
            agent = await client.node_self()
        if agent.node in {place.name for place in places}:
            raise StartError(
                f"{address} is the Consul agent of {agent.node}, named twice: each node needs its own"
            )
        if not is_here(agent.address):
            raise StartError(
                f"{address} is the Consul agent of {agent.node} at {agent.address}, and that is no address of "
                "this machine: name agents that run here"
            )
        places.append(Place(agent.node, agent.address, address))
    return tuple(places)


@asynccontextmanager
async def clients(
    nodes: Sequence[Node], token: str | None
) -> AsyncIterator[dict[str, ConsulClient]]:
    """A client for each node's registry, by the node's name."""
    async with AsyncExitStack() as stack:
        yield {
            node.name: await stack.enter_async_context(ConsulClient(node.place.registry, token))
            for node in nodes
        }


async def clear_shop(plan: Plan, of: dict[str, ConsulClient]) -> None:
    """Takes the shop's services of a kept folder from all nodes: with another number of them they had other homes, and a
    check that goes on from last time fails while nothing runs yet, and says so for seconds after the screen.
    """
    for node in plan.nodes:
        for name in SHOP:
            await of[node.name].deregister_service(name)


async def fill(plan: Plan, of: dict[str, ConsulClient]) -> None:
    """Registers the shop and puts its route. Raises StartError where another route stands in its place."""
    first = of[plan.nodes[0].name]
    there = await first.kv_get(ROUTE_KEY)
    if there is None:
        await first.kv_put(ROUTE_KEY, ROUTE.encode(), cas=0)
    elif there.value.decode(errors="replace").partition(" ")[0] != ROUTE.partition(" ")[0]:
        raise StartError(
            f"{ROUTE_KEY} stands in {first.address} already and is not the demo's: use another Consul, "
            f"or delete it (meshnode kv delete {ROUTE_KEY})"
        )
    for node in plan.nodes:
        for service in node.services:
            await of[node.name].register_service(service.registration(node.place.host))


@dataclass(frozen=True, slots=True)
class Borrowed:
    """A Consul that was there before: what the demo puts into it is taken out again.

    The mesh's CA is made in it by our first node, whose folder alone has the key to it: without that folder nobody
    could sign. So a CA that was not there before goes too, also one that a demo left when it was killed.
    """

    plan: Plan
    of: dict[str, ConsulClient]
    mark: Path
    """Says whose CA is ours, should we not come to take it away."""
    has_own_ca: bool

    @classmethod
    async def begin(cls, plan: Plan, of: dict[str, ConsulClient], folder: Path) -> Self:
        first = of[plan.nodes[0].name]
        mark = folder / MARK
        if mark.exists() and mark.read_text() == first.address:
            await first.kv_delete(MACHINES, recurse=True)
        has_own_ca = not await first.kv_list(CA)
        if has_own_ca:
            mark.write_text(first.address)
        return cls(plan, of, mark, has_own_ca)

    async def give_back(self) -> list[str]:
        """What could not be taken out, in sentences."""
        left: list[str] = []
        for node in self.plan.nodes:
            for name in (*(service.name for service in node.services), *OF_A_NODE):
                try:
                    await self.of[node.name].deregister_service(name)
                except CatalogError as error:
                    left.append(f"{name} stays registered on {node.name}: {error}")
        try:
            await self._remove_keys(self.of[self.plan.nodes[0].name])
        except CatalogError as error:
            left.append(f"{ROUTE_KEY} stays: {error}")
        return left

    async def _remove_keys(self, client: ConsulClient) -> None:
        there = await client.kv_get(ROUTE_KEY)
        if there is not None and there.value == ROUTE.encode():
            await client.kv_delete(ROUTE_KEY, cas=there.modify_index)
        if self.has_own_ca:
            await client.kv_delete(MACHINES, recurse=True)
            self.mark.unlink(missing_ok=True)


def _pair(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)
