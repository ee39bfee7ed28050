"""A mesh made as large as it is to be measured: services, instances and routes, put in transactions. Measures nothing."""

import asyncio
import base64
import json
from collections.abc import Mapping, Sequence

from tests.support import ConsulCluster, wait_until
from tests.support.mesh import MeshNode

# Operations in one transaction: Consul takes 64.
BATCH = 64
# As many services as a tenth of the routes, five instances each (issue 5: 10,000, 1,000, 5,000).
ROUTES_A_SERVICE = 10
INSTANCES = 5
# As many keys as routes, with the same values, where no node looks.
COPIES = "probe/all"
# Has the service that answers; the others are on machines without a node.
WEB = "web"
HOST = "many-0.test"
SETTLE_S = 3.0
PATIENCE_S = 300.0


async def fill(cluster: ConsulCluster, nodes: Sequence[MeshNode], numbers: range) -> None:
    """Adds the routes with these numbers and their services; returns once every node's edge serves the last."""
    services = range(numbers.start // ROUTES_A_SERVICE, numbers.stop // ROUTES_A_SERVICE)
    await transact(cluster, [_machine(number) for number in range(INSTANCES)])
    instances = [_instance(service, number) for service in services for number in range(INSTANCES)]
    await transact(cluster, instances)
    for prefix in ("mesh/routes/many", COPIES):
        await transact(cluster, [_route(f"{prefix}/{number}", number) for number in numbers])
    last = f"last-{numbers.stop}.test"
    await cluster.put("mesh/routes/last", f"{last}/ -> redirect 302 https://{last}/")
    for node in nodes:
        await knows_all(node, last)
    await asyncio.sleep(SETTLE_S)


async def knows_all(node: MeshNode, host: str) -> None:
    """Returns once a node redirects this host and knows the instances of every service that its routes name."""
    await node.serves(host, status=302)

    async def is_complete() -> bool:
        return bool(json.loads((await node.admin("/status"))[1] or "{}").get("is_complete"))

    # Every service that a route names is looked at then.
    await wait_until(is_complete, PATIENCE_S, what=f"{node.name} knows all instances")


async def transact(cluster: ConsulCluster, operations: Sequence[Mapping[str, object]]) -> None:
    """Does them in the order they have, in as few transactions as Consul takes."""
    for first in range(0, len(operations), BATCH):
        batch = operations[first : first + BATCH]
        await cluster.api("PUT", "/v1/txn", body=json.dumps(batch))


def _machine(number: int) -> dict[str, object]:
    node = {"Node": f"machine-{number}", "Address": f"10.9.0.{number + 1}"}
    return {"Node": {"Verb": "set", "Node": node}}


def _instance(service: int, number: int) -> dict[str, object]:
    name = f"service-{service}"
    registered = {"Service": name, "ID": f"{name}-{number}", "Port": 9000 + service}
    return {
        "Service": {"Verb": "set", "Node": f"machine-{number}", "Service": registered},
    }


def _route(key: str, number: int) -> dict[str, object]:
    """One in ten leads to the service that answers."""
    target = f"service-{number // ROUTES_A_SERVICE}" if number % ROUTES_A_SERVICE else WEB
    value = f"many-{number}.test/ -> {target}"
    encoded = base64.b64encode(value.encode()).decode()
    return {"KV": {"Verb": "set", "Key": key, "Value": encoded}}
