"""Debian's HAProxy, in its best setting by its documents (configuration.txt, management.txt).

- one thread, no log; `http-reuse always` and a pool of kept connections that is never purged while it is measured;
- `option splice-auto` is left out: it helps large bodies and costs small ones;
- TLS 1.3 with session cache on both sides, both sides verified.
"""

from pathlib import Path

from benchmarks.peers.subject import Site, Subject, local_address, program
from tests.support import Process

# Debian puts it where a user's PATH doesn't look.
PROGRAM = Path("/usr/sbin/haproxy")


def plain(site: Site) -> Subject:
    address = local_address()
    return Subject(address, (_haproxy(site, "haproxy", address, site.origin),))


def tls(site: Site) -> Subject:
    """TLS 1.3 from clients, HTTP/2 where they choose it."""
    address = local_address()
    bind = f"{address} ssl crt {site.certificates.server.both} alpn h2,http/1.1"
    return Subject(address, (_haproxy(site, "haproxy", bind, site.origin),), scheme="https")


def hop(site: Site) -> Subject:
    """Two of them: the first speaks mutual TLS with the second."""
    address, inner = local_address(), local_address()
    root, client, server = (
        site.certificates.root,
        site.certificates.client,
        site.certificates.server,
    )
    outgoing = f"ssl verify required ca-file {root} crt {client.both} sni str({server.name}) verifyhost {server.name} alpn http/1.1"
    incoming = f"ssl crt {server.both} ca-file {root} verify required alpn http/1.1"
    first = _haproxy(site, "haproxy-1", address, f"{inner} {outgoing}")
    second = _haproxy(site, "haproxy-2", f"{inner} {incoming}", site.origin)
    return Subject(address, (first, second))


def _haproxy(site: Site, name: str, bind: str, server: str) -> Process:
    settings = f"""\
global
    nbthread 1
    maxconn 8000
    ssl-default-bind-options ssl-min-ver TLSv1.3
    ssl-default-server-options ssl-min-ver TLSv1.3
    tune.ssl.cachesize 20000
defaults
    mode http
    timeout connect 5s
    timeout client 300s
    timeout server 300s
    timeout http-keep-alive 300s
    option http-keep-alive
    http-reuse always
frontend in
    bind {bind}
    default_backend out
backend out
    server origin {server} pool-max-conn -1 pool-purge-delay 300s
"""
    path = site.file(f"{name}.cfg", settings)
    return program(name, [PROGRAM, "-db", "-f", path], site.folder)
