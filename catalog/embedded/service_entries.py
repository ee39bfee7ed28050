"""How the catalog's services come, change and go, with Consul's index rules. Knows no HTTP.

A document is the API's form of a node's service without its indexes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from . import check_entries, entries
from .errors import Refused
from .store import Writer


def put(writer: Writer, node: str, document: Mapping[str, Any]) -> None:
    """Makes or changes a service; one that stands there so is left alone. Refused without its node."""
    service_id, service = document["ID"], document["Service"]
    there = entries.service(writer, node, service_id)
    if there is not None and _without_indexes(there) == document:
        return
    if entries.node(writer, node) is None:
        raise Refused(500, "failed inserting service: Missing node registration")
    writer.execute(
        "INSERT INTO services VALUES (?1, ?2, ?3, ?4, ?5, ?5)"
        " ON CONFLICT DO UPDATE SET name = ?3, document = ?4, modify_index = ?5",
        node,
        service_id,
        service,
        orjson.dumps(dict(document)).decode(),
        writer.index,
    )
    _touched(writer, node, service)
    writer.bump(entries.service_index(service))
    if there is not None and there["Service"].lower() != service.lower():
        writer.wake(entries.service_topic(there["Service"]))
        _left(writer, there["Service"])


def delete(writer: Writer, node: str, service_id: str) -> None:
    """With its checks. One that is gone already is no error."""
    there = entries.service(writer, node, service_id)
    if there is None:
        return
    own = "SELECT id FROM checks WHERE node = ? AND service_id = ?"
    for row in writer.rows(own, node, service_id):
        check_entries.delete(writer, node, row["id"])
    writer.execute("DELETE FROM services WHERE node = ? AND id = ?", node, service_id)
    writer.execute("DELETE FROM agent_services WHERE node = ? AND id = ?", node, service_id)
    writer.bump("checks")
    _touched(writer, node, there["Service"])
    _left(writer, there["Service"])


def forget_index(writer: Writer, name: str) -> None:
    """Takes an index out of the table, also the one this write gave it; who waits for it wakes."""
    writer.execute("DELETE FROM indexes WHERE name = ?", name)
    writer.bumped.discard(name)
    writer.wake(name)


def _without_indexes(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: entry[name] for name in entry if name not in ("CreateIndex", "ModifyIndex")}


def _touched(writer: Writer, node: str, service: str) -> None:
    """Moves what shows this service, but for its own index."""
    writer.bump("services", "nodes", entries.node_index(node))
    writer.wake(
        entries.SERVICE_ROWS,
        entries.service_topic(service),
        entries.node_services_topic(node),
    )


def _left(writer: Writer, service: str) -> None:
    """An instance of this service went: with the last one its index goes too, and the extinction's moves."""
    if writer.row("SELECT 1 FROM services WHERE name = ? LIMIT 1", service):
        writer.bump(entries.service_index(service))
    else:
        forget_index(writer, entries.service_index(service))
        writer.bump(entries.SERVICE_EXTINCTION)
