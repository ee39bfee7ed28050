"""The mesh hop: two proxies on one core with mutual TLS 1.3 between them, kept connections; the CPU of both is summed."""

from benchmarks.bench import Bench, Scenario, Setup
from benchmarks.figures import OURS, Figure
from benchmarks.peers import consul, envoy, haproxy, meshnode, nginx, relay
from benchmarks.scenarios import requests

SETUPS: dict[str, Setup] = {
    OURS: meshnode.hop,
    "relay": relay.hop,
    "nginx": nginx.hop,
    "HAProxy": haproxy.hop,
    "Envoy": envoy.hop_http1,
    "Envoy h2": envoy.hop_http2,
    "Consul": consul.hop,
}


async def _run(bench: Bench) -> list[Figure]:
    return await requests.measure(bench, HOP.name, SETUPS)


HOP = Scenario("hop", "the same through two proxies with mutual TLS 1.3 between them", _run)
