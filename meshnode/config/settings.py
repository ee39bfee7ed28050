"""The settings table: every static setting of a node, its default and its sentence. Read once at the start.

All else is live and stands in Consul under mesh/. Nothing here reads a file or the environment: read.py does.
"""

# ruff: noqa: RUF009  (_setting makes a dataclasses.field, which is what a default is made by)

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from . import kinds
from .kinds import Kind
from .setting import METADATA, Setting

LogLevel = Literal["debug", "info", "warning", "error"]


def _setting(
    name: str,
    kind: Kind,
    default: str,
    sentence: str,
    *,
    flag: str | None = "",
    short_flag: str | None = None,
    environment: tuple[str, ...] = (),
    is_secret: bool = False,
) -> Any:
    """A field of Settings that is a line of the table. `flag` "" makes it from the name, None leaves it out."""
    line = Setting(
        name=name,
        field=name.replace(".", "_") + kind.unit,
        kind=kind,
        default=default,
        sentence=sentence,
        flag="--" + name.replace(".", "-").replace("_", "-") if flag == "" else flag,
        short_flag=short_flag,
        environment=environment,
        is_secret=is_secret,
    )
    return dataclasses.field(metadata={METADATA: line})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of a node, parsed. Times in seconds; None where the table's word for "none" was given."""

    consul_address: str = _setting(
        "consul.address", kinds.HTTP_ADDRESS, "127.0.0.1:8500",
        "Where the API of this machine's Consul agent is.",
        short_flag="--consul", environment=("CONSUL_HTTP_ADDR",),
    )  # fmt: skip
    consul_token: str = _setting(
        "consul.token", kinds.TEXT, "",
        "Consul's token for this node; better in a file of its own (consul.token_file).",
        flag=None, environment=("CONSUL_HTTP_TOKEN",), is_secret=True,
    )  # fmt: skip
    consul_token_file: Path | None = _setting(
        "consul.token_file", kinds.or_word(kinds.PATH, ""), "",
        "A file that holds Consul's token for this node.",
        environment=("CONSUL_HTTP_TOKEN_FILE",),
    )  # fmt: skip
    edge_address: str | None = _setting(
        "edge.address", kinds.or_word(kinds.ADDRESS, "off"), "0.0.0.0:8080",
        "Where requests from outside come in; off: this node is no edge.",
    )  # fmt: skip
    edge_tls_address: str | None = _setting(
        "edge.tls_address", kinds.or_word(kinds.ADDRESS, "off"), "0.0.0.0:8443",
        "Where requests from outside come in by TLS, on a node that is an edge; off: by none.",
    )  # fmt: skip
    edge_tls_public_port: int = _setting(
        "edge.tls_public_port", kinds.whole(0, 65535), "0",
        "The port of edge.tls_address as clients see it, for redirects to https; 0: the same.",
    )  # fmt: skip
    edge_certificates_folder: Path | None = _setting(
        "edge.certificates_folder", kinds.or_word(kinds.PATH, ""), "",
        "A folder with certificates for the edge, shop.example.crt with shop.example.key, read again when they change.",
    )  # fmt: skip
    edge_trusted_proxies: tuple[str, ...] = _setting(
        "edge.trusted_proxies", kinds.NETWORKS, "",
        "Networks of the load balancers in front of the edge, whose X-Forwarded-* headers are believed.",
    )  # fmt: skip
    mesh_address: str = _setting(
        "mesh.address", kinds.ADDRESS, "0.0.0.0:7443",
        "Where the other nodes' encrypted calls come in.",
    )  # fmt: skip
    mesh_advertise: tuple[str, int | None] | None = _setting(
        "mesh.advertise", kinds.or_word(kinds.ADVERTISED, ""), "",
        "The address other nodes dial, and its port where a NAT changes it; empty: the Consul node's own address.",
        short_flag="--advertise",
    )  # fmt: skip
    outbound_host: str = _setting(
        "outbound.host", kinds.LOOPBACK, "127.0.0.1",
        "The loopback address on which local services call others.",
    )  # fmt: skip
    outbound_ports: tuple[int, int] = _setting(
        "outbound.ports", kinds.PORTS, "15000-15999",
        "Ports given to local services whose registration names none (meta mesh-outbound-port).",
    )  # fmt: skip
    callers: Literal["user", "port"] = _setting(
        "callers", kinds.choice("user", "port"), "user",
        "How a local caller is proven: by its user id, or by the port alone (any local user may then call as any service).",
    )  # fmt: skip
    intentions_default: Literal["allow", "deny"] | None = _setting(
        "intentions.default", kinds.or_word(kinds.choice("allow", "deny"), "consul"), "consul",
        "What counts where no intention decides; consul: Consul's own default.",
    )  # fmt: skip
    admin_address: str = _setting(
        "admin.address", kinds.ADDRESS, "127.0.0.1:7000",
        "Where /metrics, /status, /problems, /traces, /snapshot, /ready and /live are answered.",
    )  # fmt: skip
    state_folder: Path = _setting(
        "state_folder", kinds.or_word(kinds.PATH, ""), "",
        "Where the node keeps its keys, its last good snapshot and its logs; empty: /var/lib/meshnode as root, else ~/.local/state/meshnode.",
    )  # fmt: skip
    run_folder: Path = _setting(
        "run_folder", kinds.or_word(kinds.PATH, ""), "",
        "Where the proxy's control socket is; empty: run in the state folder.",
    )  # fmt: skip
    proxy_binary: Path | None = _setting(
        "proxy.binary", kinds.or_word(kinds.PATH, ""), "",
        "The meshnode-proxy program; empty: beside this command, else on the PATH.",
    )  # fmt: skip
    proxy_threads: int = _setting(
        "proxy.threads", kinds.whole(0, 1024), "0",
        "Worker threads of the proxy; 0: one for each processor.",
    )  # fmt: skip
    proxy_stop_with_agent: bool = _setting(
        "proxy.stop_with_agent", kinds.TRUTH, "false",
        "End the proxy too when the agent is told to end. Otherwise traffic goes on and the next agent adopts it.",
        short_flag="--stop-proxy",
    )  # fmt: skip
    proxy_drain_s: float = _setting(
        "proxy.drain", kinds.DURATION, "10s",
        "How long running requests may take to end when the proxy is stopped.",
    )  # fmt: skip
    certificates_leaf_ttl_s: float = _setting(
        "certificates.leaf_ttl", kinds.DURATION, "24h",
        "How long a service's certificate lives; renewed at two thirds of it.",
    )  # fmt: skip
    certificates_trust_domain: str | None = _setting(
        "certificates.trust_domain", kinds.or_word(kinds.TEXT, ""), "",
        "The mesh's trust domain; empty: the one that stands in Consul, or a new one.",
        short_flag="--trust-domain",
    )  # fmt: skip
    certificates_signer: bool = _setting(
        "certificates.signer", kinds.TRUTH, "true",
        "This node may sign for the mesh if it has the key-encryption key and Consul's lock.",
        short_flag="--signer",
    )  # fmt: skip
    certificates_key_encryption_key_file: Path | None = _setting(
        "certificates.key_encryption_key_file", kinds.or_word(kinds.PATH, ""), "",
        "The key that opens the CA's key in Consul; empty: ca-key-encryption-key.json in the state folder.",
    )  # fmt: skip
    certificates_root_pin: str | None = _setting(
        "certificates.root_pin", kinds.or_word(kinds.ROOT_PIN, ""), "",
        "SHA-256 of the mesh's root certificate; empty: the root met first is kept.",
        short_flag="--root-pin",
    )  # fmt: skip
    certificates_excluded_services: frozenset[str] = _setting(
        "certificates.excluded_services", kinds.NAMES, "",
        "Services that get no certificate from this node when it signs for the mesh.",
    )  # fmt: skip
    trace_ratio: float = _setting(
        "trace.ratio", kinds.SHARE, "1",
        "The share of new traces that are recorded; a caller's own decision is kept.",
    )  # fmt: skip
    jaeger_url: str = _setting(
        "jaeger.url", kinds.URL, "http://127.0.0.1:16686",
        "Jaeger's query API, for `meshnode trace`, which asks the nodes themselves too.",
    )  # fmt: skip
    log_level: LogLevel = _setting(
        "log.level", kinds.choice("debug", "info", "warning", "error"), "info",
        "How much the agent and the proxy write.",
    )  # fmt: skip


TABLE: tuple[Setting, ...] = tuple(line.metadata[METADATA] for line in dataclasses.fields(Settings))
"""Every setting, in the order help shows them."""
