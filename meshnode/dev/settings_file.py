"""A node's settings file, as an admin would write it: what the demo needs to run three nodes on one machine. Pure."""

from __future__ import annotations

import json
from pathlib import Path

from .plan import Node


def settings_text(node: Node, state: Path, run: Path, *, is_signer: bool) -> str:
    """TOML. Paths and addresses are quoted as JSON, whose strings TOML takes."""
    return f"""\
# {node.name} of `meshnode dev`, which wrote this. What is not here has its default: meshnode agent --help.
state_folder = {_quoted(str(state))}
run_folder = {_quoted(str(run))}
# All services run as one user here, so who calls is told by the port alone.
callers = "port"

[consul]
address = {_quoted(node.place.registry)}

[edge]
address = {_quoted(node.edge or "off")}
tls_address = {_quoted(node.edge_tls or "off")}

[mesh]
address = {_quoted(node.mesh)}

[admin]
address = {_quoted(node.admin)}

[outbound]
host = {_quoted(node.place.host)}

[proxy]
threads = 1
stop_with_agent = true
drain = "0s"

[certificates]
# The first node made the key that opens the mesh's CA; the others have no copy here.
signer = {"true" if is_signer else "false"}
"""


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
