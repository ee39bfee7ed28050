"""What a node asks of Consul while services change in what no request needs, on real Consul.

Each of them is named by a route. Fifty a second are registered anew with another setting that is Consul's alone, so that
every watch of the catalog wakes and every answer is another one; a table that is compiled for it would be work for nothing.
"""

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.bench import Bench, Scenario
from benchmarks.figures import OURS, Figure
from benchmarks.filling import SETTLE_S, knows_all, transact
from benchmarks.usage import cpu_ns
from tests.support import ConsulCluster
from tests.support.mesh import MeshNode

SERVICES = 2_000
A_SECOND = 50
# So short that no service is changed twice.
SECONDS = 10
# How often the open connections are counted; the watches' last for minutes.
LOOK_S = 0.1
ESTABLISHED = "01"
NS_A_MS = 1_000_000
KIB = 1024
HOST = "service-{}.test"


async def _run(bench: Bench) -> list[Figure]:
    async with (
        ConsulCluster(bench.folder / "churn-consul", nodes=1) as cluster,
        MeshNode(cluster, "node-1", bench.folder, is_edge=True) as node,
    ):
        await transact(cluster, [_machine()])
        await transact(cluster, [_service(number, is_changed=False) for number in range(SERVICES)])
        await transact(cluster, [_route(number) for number in range(SERVICES)])
        await cluster.put("mesh/routes/last", "last.test/ -> redirect 302 https://last.test/")
        await knows_all(node, "last.test")
        await asyncio.sleep(SETTLE_S)
        before, cpu_before = await _counted(node), cpu_ns([node.agent.pid])
        began = time.monotonic()
        async with _looking(node, cluster.server.http_port) as open_connections:
            made = await _churn(cluster, began)
        took_s = time.monotonic() - began
        cpu_ms = (cpu_ns([node.agent.pid]) - cpu_before) / NS_A_MS
        after = await _counted(node)
    more = {name: after[name] - before[name] for name in after}
    figures = {
        "registrations a second": made / took_s,
        "connections to Consul, at most": float(max(open_connections)),
        "tables compiled": more["meshnode_compiles_total"],
        "requests to Consul a second": more["meshnode_consul_requests_total"] / took_s,
        "KiB from Consul a second": more["meshnode_consul_received_bytes_total"] / KIB / took_s,
        "idle wake-ups a second": more["meshnode_consul_wakeups_idle_total"] / took_s,
        "agent CPU ms a second": cpu_ms / took_s,
    }
    found = [Figure("churn", name, OURS, (value,)) for name, value in figures.items()]
    for figure in found:
        bench.tell(f"  churn {figure.measure:40} {figure.value:8.2f}")
    return found


async def _churn(cluster: ConsulCluster, began: float) -> int:
    """Registers one after the other anew; gives how many."""
    made = 0
    while (passed_s := time.monotonic() - began) < SECONDS:
        if made < passed_s * A_SECOND:
            made += 1
            await transact(cluster, [_service(made, is_changed=True)])
        else:
            await asyncio.sleep(1 / A_SECOND)
    return made


async def _counted(node: MeshNode) -> dict[str, float]:
    lines = (await node.admin("/metrics"))[1].splitlines()
    names = ("meshnode_consul_", "meshnode_compiles_")
    values = (line.split() for line in lines if line.startswith(names))
    return {value[0]: float(value[1]) for value in values}


@asynccontextmanager
async def _looking(node: MeshNode, port: int) -> AsyncIterator[list[int]]:
    """How many connections the agent has to that port, again and again."""
    seen: list[int] = []

    async def look() -> None:
        while True:
            seen.append(_connections(node.agent.pid, port))
            await asyncio.sleep(LOOK_S)

    looking = asyncio.create_task(look())
    try:
        yield seen
    finally:
        looking.cancel()


def _connections(pid: int, port: int) -> int:
    """Its sockets among the established ones of /proc/net/tcp whose far end has this port."""
    handles = Path(f"/proc/{pid}/fd")
    sockets = {path.readlink().name for path in handles.iterdir() if path.is_symlink()}
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    there = [row for row in rows if row[2].endswith(f":{port:04X}") and row[3] == ESTABLISHED]
    return sum(f"socket:[{row[9]}]" in sockets for row in there)


def _machine() -> dict[str, object]:
    return {"Node": {"Verb": "set", "Node": {"Node": "machine", "Address": "10.9.0.1"}}}


def _service(number: int, *, is_changed: bool) -> dict[str, object]:
    name = f"service-{number}"
    registered = {"Service": name, "ID": name, "Port": 9000, "EnableTagOverride": is_changed}
    return {"Service": {"Verb": "set", "Node": "machine", "Service": registered}}


def _route(number: int) -> dict[str, object]:
    value = f"{HOST.format(number)}/ -> service-{number}"
    encoded = base64.b64encode(value.encode()).decode()
    return {"KV": {"Verb": "set", "Key": f"mesh/routes/{number}", "Value": encoded}}


CHURN = Scenario(
    "churn",
    f"{SERVICES:,} services of which {A_SECOND} a second change what no request needs",
    _run,
)
