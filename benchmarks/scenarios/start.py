"""From the command to the first answer, and what is held then: the proxy beside its peers, and a whole node."""

import asyncio
import time
from collections import defaultdict
from contextlib import AsyncExitStack

from benchmarks import cores
from benchmarks.bench import Bench, Scenario, Setup
from benchmarks.figures import OURS, Figure
from benchmarks.origin import Origin
from benchmarks.peers.subject import Site
from benchmarks.scenarios.plain import PROXIES
from benchmarks.usage import memory
from tests.support import ConsulCluster
from tests.support.mesh import MeshNode

MIB = 1024 * 1024
# What a node does just after it is ready belongs to its start.
SETTLE_S = 2.0
PROXY_MEMORY = "proxy memory, MiB"
AGENT_MEMORY = "agent memory, MiB"

Samples = dict[tuple[str, str], list[float]]


async def _run(bench: Bench) -> list[Figure]:
    samples: Samples = defaultdict(list)
    async with AsyncExitStack() as stack:
        stack.enter_context(cores.apart())
        origin = await stack.enter_async_context(Origin(bench.site("start", "origin", "").folder))
        for number in range(bench.rounds):
            for name, setup in bench.subjects(PROXIES).items():
                site = bench.site(f"start-{number}", name, origin.address)
                await _proxy(samples, name, setup, site)
    (bench.folder / "start-node").mkdir()
    async with ConsulCluster(bench.folder / "start-consul", nodes=1) as cluster:
        for number in range(bench.rounds):
            await _node(samples, bench, cluster, number)
    for (measure, name), values in samples.items():
        bench.tell(f"  start {measure:36} {name:12} {', '.join(f'{v:.1f}' for v in values)}")
    return [Figure("start", measure, name, tuple(v)) for (measure, name), v in samples.items()]


async def _proxy(samples: Samples, name: str, setup: Setup, site: Site) -> None:
    async with setup(site) as subject:
        samples["proxy to its first answer, ms", name].append(subject.started_s * 1000)
        samples[PROXY_MEMORY, name].append(subject.memory().proportional / MIB)


async def _node(samples: Samples, bench: Bench, cluster: ConsulCluster, number: int) -> None:
    """The first round makes keys, CA and certificates; the others find them, as after a reboot."""
    node = MeshNode(cluster, "node-1", bench.folder / "start-node", is_edge=True)
    began = time.monotonic()
    try:
        await node.start()
        kind = "again" if number else "the first time"
        samples[f"node to ready {kind}, ms", OURS].append((time.monotonic() - began) * 1000)
        await asyncio.sleep(SETTLE_S)
        samples[AGENT_MEMORY, OURS].append(memory([node.agent.pid]).proportional / MIB)
        proxy = memory([await node.proxy_pid()])
        samples["proxy memory under an agent, MiB", OURS].append(proxy.proportional / MIB)
    finally:
        await node.stop()


START = Scenario("start", "from the command to the first answer, and the memory held then", _run)
