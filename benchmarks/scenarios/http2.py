"""HTTP/2 by TLS from clients, HTTP/1.1 to the origin: 32 connections of 32 streams each, as fast as they are answered."""

from collections import defaultdict
from contextlib import AsyncExitStack

from benchmarks import cores
from benchmarks.bench import Bench, Scenario
from benchmarks.figures import Figure
from benchmarks.load import LoadError, http2_load
from benchmarks.origin import Origin
from benchmarks.peers.subject import Subject
from benchmarks.scenarios import requests
from benchmarks.scenarios.tls import SETUPS

CONNECTIONS = 32
STREAMS = 32


async def _run(bench: Bench) -> list[Figure]:
    samples: dict[str, list[float]] = defaultdict(list)
    async with AsyncExitStack() as stack:
        stack.enter_context(cores.apart())
        origin = await stack.enter_async_context(Origin(bench.site("http2", "origin", "").folder))
        subjects = await bench.start(stack, HTTP2.name, SETUPS, origin.address)
        for subject in subjects.values():
            await _loaded(bench, subject, requests.WARM_UP_SECONDS)
        for number in range(bench.rounds):
            for name, subject in subjects.items():
                samples[name].append(await _loaded(bench, subject, bench.seconds))
                bench.tell(
                    f"  http2 {number + 1}/{bench.rounds} {name:12} {samples[name][-1]:6.2f} µs CPU a request"
                )
    return [
        Figure(HTTP2.name, requests.CPU, name, tuple(values)) for name, values in samples.items()
    ]


async def _loaded(bench: Bench, subject: Subject, seconds: int) -> float:
    """µs of CPU a request. A load with a failed request is told and made once more."""
    try:
        return await _load_once(subject, seconds)
    except LoadError as error:
        bench.tell(f"  once more: {error}")
        return await _load_once(subject, seconds)


async def _load_once(subject: Subject, seconds: int) -> float:
    before = subject.cpu_ns()
    answered = await http2_load(
        subject.address, connections=CONNECTIONS, streams=STREAMS, seconds=seconds
    )
    return (subject.cpu_ns() - before) / 1000 / answered


HTTP2 = Scenario(
    "http2", f"HTTP/2 by TLS, {CONNECTIONS} connections of {STREAMS} streams; HTTP/1.1 behind", _run
)
