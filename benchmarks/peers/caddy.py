"""The real Caddy, from PyPI. Its best setting by its documents: no admin API, no logs, no compression upstream,
kept upstream connections as many as the load has, one Go thread at a time as one core is measured.
"""

import json
from pathlib import Path
from sys import executable

from benchmarks.peers.subject import Site, Subject, local_address, program, require

KEPT = 256


def plain(site: Site) -> Subject:
    address = local_address()
    transport = {
        "protocol": "http",
        "compression": False,
        "versions": ["1.1"],
        "keep_alive": {"enabled": True, "max_idle_conns": KEPT, "max_idle_conns_per_host": KEPT},
    }
    handler = {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": site.origin}],
        "transport": transport,
    }
    server = {
        "listen": [address],
        "protocols": ["h1"],
        "automatic_https": {"disable": True},
        "routes": [{"handle": [handler]}],
    }
    document = {
        "admin": {"disabled": True, "config": {"persist": False}},
        "logging": {"logs": {"default": {"level": "ERROR"}}},
        "apps": {"http": {"servers": {"in": server}}},
    }
    path = site.file("caddy.json", json.dumps(document, indent=1))
    binary = require(Path(executable).parent / "caddy", "run make bench")
    # Its own files go to the run's folder, not to the home of who measures.
    env = {
        "GOMAXPROCS": "1",
        "XDG_DATA_HOME": str(site.folder),
        "XDG_CONFIG_HOME": str(site.folder),
    }
    return Subject(
        address, (program("caddy", [binary, "run", "--config", path], site.folder, env),)
    )
