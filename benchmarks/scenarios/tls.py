"""TLS at the edge: the load of `plain` by TLS 1.3 on kept connections, so that records are measured and not handshakes."""

from benchmarks.bench import Bench, Scenario, Setup
from benchmarks.figures import OURS, Figure
from benchmarks.peers import haproxy, meshnode, nginx
from benchmarks.scenarios import requests

SETUPS: dict[str, Setup] = {
    OURS: meshnode.tls,
    "nginx": nginx.tls,
    "HAProxy": haproxy.tls,
}
"""Those that are ahead of the others: Envoy takes more than twice as much."""


async def _run(bench: Bench) -> list[Figure]:
    return await requests.measure(bench, TLS.name, SETUPS)


TLS = Scenario("tls", "the same as plain by TLS 1.3 from the client", _run)
