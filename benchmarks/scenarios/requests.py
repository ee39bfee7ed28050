"""What the scenarios of requests share: rounds in which each subject has the load in turn. Knows no peer."""

from collections import defaultdict
from collections.abc import Mapping
from contextlib import AsyncExitStack

from benchmarks import cores
from benchmarks.bench import Bench, Setup
from benchmarks.figures import Figure
from benchmarks.load import Load, LoadError, load
from benchmarks.origin import Origin
from benchmarks.peers.subject import Subject

CONNECTIONS = 64
# Connections, pools and caches are as they will be; what was allocated once is allocated.
WARM_UP_SECONDS = 1
CPU = "CPU µs a request"
MEMORY = "memory after it, MiB"
MIB = 1024 * 1024


async def measure(bench: Bench, scenario: str, setups: Mapping[str, Setup]) -> list[Figure]:
    """CPU a request of the subject's whole process tree, latency as wrk saw it, memory after the last round.

    A round is A B C …, then the next, so that a machine that changes its pace changes it for all.
    """
    samples: dict[tuple[str, str], list[float]] = defaultdict(list)
    async with AsyncExitStack() as stack:
        stack.enter_context(cores.apart())
        origin = await stack.enter_async_context(Origin(bench.site(scenario, "origin", "").folder))
        subjects = await bench.start(stack, scenario, setups, origin.address)
        for subject in subjects.values():
            await loaded(bench, subject, WARM_UP_SECONDS)
        for number in range(bench.rounds):
            for name, subject in subjects.items():
                cpu_us, seen = await loaded(bench, subject, bench.seconds)
                bench.tell(
                    f"  {scenario} {number + 1}/{bench.rounds} {name:12} {cpu_us:6.2f} µs CPU a request, "
                    f"{seen.per_second:7.0f}/s, p50 {seen.p50_us / 1000:.2f} ms, p99 {seen.p99_us / 1000:.2f} ms"
                )
                samples[CPU, name].append(cpu_us)
                samples["p50 at full load, ms", name].append(seen.p50_us / 1000)
                samples["p99 at full load, ms", name].append(seen.p99_us / 1000)
        for name, subject in subjects.items():
            samples[MEMORY, name].append(subject.memory().proportional / MIB)
    return [
        Figure(scenario, measure, subject, tuple(values))
        for (measure, subject), values in samples.items()
    ]


async def loaded(
    bench: Bench, subject: Subject, seconds: int, connections: int = CONNECTIONS
) -> tuple[float, Load]:
    """µs of CPU a request, and what wrk saw. A load with a failed request is told and made once more."""
    try:
        return await _load_once(subject, seconds, connections)
    except LoadError as error:
        bench.tell(f"  once more: {error}")
        return await _load_once(subject, seconds, connections)


async def _load_once(subject: Subject, seconds: int, connections: int) -> tuple[float, Load]:
    before = subject.cpu_ns()
    seen = await load(
        subject.address, connections=connections, seconds=seconds, scheme=subject.scheme
    )
    return (subject.cpu_ns() - before) / 1000 / seen.requests, seen
