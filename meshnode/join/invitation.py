"""What a node that stands tells a new machine: the mesh's root and how to reach its Consul. Holds no secret, ever. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from certs import MeshCa


@dataclass(frozen=True, slots=True)
class Invitation:
    """`consul_join` is the address at which this node's Consul agent takes others into its cluster.

    `key_path` is set for a machine that may sign: where on `node` the key-encryption key lies.
    """

    node: str
    datacenter: str
    consul_join: str
    acls_deny: bool
    ca: MeshCa
    key_path: str | None = None

    @property
    def command(self) -> str:
        """To be pasted on the new machine."""
        words = ["meshnode", "join", "--trust-domain", self.ca.trust_domain, "--root-pin", self.ca.root_pins[0]]  # fmt: skip
        if self.acls_deny:
            words += ["--consul-token-file", "TOKEN-FILE"]
        if self.key_path is not None:
            words += ["--signer", "--key-encryption-key", "KEY-FILE"]
        return shlex.join(words)

    def to_json(self) -> dict[str, Any]:
        return {
            "datacenter": self.datacenter,
            "consul_join": self.consul_join,
            "trust_domain": self.ca.trust_domain,
            "root_pins": list(self.ca.root_pins),
            "needs_token": self.acls_deny,
            "key_path": self.key_path,
            "command": self.command,
        }

    def lines(self) -> Iterator[str]:
        """For a person, the command last: it is what is copied."""
        yield f"On the new machine, a Consul agent of its own in datacenter {self.datacenter}: retry_join = [{self.consul_join!r}]".replace("'", '"')  # fmt: skip
        if self.acls_deny:
            signer = " --signer" if self.key_path else ""
            yield (
                "TOKEN-FILE holds a token of its own, of the policy that is printed by: "
                f"meshnode acl policy --node NAME --service SERVICE{signer}"
            )
        if self.key_path is not None:
            yield (
                f"KEY-FILE is a copy of {self.key_path} on {self.node}, mode 600. Whoever has it can sign as any service: bring it there "
                f"by ssh, never by mail or a ticket (or: ssh {self.node} cat {shlex.quote(self.key_path)} | meshnode join … --key-encryption-key -)"
            )
        yield "Then, there:"
        yield f"  {self.command}"
