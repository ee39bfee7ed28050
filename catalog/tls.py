"""TLS at the edge as the proxy's resources: what a host demands, by host. No key is in them, nor a certificate of ours."""

from __future__ import annotations

from collections.abc import Mapping

from .keys import tls_host
from .model import Problem
from .node import NodeFacts
from .policies.policies import Policies
from .policies.read import Written
from .policies.tls import TlsSettings
from .resource import Resource

OF_FILES = "edge.certificates_folder"
"""What stands as key of a host whose certificate is a file of this node's."""


def tls_hosts(policies: Policies, facts: NodeFacts) -> Mapping[str, Resource]:
    """The settings of each host; none on a node without an edge.

    A host of which nothing was ever readable is closed where it may demand something of its clients.
    """
    if facts.edge_address is None:
        return {}
    found: dict[str, Resource] = {host: {"key": OF_FILES, "index": 0} for host in facts.file_hosts}
    for key, problem in policies.closed.items():
        if host := tls_host(key):
            sentence = (
                f"line {problem.line}: {problem.message}" if problem.line else problem.message
            )
            found[host] = {"key": key, "index": problem.index, "closed": sentence}
    for key, written in policies.tls.items():
        if host := tls_host(key):
            found[host] = _resource(written)
    return found


def _resource(written: Written[TlsSettings]) -> Resource:
    meaning = written.meaning
    made: Resource = {"key": written.key, "index": written.index}
    if meaning.policy is not None:
        made["policy"] = meaning.policy
    if clients := meaning.clients:
        made["client_certificates"] = {
            "mode": clients.mode,
            "authorities_pem": clients.authorities,
        }
    return made


def file_problems(policies: Policies, facts: NodeFacts) -> tuple[Problem, ...]:
    """A host with a key and with a file: the key counts, and whoever wrote it is told."""
    return tuple(
        Problem(
            key,
            written.index,
            "warning",
            f"on {facts.node} {OF_FILES} has a certificate for {host} too; this one is shown",
        )
        for key, written in policies.tls.items()
        if (host := tls_host(key)) in facts.file_hosts and written.meaning.certificate
    )
