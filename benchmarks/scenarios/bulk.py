"""Long bodies: answers of 1 MiB through one proxy and through a hop, and what CPU a MiB takes."""

from collections import defaultdict
from collections.abc import Mapping
from contextlib import AsyncExitStack

from benchmarks import cores
from benchmarks.bench import Bench, Scenario, Setup
from benchmarks.figures import OURS, Figure
from benchmarks.origin import Origin
from benchmarks.peers import haproxy, meshnode, nginx, relay
from benchmarks.scenarios import requests

BODY_BYTES = 1024 * 1024
# Few long ones: the core is full with them, and more would only wait in the kernel's buffers.
CONNECTIONS = 8
# Of each load; a gigabyte goes through in it.
SECONDS = 1
SETUPS: Mapping[str, Mapping[str, Setup]] = {
    "plain": {
        OURS: meshnode.plain,
        "relay": relay.plain,
        "nginx": nginx.plain,
        "HAProxy": haproxy.plain,
    },
    "hop": {
        OURS: meshnode.hop,
        "relay": relay.hop,
        "nginx": nginx.hop,
        "HAProxy": haproxy.hop,
    },
}


async def _run(bench: Bench) -> list[Figure]:
    figures: list[Figure] = []
    async with AsyncExitStack() as stack:
        stack.enter_context(cores.apart())
        folder = bench.site("bulk", "origin", "").folder
        origin = await stack.enter_async_context(Origin(folder, body_bytes=BODY_BYTES))
        for kind, setups in SETUPS.items():
            figures += await _measure(bench, kind, setups, origin.address)
    return figures


async def _measure(
    bench: Bench, kind: str, setups: Mapping[str, Setup], origin: str
) -> list[Figure]:
    samples: dict[str, list[float]] = defaultdict(list)
    async with AsyncExitStack() as stack:
        subjects = await bench.start(stack, f"bulk-{kind}", setups, origin)
        for subject in subjects.values():
            await requests.loaded(bench, subject, requests.WARM_UP_SECONDS, CONNECTIONS)
        for number in range(bench.rounds):
            for name, subject in subjects.items():
                cpu_us, _ = await requests.loaded(bench, subject, SECONDS, CONNECTIONS)
                samples[name].append(cpu_us)
                bench.tell(
                    f"  bulk {number + 1}/{bench.rounds} {kind:6} {name:12} {cpu_us:7.1f} µs CPU a MiB, "
                    f"{BODY_BYTES / 1000 / cpu_us:5.2f} GB a CPU second"
                )
    return [
        Figure("bulk", f"{kind}, CPU µs a MiB", name, tuple(values))
        for name, values in samples.items()
    ]


BULK = Scenario("bulk", "answers of 1 MiB, through one proxy and through a hop", _run)
