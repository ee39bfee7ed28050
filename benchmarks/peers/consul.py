"""Consul's built-in proxy (`consul connect proxy`), a pair of them as a hop: mutual TLS between two TCP relays.

As its documents have it: a development agent with Connect and its own CA beside them, which is not measured; one
service behind the one proxy, the other with that service as its upstream. It looks at no request: no route, no
intention by path, no span. GOMAXPROCS=1, as one core is measured.
"""

import json
from pathlib import Path

from benchmarks.peers.subject import Site, Subject, local_address, program
from tests.support import Process, free_port, tool_path

ENVIRONMENT = {"GOMAXPROCS": "1"}


def hop(site: Site) -> Subject:
    address, inner = local_address(), local_address()
    agent, agent_address = _agent(site, inner)
    shared: list[str | Path] = [tool_path("consul"), "connect", "proxy"]
    shared += ["-http-addr", agent_address, "-log-level", "error"]
    outbound = [*shared, "-service", "client", "-upstream", f"web:{address}"]
    inbound = [*shared, "-service", "web", "-service-addr", site.origin, "-listen", inner]
    return Subject(
        address,
        (
            program("consul-inbound", inbound, site.folder, ENVIRONMENT),
            program("consul-outbound", outbound, site.folder, ENVIRONMENT),
        ),
        beside=(agent,),
    )


def _agent(site: Site, inbound: str) -> tuple[Process, str]:
    """What names the services and signs for them, on the load's core; and its address."""
    http_port = free_port()
    port = int(inbound.rpartition(":")[2])
    proxy = {"destination_service_name": "web", "destination_service_id": "web"}
    settings = {
        "ports": {"http": http_port, "grpc": -1, "grpc_tls": -1, "dns": -1, "server": free_port(),
                  "serf_lan": free_port(), "serf_wan": -1},
        "connect": {"enabled": True},
        "services": [
            {"name": "client", "port": 1},
            {"name": "web", "id": "web", "port": int(site.origin.rpartition(":")[2])},
            {"name": "web-proxy", "kind": "connect-proxy", "port": port, "proxy": proxy},
        ],
    }  # fmt: skip
    path = site.file("consul.json", json.dumps(settings))
    command: list[str | Path] = [tool_path("consul"), "agent", "-dev", "-config-file", path]
    return Process("consul-agent", command, folder=site.folder), f"127.0.0.1:{http_port}"
