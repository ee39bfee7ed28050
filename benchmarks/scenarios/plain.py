"""Plain HTTP/1.1 through one proxy: 64 kept connections, answers of 1 KiB, the proxy alone on one core."""

from benchmarks.bench import Bench, Scenario, Setup
from benchmarks.figures import OURS, TRACED, Figure
from benchmarks.peers import caddy, envoy, haproxy, meshnode, nginx, relay, traced
from benchmarks.scenarios import requests

_PEERS: dict[str, Setup] = {
    "nginx": nginx.plain,
    "HAProxy": haproxy.plain,
    "Envoy": envoy.plain,
    "Caddy": caddy.plain,
}
SETUPS: dict[str, Setup] = {
    OURS: meshnode.plain,
    TRACED: traced.plain,
    "relay": relay.plain,
    **_PEERS,
}
PROXIES: dict[str, Setup] = {OURS: meshnode.plain, **_PEERS}
"""What people run, for what is not told by requests."""


async def _run(bench: Bench) -> list[Figure]:
    return await requests.measure(bench, PLAIN.name, SETUPS)


PLAIN = Scenario("plain", "HTTP/1.1, 64 kept connections, 1 KiB, one proxy on one core", _run)
