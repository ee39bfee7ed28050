"""What an idle connection holds: thousands of kept client connections that each had a request and now have none."""

import asyncio
import socket
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack

from benchmarks import cores
from benchmarks.bench import Bench, Scenario, Setup
from benchmarks.figures import Figure
from benchmarks.origin import Origin
from benchmarks.peers.subject import request_bytes
from benchmarks.scenarios.plain import PROXIES

# Enough that what a program holds anyway is less than a hundredth of it, and below every peer's limit.
CONNECTIONS = 4000
# Opened, used and closed before counting begins, so that what is made once is there.
FIRST = 200
TIMEOUT_S = 20.0
KIB = 1024
MEASURE = "KiB a plain connection"
Secured = Callable[[socket.socket], socket.socket]
"""Speaks TLS over a connection, or gives it back as it is."""


async def _run(bench: Bench) -> list[Figure]:
    return await measure(bench, IDLE.name, MEASURE, PROXIES, CONNECTIONS)


async def measure(
    bench: Bench,
    scenario: str,
    name_of_measure: str,
    setups: Mapping[str, Setup],
    count: int,
    secured: Secured = lambda plain: plain,
) -> list[Figure]:
    """What each of `count` connections adds to the memory of each program, over which `secured` may speak TLS."""
    samples: dict[str, list[float]] = defaultdict(list)
    async with AsyncExitStack() as stack:
        stack.enter_context(cores.apart())
        folder = bench.site(scenario, "origin", "").folder
        origin = await stack.enter_async_context(Origin(folder))
        for number in range(bench.rounds):
            for name, setup in bench.subjects(setups).items():
                site = bench.site(f"{scenario}-{number}", name, origin.address)
                async with setup(site) as subject:
                    await asyncio.to_thread(_hold, subject.address, FIRST, secured)
                    before = subject.memory().proportional
                    held = await asyncio.to_thread(_open, subject.address, count, secured)
                    after = subject.memory().proportional
                    _close(held)
                samples[name].append((after - before) / KIB / count)
                bench.tell(
                    f"  {scenario} {number + 1}/{bench.rounds} {name:12} {samples[name][-1]:6.2f} KiB"
                )
    return [
        Figure(scenario, name_of_measure, name, tuple(values)) for name, values in samples.items()
    ]


def _hold(address: str, count: int, secured: Secured) -> None:
    _close(_open(address, count, secured))


def _open(address: str, count: int, secured: Secured) -> list[socket.socket]:
    """Connections one after another, each with one whole request and its answer."""
    host, _, port = address.partition(":")
    held: list[socket.socket] = []
    for _ in range(count):
        connection = secured(socket.create_connection((host, int(port)), timeout=TIMEOUT_S))
        held.append(connection)
        connection.sendall(request_bytes())
        _read_answer(connection)
    return held


def _read_answer(connection: socket.socket) -> None:
    """An answer of the origin's, which has a Content-Length through every peer."""
    received = b""
    while (end := received.find(b"\r\n\r\n")) < 0:
        received += _more(connection)
    lines = received[:end].lower().split(b"\r\n")
    length = next(
        int(line.split(b":", 1)[1]) for line in lines if line.startswith(b"content-length:")
    )
    while len(received) < end + 4 + length:
        received += _more(connection)


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(8192)
    if not data:
        raise ConnectionError("the proxy closed a connection that was to be kept")
    return data


def _close(held: list[socket.socket]) -> None:
    for connection in held:
        connection.close()


IDLE = Scenario(
    "idle", f"memory of {CONNECTIONS:,} idle client connections that had a request", _run
)
