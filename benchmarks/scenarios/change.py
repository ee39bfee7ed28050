"""`consul kv put` to the first request that takes the new route, on real Consul, with the bare wake beside it.

Twice: from the moment before the put, as the wake is; and from the put's answer on, which is what a person waits for
who has the prompt again (goals of issue 5 are for that). Consul tells the nodes and the person at the same time.

The wake is what Consul itself needs: from the put to the answer of a blocking query, by a client that does nothing else;
on the key alone, and, by as many at once as there are nodes, on a prefix with as many keys as there are routes, which is
what each node has to read. All are measured in turn, after a quiet moment, on all cores, with everything on this
machine, while a client that repeats nothing asks 500 times a second; none of its requests may fail. What a change costs
in CPU is measured without it.
"""

import asyncio
import re
import socket
import time
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Any

from benchmarks.bench import Bench, Scenario
from benchmarks.figures import OURS, WAKE, WAKE_OF_ALL, Figure
from benchmarks.filling import COPIES, HOST, WEB, fill
from benchmarks.origin import Origin
from benchmarks.reading import Reader
from benchmarks.steady import Steady
from benchmarks.usage import cpu_ns, memory
from tests.support import ConsulCluster
from tests.support.mesh import MeshNode


@dataclass(frozen=True, slots=True)
class Size:
    """One table, and how it is measured."""

    routes: int
    nodes: int
    puts: int
    """A round, under load. In three rounds: forty on each of three nodes, two hundred of the largest (issue 5)."""


SIZES = (Size(100, 3, 40), Size(1_000, 3, 40), Size(10_000, 1, 70))
# A round, without load, for the CPU a change: a mean, so that fewer do.
COUNTED_PUTS = 6
# So many changes have one wake of each kind measured among them.
PUTS_A_WAKE = 6
# A quiet moment, as an admin's day has: a put close behind another is gathered with it, and that is not measured here.
QUIET_S = 0.2
# Long enough to tell what nodes take that have nothing to do, and for all that is put off behind a change.
REST_S = 3.0
CLOCK = "clock"
# An agent that takes less than this of a second has nothing to do: heartbeats, probes, spans to fetch.
QUIET_NS = 40_000_000
# Seconds that are waited for it.
QUIET_MOST = 10
# How often the new route is asked for; a faster question would take the CPU of what it waits for.
POLL_S = 0.001
# Until a blocking query surely waits in Consul.
ASKED_S = 0.05
PATIENCE_S = 60.0
NS_A_MS = 1_000_000
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Effect:
    """Seconds to the first request that takes a new route."""

    whole_s: float
    """From the moment before the put."""
    after_put_s: float
    """From the put's answer; 0 where the route was taken before that."""


@dataclass(slots=True)
class Times:
    """Seconds, by what was timed."""

    effects: dict[str, list[float]] = field(default_factory=dict)
    """By node."""
    after_puts: dict[str, list[float]] = field(default_factory=dict)
    """By node, from the put's answer on."""
    wakes: list[float] = field(default_factory=list)
    wakes_of_all: list[float] = field(default_factory=list)


async def _run(bench: Bench) -> list[Figure]:
    figures: list[Figure] = []
    async with AsyncExitStack() as stack:
        most = max(size.nodes for size in SIZES)
        cluster = await stack.enter_async_context(
            ConsulCluster(bench.folder / "change-consul", nodes=most)
        )
        origin = await stack.enter_async_context(Origin(bench.site("change", "origin", "").folder))
        await _register(cluster, origin.address)
        nodes = [
            await stack.enter_async_context(
                MeshNode(cluster, agent.name, bench.folder, is_edge=True)
            )
            for agent in cluster.agents
        ]
        there = 0
        for size in SIZES:
            for node in nodes[size.nodes :]:
                await node.stop()
            del nodes[size.nodes :]
            await fill(cluster, nodes, range(there, size.routes))
            there = size.routes
            found = [
                *await _under_load(cluster, nodes, size, bench),
                # Behind it: of the keys that filled the table, history is told for a minute.
                *await _cost(cluster, nodes[0], size, bench),
                *await _held(nodes[0], size),
            ]
            for figure in found:
                bench.tell(f"  change {figure.measure:50} {figure.subject:14} {figure.value:6.2f}")
            figures += found
    return figures


