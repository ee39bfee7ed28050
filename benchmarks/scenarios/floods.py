"""What clients of bad manners make a proxy's memory grow by, each kind for itself, and whether others are answered meanwhile.

All by TLS, where HTTP/1.1 and HTTP/2 are spoken on one port by every program: clients that open no window or read
nothing, heads that drip or never end, streams that are taken back, handshakes that hang. The clients are those of the
tests (tests/support/floods.py).
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from benchmarks import cores
from benchmarks.bench import Bench, Scenario, Setup
from benchmarks.figures import OURS, Figure
from benchmarks.origin import Origin
from benchmarks.peers import envoy, haproxy, meshnode, nginx
from benchmarks.peers.subject import Subject, answers
from tests.support import floods, floods_http2
from tests.support.floods import Held, Place
from tests.support.frames import field

SETUPS: dict[str, Setup] = {
    OURS: meshnode.tls,
    "nginx": nginx.tls,
    "HAProxy": haproxy.tls,
    "Envoy": envoy.edge,
}
# An answer that is asked for and not read.
ANSWER_BYTES = 1 << 20
# As many streams a connection as every program takes, so that a thousand are a thousand everywhere.
STREAMS, CONNECTIONS = 100, 10
KIB = 1024
MIB = 1024 * KIB
# Requests before each flood, so that what is made once is there; and while it holds what it has.
ASKED = 20


@dataclass(frozen=True, slots=True)
class Flood:
    """One kind; `send` returns once it has done its worst, with what it still holds."""

    measure: str
    send: Callable[[Place], Held]
    unit_bytes: int = MIB
    """What the measure is told in."""


def _secured(*protocols: str) -> floods.Secured:
    context = floods.trusting(*protocols)
    return context.wrap_socket


HTTP2 = _secured("h2")
HTTP1 = _secured("http/1.1")


def _endless_heads(place: Place) -> Held:
    """Ten in HTTP/1.1, ten in CONTINUATION frames."""
    fill = field(b"x-fill", b"a" * 100) * 100
    held = floods.endless(b"GET / HTTP/1.1\r\n", b"x: a\r\n")(place, 10, HTTP1)
    return [*held, *floods_http2.endless_head(fill)(place, 10, HTTP2)]


FLOODS = (
    Flood(
        "KiB a stream with a shut window",
        lambda place: floods_http2.stalled(place, CONNECTIONS, STREAMS, HTTP2),
        KIB * CONNECTIONS * STREAMS,
    ),
    Flood("200 slow readers, MiB", lambda place: floods.slow_readers(place, 200, HTTP1)),
    Flood("300 slow heads, MiB", lambda place: floods.slow_heads(place, 300, HTTP1)),
    Flood("20 endless heads, MiB", _endless_heads),
    Flood("20 rapid resets, MiB", lambda place: floods_http2.rapid_reset(place, 20, 1000, HTTP2)),
    Flood("500 hanging handshakes, MiB", lambda place: floods.half_handshakes(place, 500)),
)
UNANSWERED = "requests beside them not answered"


async def _run(bench: Bench) -> list[Figure]:
    """One round: memory is no time, and a second flood finds what the first made."""
    samples: dict[tuple[str, str], float] = defaultdict(float)
    async with AsyncExitStack() as stack:
        stack.enter_context(cores.apart())
        folder = bench.site("floods", "origin", "").folder
        origin = await stack.enter_async_context(Origin(folder, body_bytes=ANSWER_BYTES))
        for name, setup in bench.subjects(SETUPS).items():
            for number, flood in enumerate(FLOODS):
                async with setup(bench.site(f"floods-{number}", name, origin.address)) as subject:
                    grown, lost = await _flooded(subject, flood)
                samples[flood.measure, name] = grown / flood.unit_bytes
                samples[UNANSWERED, name] += lost
                bench.tell(
                    f"  floods {name:12} {grown / MIB:7.2f} MiB, {lost} lost: {flood.measure}"
                )
    return [
        Figure(FLOODS_SCENARIO.name, measure, name, (value,))
        for (measure, name), value in samples.items()
    ]


async def _flooded(subject: Subject, flood: Flood) -> tuple[int, int]:
    """Bytes of PSS it grew by at the most, and requests of somebody else that were not answered."""
    host, _, port = subject.address.partition(":")
    for _ in range(ASKED):
        await answers(subject.address, subject.scheme)
    before = most = subject.memory().proportional
    sending = asyncio.create_task(asyncio.to_thread(flood.send, (host, int(port))))
    lost = asked = 0
    while not sending.done() or asked < ASKED:
        lost += not await _is_answered(subject)
        asked += sending.done()
        most = max(most, subject.memory().proportional)
    floods.close(await sending)
    return most - before, lost


async def _is_answered(subject: Subject) -> bool:
    try:
        return await answers(subject.address, subject.scheme)
    except (OSError, TimeoutError, EOFError):
        return False


FLOODS_SCENARIO = Scenario(
    "floods", "memory under clients of bad manners, by TLS, and who is answered beside them", _run
)
