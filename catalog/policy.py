"""The least ACL policy of a node, as text for `consul acl policy create`. Pure; each line was tried on a real Consul."""

from __future__ import annotations

from collections.abc import Sequence


def least_policy(
    node: str, services: Sequence[str], *, has_edge: bool = False, is_signer: bool = False
) -> str:
    """The rules, in HCL, for the token of the agent on `node`, whose instances are of `services`.

    `is_signer` adds what the elected signer and writer of history needs. Without `services` their place is shown by
    a comment: a node needs write on each service whose identity it asks for, and on no other.
    """
    own = ["meshnode", *(["edge"] if has_edge else []), *services]
    lines = [
        "# what people write: read only",
        'key_prefix "mesh/" { policy = "read" }',
        "# what nodes tell one another",
        'key_prefix "meshnode/" { policy = "read" }',
        f'key_prefix "meshnode/ca/requests/{node}/" {{ policy = "write" }}',
        f'key "meshnode/status/{node}" {{ policy = "write" }}',
        f'session "{node}" {{ policy = "write" }}',
        'session_prefix "" { policy = "read" }',
        "# the catalog and the intentions",
        'node_prefix "" { policy = "read" }',
        'service_prefix "" { policy = "read" intentions = "read" }',
        f'agent "{node}" {{ policy = "read" }}',
        "# who this node may be: each service that runs here, by its name (a prefix would let it be any)",
        *(f'service "{name}" {{ policy = "write" intentions = "read" }}' for name in own),
    ]
    if not services:
        lines.append('# service "<one that runs here>" { policy = "write" intentions = "read" }')
    if is_signer:
        lines += [
            "# the signer and writer of history",
            'key_prefix "meshnode/ca/" { policy = "write" }',
            'key_prefix "meshnode/history/" { policy = "write" }',
        ]
    return "\n".join(lines) + "\n"