async def _cost(cluster: ConsulCluster, node: MeshNode, size: Size, bench: Bench) -> list[Figure]:
    """CPU for a change and all that follows from it, less what is taken in as long a time without one.

    Of the agent also without what a program takes that reads and decodes Consul's answers and does nothing else.
    """
    folder = bench.folder / f"change-reading-{size.routes}"
    folder.mkdir()
    puts = bench.rounds * COUNTED_PUTS
    async with Reader(node.environment["CONSUL_HTTP_ADDR"], folder) as reader:
        pids = {"agent": node.agent.pid, "proxy": await node.proxy_pid(), "reading": reader.pid}
        await _until_quiet(pids)
        at_rest = await _cpu_of(pids, asyncio.sleep(REST_S))
        taken = await _cpu_of(pids, _changes(cluster, node, puts))
    took_ms = {
        name: (taken[name] - at_rest[name] / at_rest[CLOCK] * taken[CLOCK]) / puts / NS_A_MS
        for name in pids
    }
    return [
        _figure(size, "agent CPU ms a change", took_ms["agent"]),
        _figure(size, "the same, reading apart", took_ms["agent"] - took_ms["reading"]),
        _figure(size, "proxy CPU ms a change", took_ms["proxy"]),
    ]


async def _changes(cluster: ConsulCluster, node: MeshNode, puts: int) -> None:
    """One after the other, until also what is put off has been done: the copy on disk."""
    for _ in range(puts):
        await _effect(cluster, node)
        await asyncio.sleep(QUIET_S)
    await asyncio.sleep(REST_S)


async def _until_quiet(pids: dict[str, int]) -> None:
    """Until what went before is over, if it comes to an end."""
    for _ in range(QUIET_MOST):
        if (await _cpu_of(pids, asyncio.sleep(1)))["agent"] < QUIET_NS:
            return


async def _cpu_of(pids: dict[str, int], doing: Coroutine[Any, Any, None]) -> dict[str, int]:
    """Nanoseconds that each of them took meanwhile, and that went by."""
    before = {name: cpu_ns([pid]) for name, pid in pids.items()}
    began = time.monotonic_ns()
    await doing
    took = {name: cpu_ns([pid]) - before[name] for name, pid in pids.items()}
    return {**took, CLOCK: time.monotonic_ns() - began}


async def _under_load(
    cluster: ConsulCluster, nodes: Sequence[MeshNode], size: Size, bench: Bench
) -> list[Figure]:
    folder = bench.folder / f"change-load-{size.routes}"
    async with Steady(f"{nodes[0].address}:{nodes[0].edge_port}", HOST, folder) as load:
        times = await _measure(cluster, nodes, bench.rounds * size.puts)
        sent, failed = await load.end()
    bench.tell(
        f"  change {size.routes:,} routes, {size.nodes} node(s): {sent:,} requests over {bench.rounds * size.puts} changes"
        f", failed: {failed or 'none'}"
    )
    return [*_figures(size, times), _figure(size, "requests failed", float(sum(failed.values())))]


async def _held(node: MeshNode, size: Size) -> list[Figure]:
    pids = {"agent": node.agent.pid, "proxy": await node.proxy_pid()}
    return [
        _figure(size, f"{name} memory, MiB", memory([pid]).proportional / MIB)
        for name, pid in pids.items()
    ]


async def _measure(cluster: ConsulCluster, nodes: Sequence[MeshNode], puts: int) -> Times:
    """Each put on one node after the other: to ask all of them at once would take the CPU of what is asked for."""
    times = Times()
    for number, node in enumerate(islice(cycle(nodes), puts)):
        effect = await _effect(cluster, node)
        times.effects.setdefault(node.name, []).append(effect.whole_s)
        times.after_puts.setdefault(node.name, []).append(effect.after_put_s)
        await asyncio.sleep(QUIET_S)
        if number % PUTS_A_WAKE == 0:
            times.wakes.append(await _wake(cluster, "probe/one", "probe/one?"))
            names = [node.name for node in nodes]
            wake = await _wake(cluster, f"{COPIES}/probe", f"{COPIES}?recurse&", names)
            times.wakes_of_all.append(wake)
    return times


