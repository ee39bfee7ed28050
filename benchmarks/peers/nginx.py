"""Debian's nginx as a reverse proxy, in its best setting by its documents (ngx_http_upstream_module, …_core_module).

- one worker, as one core is measured; no access log;
- kept upstream connections (`keepalive`, HTTP/1.1, an empty Connection header), never closed for their count;
- tcp_nodelay (its default); TLS 1.3 with its session cache and `proxy_ssl_session_reuse`, both sides verified.
"""

import os

from benchmarks.peers.subject import Site, Subject, local_address, program
from tests.support import Process
from tests.support.nginx import PROGRAM

# More than the load's connections, so that none is closed for want of a place.
KEPT = 256
# Never closed for their count: handshakes are not what is measured.
REQUESTS = 1_000_000_000


def plain(site: Site) -> Subject:
    address = local_address()
    return Subject(address, (_nginx(site, "nginx", _server(address), site.origin),))


def tls(site: Site) -> Subject:
    """TLS 1.3 from clients, HTTP/2 where they choose it."""
    address, shown = local_address(), site.certificates.server
    incoming = f"""
        ssl_certificate {shown.certificate};
        ssl_certificate_key {shown.key};
        ssl_protocols TLSv1.3;
        ssl_session_cache shared:tls:10m;"""
    server = _server(f"{address} ssl http2", incoming=incoming)
    return Subject(address, (_nginx(site, "nginx", server, site.origin),), scheme="https")


def hop(site: Site) -> Subject:
    """Two of them: the first speaks mutual TLS with the second."""
    address, inner = local_address(), local_address()
    root, client, server = (
        site.certificates.root,
        site.certificates.client,
        site.certificates.server,
    )
    outgoing = f"""
            proxy_ssl_certificate {client.certificate};
            proxy_ssl_certificate_key {client.key};
            proxy_ssl_trusted_certificate {root};
            proxy_ssl_verify on;
            proxy_ssl_server_name on;
            proxy_ssl_name {server.name};
            proxy_ssl_protocols TLSv1.3;
            proxy_ssl_session_reuse on;"""
    incoming = f"""
        ssl_certificate {server.certificate};
        ssl_certificate_key {server.key};
        ssl_client_certificate {root};
        ssl_verify_client on;
        ssl_protocols TLSv1.3;
        ssl_session_cache shared:tls:10m;"""
    first = _nginx(site, "nginx-1", _server(address, outgoing=outgoing, scheme="https"), inner)
    second = _nginx(site, "nginx-2", _server(f"{inner} ssl", incoming=incoming), site.origin)
    return Subject(address, (first, second))


def _server(listen: str, *, incoming: str = "", outgoing: str = "", scheme: str = "http") -> str:
    return f"""
    server {{
        listen {listen} reuseport;{incoming}
        location / {{
            proxy_pass {scheme}://origin;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;{outgoing}
        }}
    }}"""


def _nginx(site: Site, name: str, server: str, upstream: str) -> Process:
    place = site.folder / name
    place.mkdir()
    temporary = "\n".join(
        f"    {kind}_temp_path {kind}_temp;"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    settings = f"""\
{"user www-data;" if os.geteuid() == 0 else ""}
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid nginx.pid;
error_log stderr;
events {{ worker_connections 16000; multi_accept on; }}
http {{
{temporary}
    access_log off;
    tcp_nodelay on;
    keepalive_requests {REQUESTS};
    keepalive_timeout 300s;
    upstream origin {{
        server {upstream};
        keepalive {KEPT};
        keepalive_requests {REQUESTS};
        keepalive_timeout 300s;
    }}{server}
}}
"""
    path = site.file(f"{name}.conf", settings)
    return program(name, [PROGRAM, "-p", place, "-c", path, "-e", "stderr"], site.folder)
