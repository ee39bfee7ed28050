"""`consul kv put` to the first request that takes the new route, on real Consul, with the bare wake beside it.

The wake is what Consul itself needs: from the put to the answer of a blocking query, by a client that does nothing else;
on the key alone, and on a prefix with as many keys as there are routes, which is what a node has to read. All are
measured in turn, after a quiet moment, on all cores, with everything on this machine, while a client that repeats
nothing asks 500 times a second; none of its requests may fail. What a change costs in CPU is measured without it.
"""

import asyncio
import re
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from benchmarks.bench import Bench, Scenario
from benchmarks.figures import OURS, WAKE, WAKE_OF_ALL, Figure
from benchmarks.filling import COPIES, HOST, WEB, fill
from benchmarks.origin import Origin
from benchmarks.steady import Steady
from benchmarks.usage import cpu_ns, memory
from tests.support import ConsulCluster, wait_until
from tests.support.mesh import MeshNode

ROUTES = (100, 1_000, 10_000)
# For each size and round, under load: three rounds give the two hundred changes of issue 5.
PUTS = 70
# For each size and round, without load, for the CPU a change: a mean, so that fewer do.
COUNTED_PUTS = 20
# A quiet moment, as an admin's day has: a put close behind another is gathered with it, and that is not measured here.
QUIET_S = 0.25
# How often the new route is asked for; a faster question would take the CPU of what it waits for.
POLL_S = 0.001
# Until a blocking query surely waits in Consul.
ASKED_S = 0.05
PATIENCE_S = 60.0
NS_A_MS = 1_000_000
MIB = 1024 * 1024


@dataclass(slots=True)
class Times:
    """Seconds, by what was timed."""

    effects: list[float] = field(default_factory=list)
    wakes: list[float] = field(default_factory=list)
    wakes_of_all: list[float] = field(default_factory=list)


async def _run(bench: Bench) -> list[Figure]:
    figures: list[Figure] = []
    async with AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(
            ConsulCluster(bench.folder / "change-consul", nodes=1)
        )
        origin = await stack.enter_async_context(Origin(bench.site("change", "origin", "").folder))
        await _register(cluster, origin.address)
        node = await stack.enter_async_context(
            MeshNode(cluster, "node-1", bench.folder, is_edge=True)
        )
        there = 0
        for size in ROUTES:
            await fill(cluster, node, range(there, size))
            there = size
            found = [
                *await _cost(cluster, node, size, bench.rounds * COUNTED_PUTS),
                *await _under_load(cluster, node, size, bench),
                *await _held(node, size),
            ]
            for figure in found:
                bench.tell(f"  change {figure.measure:40} {figure.subject:14} {figure.value:6.2f}")
            figures += found
    return figures


async def _cost(cluster: ConsulCluster, node: MeshNode, size: int, puts: int) -> list[Figure]:
    """CPU of agent and proxy for a change and all that follows from it, less what they take while nothing changes."""
    pids = {"agent": node.agent.pid, "proxy": await node.proxy_pid()}
    changed = dict.fromkeys(pids, 0)
    idle = dict.fromkeys(pids, 0)
    for _ in range(puts):
        began, before = time.monotonic(), _cpu(pids)
        await _effect(cluster, node)
        await asyncio.sleep(QUIET_S)
        took_s, between = time.monotonic() - began, _cpu(pids)
        await asyncio.sleep(took_s)
        after = _cpu(pids)
        for name in pids:
            changed[name] += between[name] - before[name]
            idle[name] += after[name] - between[name]
    return [
        Figure(
            "change",
            f"{size:,} routes, {name} CPU ms a change",
            OURS,
            ((changed[name] - idle[name]) / puts / NS_A_MS,),
        )
        for name in pids
    ]


def _cpu(pids: dict[str, int]) -> dict[str, int]:
    return {name: cpu_ns([pid]) for name, pid in pids.items()}


