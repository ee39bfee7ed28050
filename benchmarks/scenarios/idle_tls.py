"""What an idle connection by TLS holds: as `idle`, with what a session needs beside it."""

import socket

from benchmarks.bench import Bench, Scenario
from benchmarks.figures import Figure
from benchmarks.peers.subject import trusting
from benchmarks.scenarios import idle
from benchmarks.scenarios.tls import SETUPS

# A client's handshake takes a millisecond; what a program holds anyway is still less than a hundredth.
CONNECTIONS = 1500


async def _run(bench: Bench) -> list[Figure]:
    context = trusting()

    def secured(plain: socket.socket) -> socket.socket:
        return context.wrap_socket(plain)

    measure = "KiB a TLS connection"
    return await idle.measure(bench, IDLE_TLS.name, measure, SETUPS, CONNECTIONS, secured)


IDLE_TLS = Scenario(
    "idle_tls", f"memory of {CONNECTIONS:,} idle TLS connections that had a request", _run
)
