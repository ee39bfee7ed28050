"""How the catalog's nodes come, change and go, with Consul's index rules. Knows no HTTP.

A document is the API's form of a node without its indexes.
"""

from __future__ import annotations

import ipaddress
import uuid
from collections.abc import Mapping
from typing import Any

import orjson

from . import check_entries, entries, service_entries, session_entries
from .errors import Refused
from .shared import DATACENTER, VERSION
from .store import Writer

# A node has the same id in every registry of its name, so that one that is made anew is the same node.
_IDS = uuid.UUID("0c4fd1f2-5a6e-4b0f-9d53-6d6573686e6f")
CONSUL_PORT = 8300
"""Where a Consul server would be spoken to by others. Nobody listens there; the service `consul` has it all the same."""


def put_alive(writer: Writer, name: str, address: str) -> None:
    """A node with an agent of its own, as Consul's gossip brings it; the first of them is the server."""
    family = "ipv6" if ipaddress.ip_address(address).version == 6 else "ipv4"
    places = ("lan", f"lan_{family}", "wan", f"wan_{family}")
    node = {
        "ID": str(uuid.uuid5(_IDS, name.lower())),
        "Node": name,
        "Address": address,
        "Datacenter": DATACENTER,
        "TaggedAddresses": dict.fromkeys(places, address),
        "Meta": {"consul-network-segment": "", "consul-version": VERSION},
    }
    put(writer, node)
    if not entries.instances(writer, "consul"):
        service_entries.put(writer, name, _server_service())
    check_entries.put(writer, _serf_check(name))


def put(writer: Writer, document: Mapping[str, Any]) -> None:
    """Makes or changes a node; one that stands there so is left alone. Refused if its name is a living other's."""
    name, node_id = document["Node"], document["ID"]
    there = entries.node(writer, name)
    if there is not None and {**there, **document} == there:
        return
    if node_id and (there is None or there["ID"] != node_id):
        _take_id(writer, name, node_id, there)
    writer.execute(
        "INSERT INTO nodes VALUES (?1, ?2, ?3, ?3)"
        " ON CONFLICT DO UPDATE SET document = ?2, modify_index = ?3",
        name,
        orjson.dumps(dict(document)).decode(),
        writer.index,
    )
    writer.bump("nodes", entries.node_index(name), *entries.service_indexes_on(writer, name))
    writer.wake(entries.NODE_ROWS)


def delete(writer: Writer, name: str) -> None:
    """With its services, checks and sessions. One that is gone already is no error."""
    if entries.node(writer, name) is None:
        return
    for service in entries.services_on(writer, name):
        service_entries.delete(writer, name, service["ID"])
    for check in entries.checks_on(writer, name):
        check_entries.delete(writer, name, check["CheckID"])
    writer.execute("DELETE FROM nodes WHERE name = ?", name)
    writer.bump("nodes", entries.NODE_EXTINCTION)
    writer.wake(entries.NODE_ROWS)
    service_entries.forget_index(writer, entries.node_index(name))
    session_entries.node_gone(writer, name)


def _take_id(writer: Writer, name: str, node_id: str, there: Mapping[str, Any] | None) -> None:
    """A node that comes under another name with its old id is renamed; a living one's name is not for taking."""
    if there is not None and there["ID"] and _is_alive(writer, name):
        raise Refused(
            500,
            f'failed inserting node: Error while renaming Node ID: "{node_id}": Node name {name} is reserved by'
            f" node {there['ID']} with name {there['Node']} ({there['Address']})",
        )
    for row in writer.rows("SELECT name FROM nodes WHERE document ->> 'ID' = ?", node_id):
        if row["name"].lower() != name.lower():
            delete(writer, row["name"])


def _is_alive(writer: Writer, name: str) -> bool:
    check = entries.check(writer, name, check_entries.SERF)
    return check is not None and check["Status"] != "critical"


def _server_service() -> dict[str, Any]:
    return {
        "ID": "consul",
        "Service": "consul",
        "Tags": [],
        "Address": "",
        "Meta": {},
        "Port": CONSUL_PORT,
        "Weights": {"Passing": 1, "Warning": 1},
        "EnableTagOverride": False,
        "Proxy": {"Mode": "", "MeshGateway": {}, "Expose": {}},
        "Connect": {},
        "PeerName": "",
    }


def _serf_check(node: str) -> dict[str, Any]:
    return {
        "Node": node,
        "CheckID": check_entries.SERF,
        "Name": "Serf Health Status",
        "Status": "passing",
        "Notes": "",
        "Output": "Agent alive and reachable",
        "ServiceID": "",
        "ServiceName": "",
        "ServiceTags": [],
        "Type": "",
        "Interval": "",
        "Timeout": "",
        "ExposedPort": 0,
        "Definition": {},
    }