async def _under_load(
    cluster: ConsulCluster, node: MeshNode, size: int, bench: Bench
) -> list[Figure]:
    folder = bench.folder / f"change-load-{size}"
    async with Steady(f"{node.address}:{node.edge_port}", HOST, folder) as load:
        times = await _measure(cluster, node, bench.rounds * PUTS)
        sent, failed = await load.end()
    bench.tell(f"  change {size:,} routes: {sent:,} requests over {len(times.effects)} changes")
    failures = Figure("change", f"{size:,} routes, requests failed", OURS, (float(failed),))
    return [*_figures(size, times), failures]


async def _held(node: MeshNode, size: int) -> list[Figure]:
    pids = {"agent": node.agent.pid, "proxy": await node.proxy_pid()}
    return [
        Figure(
            "change",
            f"{size:,} routes, {name} memory, MiB",
            OURS,
            (memory([pid]).proportional / MIB,),
        )
        for name, pid in pids.items()
    ]


async def _measure(cluster: ConsulCluster, node: MeshNode, puts: int) -> Times:
    times = Times()
    for _ in range(puts):
        times.effects.append(await _effect(cluster, node))
        await asyncio.sleep(QUIET_S)
        times.wakes.append(await _wake(cluster, "probe/one", "probe/one?"))
        times.wakes_of_all.append(await _wake(cluster, f"{COPIES}/probe", f"{COPIES}?recurse&"))
    return times


async def _effect(cluster: ConsulCluster, node: MeshNode) -> float:
    """From the put until a request takes the route it makes: a host of its own that nobody knew before."""
    host = f"new-{time.monotonic_ns()}.test"
    reader, writer = await asyncio.open_connection(node.address, node.edge_port)
    request = f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    route = f"{host}/ -> redirect 302 https://{host}/"
    began = time.monotonic()
    putting = asyncio.create_task(cluster.put("mesh/routes/probe", route))
    try:

        async def is_taken() -> bool:
            return await _status(reader, writer, request) == b"302"

        await wait_until(is_taken, PATIENCE_S, what="the new route", interval=POLL_S)
        return time.monotonic() - began
    finally:
        writer.close()
        await putting


async def _status(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> bytes:
    """Sends a request, reads its answer whole, gives its status."""
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    await reader.readexactly(int(length[1]) if length else 0)
    return head.split(b" ", 2)[1]


async def _wake(cluster: ConsulCluster, key: str, query: str) -> float:
    """From a put of the key until the whole answer of a blocking query that sees it."""
    await cluster.put(key, "0")
    answer = await cluster.call("GET", f"/v1/kv/{query}")
    path = f"/v1/kv/{query}index={answer.headers['X-Consul-Index']}&wait=60s"
    waiting = asyncio.create_task(cluster.call("GET", path, timeout=PATIENCE_S))
    await asyncio.sleep(ASKED_S)
    began = time.monotonic()
    putting = asyncio.create_task(cluster.put(key, "1"))
    try:
        await waiting
        return time.monotonic() - began
    finally:
        await putting


async def _register(cluster: ConsulCluster, origin: str) -> None:
    address, _, port = origin.partition(":")
    await cluster.register({"Name": WEB, "ID": "web-1", "Address": address, "Port": int(port)})


def _figures(size: int, times: Times) -> list[Figure]:
    return [
        Figure("change", f"{size:,} routes, p{percent}, ms", subject, (_quantile(of, percent),))
        for percent in (50, 99)
        for subject, of in (
            (OURS, times.effects),
            (WAKE, times.wakes),
            (WAKE_OF_ALL, times.wakes_of_all),
        )
    ]


def _quantile(seconds: list[float], percent: int) -> float:
    """The smallest time that so many of a hundred do not exceed, in ms."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) * percent // 100, len(ordered) - 1)] * 1000


CHANGE = Scenario("change", "consul kv put to effect on real Consul, beside the bare wake", _run)
