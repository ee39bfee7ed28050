"""The floor: a program that copies bytes and knows nothing of HTTP or TLS (dataplane/engine/examples/relay.rs)."""

from benchmarks.peers.subject import EXAMPLES, Site, Subject, local_address, program, require
from tests.support import Process

PROGRAM = EXAMPLES / "relay"


def plain(site: Site) -> Subject:
    address = local_address()
    return Subject(address, (_relay(site, "relay", address, site.origin),))


def hop(site: Site) -> Subject:
    """Two behind each other, in clear: what two proxies would cost without TLS and without looking at a byte."""
    address, inner = local_address(), local_address()
    return Subject(
        address,
        (
            _relay(site, "relay-1", address, inner),
            _relay(site, "relay-2", inner, site.origin),
        ),
    )


def _relay(site: Site, name: str, listen: str, upstream: str) -> Process:
    binary = require(PROGRAM, "run make bench")
    return program(name, [binary, listen, upstream], site.folder)