async def _effect(cluster: ConsulCluster, node: MeshNode) -> Effect:
    """A put, until a request takes the route it makes: a host of its own that nobody knew before."""
    host = f"new-{time.monotonic_ns()}.test"
    edge = socket.create_connection((node.address, node.edge_port), PATIENCE_S)
    asking = asyncio.create_task(asyncio.to_thread(_taken, edge, host))
    route = f"{host}/ -> redirect 302 https://{host}/"
    began = time.monotonic()
    try:
        answered = await _put(cluster, "mesh/routes/probe", route)
        taken = await asking
        return Effect(taken - began, max(0.0, taken - answered))
    finally:
        # Where the put failed nobody waits for the route any more.
        edge.close()
        await asyncio.wait([asking])


def _taken(edge: socket.socket, host: str) -> float:
    """When the host was first redirected, by the monotonic clock.

    On a thread, by calls that wait: to ask through the event loop took a tenth of all processors, from who is asked.
    """
    request = f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    deadline = time.monotonic() + PATIENCE_S
    while _status(edge, request) != b"302":
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {PATIENCE_S:g} s: the route of {host}")
        time.sleep(POLL_S)
    return time.monotonic()


async def _put(cluster: ConsulCluster, key: str, value: str) -> float:
    """When it was answered, by the monotonic clock."""
    await cluster.put(key, value)
    return time.monotonic()


def _status(edge: socket.socket, request: bytes) -> bytes:
    """Sends a request, reads its answer whole, gives its status."""
    edge.sendall(request)
    answer = b""
    while not _is_whole(answer):
        if not (more := edge.recv(65536)):
            raise EOFError("the edge closed the connection in an answer")
        answer += more
    return answer.split(b" ", 2)[1]


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    return bool(end) and len(body) >= (int(length[1]) if length else 0)


async def _wake(
    cluster: ConsulCluster, key: str, query: str, names: Sequence[str] = ("node-1",)
) -> float:
    """From a put of the key until each of these nodes' agents has answered a blocking query that sees it whole."""
    await cluster.put(key, "0")
    answer = await cluster.call("GET", f"/v1/kv/{query}")
    path = f"/v1/kv/{query}index={answer.headers['X-Consul-Index']}&wait=60s"
    waiting = [
        asyncio.create_task(cluster.call("GET", path, node=name, timeout=PATIENCE_S))
        for name in names
    ]
    await asyncio.sleep(ASKED_S)
    began = time.monotonic()
    putting = asyncio.create_task(cluster.put(key, "1"))
    try:
        await asyncio.gather(*waiting)
        return time.monotonic() - began
    finally:
        await putting


async def _register(cluster: ConsulCluster, origin: str) -> None:
    address, _, port = origin.partition(":")
    await cluster.register({"Name": WEB, "ID": "web-1", "Address": address, "Port": int(port)})


def _figures(size: Size, times: Times) -> list[Figure]:
    """Of several nodes the slowest one's median counts; the tail is that of all, since each has too few for one."""
    effects, after = times.effects.values(), times.after_puts.values()
    p50, p99 = "p50, ms", "p99, ms"
    return [
        _figure(size, p50, max(_quantile(series, 50) for series in effects)),
        _figure(size, p50, _quantile(times.wakes, 50), WAKE),
        _figure(size, p50, _quantile(times.wakes_of_all, 50), WAKE_OF_ALL),
        _figure(size, "p50 after the put, ms", max(_quantile(series, 50) for series in after)),
        _figure(size, p99, _quantile([one for series in effects for one in series], 99)),
        _figure(size, p99, _quantile(times.wakes, 99), WAKE),
        _figure(size, p99, _quantile(times.wakes_of_all, 99), WAKE_OF_ALL),
        _figure(
            size,
            "p99 after the put, ms",
            _quantile([one for series in after for one in series], 99),
        ),
    ]


def _figure(size: Size, measure: str, value: float, subject: str = OURS) -> Figure:
    return Figure("change", f"{size.routes:,} routes, {measure}", subject, (value,))


def _quantile(seconds: list[float], percent: int) -> float:
    """The smallest time that so many of a hundred do not exceed, in ms."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) * percent // 100, len(ordered) - 1)] * 1000


CHANGE = Scenario("change", "consul kv put to effect on real Consul, beside the bare wake", _run)
