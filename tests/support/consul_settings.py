"""The configuration of the Consul agents the tests start. Pure; the field names are Consul's."""

from pathlib import Path
from typing import Any, Literal

Policy = Literal["allow", "deny"]

DATACENTER = "dc1"
# -1 closes a port. DNS, gRPC and WAN gossip are nothing a node uses.
CLOSED_PORTS = {"dns": -1, "grpc": -1, "grpc_tls": -1, "https": -1, "serf_wan": -1}


def common_settings(node: str, address: str, data: Path) -> dict[str, Any]:
    return {
        "node_name": node,
        "datacenter": DATACENTER,
        "data_dir": str(data),
        "bind_addr": address,
        "client_addr": address,
        "log_level": "INFO",
        "disable_update_check": True,
    }


def server_settings() -> dict[str, Any]:
    return {
        "server": True,
        "bootstrap_expect": 1,
        "connect": {"enabled": True},
        # The shortest election Consul offers for a server that keeps its data.
        "performance": {"raft_multiplier": 1},
    }


def client_settings(join: str) -> dict[str, Any]:
    return {"retry_join": [join], "retry_interval": "500ms"}


def acl_settings(
    management: str, agent_token: str | None, default_policy: Policy
) -> dict[str, Any]:
    """ACLs on. The persistence keeps a token that was given by the API over a restart."""
    tokens = {"initial_management": management, **({"agent": agent_token} if agent_token else {})}
    return {
        "acl": {
            "enabled": True,
            "default_policy": default_policy,
            "enable_token_persistence": True,
            "tokens": tokens,
        }
    }
