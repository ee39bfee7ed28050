"""How the catalog's checks come, change and go, with Consul's index rules. Knows no HTTP and runs no check.

A document is the API's form of a check without its indexes; `ServiceID` is empty for a check of the node itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from . import entries, session_entries
from .errors import Refused
from .store import Writer

SERF = "serfHealth"
"""The check by which Consul's gossip says that a node is alive."""
# What makes a check another one. Its type and interval are shown and not compared, as in Consul.
_COMPARED = (
    "CheckID",
    "Name",
    "Status",
    "Notes",
    "Output",
    "ServiceID",
    "ServiceName",
    "ServiceTags",
    "Definition",
)


def put(writer: Writer, document: Mapping[str, Any]) -> None:
    """Makes or changes a check; one that stands there so is left alone. Its service's name and tags are filled in.

    Refused without its node or its service.
    """
    node, check_id, service_id = document["Node"], document["CheckID"], document["ServiceID"]
    if entries.node(writer, node) is None:
        raise Refused(500, f'failed inserting check on node "{node}": Missing node registration')
    whole = {**document, "Status": document["Status"] or "critical"}
    if service_id:
        service = entries.service(writer, node, service_id)
        if service is None:
            raise Refused(
                500, f'failed inserting check on node "{node}": Missing service registration'
            )
        whole["ServiceName"], whole["ServiceTags"] = service["Service"], service["Tags"]
    if whole["Status"] == "critical":
        session_entries.check_lost(writer, node, check_id)
    there = entries.check(writer, node, check_id)
    if there is not None and all(there[name] == whole[name] for name in _COMPARED):
        return
    writer.execute(
        "INSERT INTO checks VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7) ON CONFLICT DO UPDATE"
        " SET service_id = ?3, service_name = ?4, status = ?5, document = ?6, modify_index = ?7",
        node,
        check_id,
        service_id,
        whole["ServiceName"],
        whole["Status"],
        orjson.dumps(whole).decode(),
        writer.index,
    )
    writer.bump("checks")
    _touched(writer, whole)
    if there is not None:
        # A service that lost its check to another one keeps its index, as in Consul.
        _wake(writer, there)


def delete(writer: Writer, node: str, check_id: str) -> None:
    """One that is gone already is no error."""
    there = entries.check(writer, node, check_id)
    if there is None:
        return
    writer.execute("DELETE FROM checks WHERE node = ? AND id = ?", node, check_id)
    writer.execute("DELETE FROM agent_checks WHERE node = ? AND id = ?", node, check_id)
    writer.bump("checks")
    if not there["ServiceID"]:
        writer.bump("services")
    _touched(writer, there)
    session_entries.check_lost(writer, node, check_id)


def _touched(writer: Writer, check: Mapping[str, Any]) -> None:
    """Moves what shows this check: its service, or for a check of the node all services on it."""
    if check["ServiceID"]:
        writer.bump(entries.service_index(check["ServiceName"]))
    else:
        writer.bump(*entries.service_indexes_on(writer, check["Node"]))
    _wake(writer, check)


def _wake(writer: Writer, check: Mapping[str, Any]) -> None:
    """Wakes who waits for lists that show this check."""
    writer.wake(
        entries.CHECK_ROWS,
        entries.node_checks_topic(check["Node"]),
        entries.status_topic(check["Status"]),
    )
    if check["ServiceID"]:
        writer.wake(entries.service_checks_topic(check["ServiceName"]))
