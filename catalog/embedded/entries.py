"""The catalog as it stands: nodes, services and checks, read from their tables, with the names of their indexes.

Writes nothing. Every entry has the API's form. Source of the index rules: Consul's API, "Blocking queries", and 1.22.0 as seen.
"""

from __future__ import annotations

from typing import Any

import orjson

from .store import Reader

Entry = dict[str, Any]

# Topics: what wakes a blocked query. A row's own change wakes less than its index tells, as in Consul: the index of
# `nodes` also moves with the services on them, and nobody who lists nodes wakes for it.
NODE_ROWS = "node-rows"
SERVICE_ROWS = "service-rows"
CHECK_ROWS = "check-rows"

NODE_EXTINCTION = "node_last_extinction"
SERVICE_EXTINCTION = "service_last_extinction"
"""The index at which the last instance of any service went: what a service that is not there has as its own."""


def node_index(node_name: str) -> str:
    return f"node.{node_name.lower()}"


def service_index(service_name: str) -> str:
    return f"service.{service_name.lower()}"


def service_topic(service_name: str) -> str:
    """Wakes when an instance of this service comes, changes or goes, and not for its checks."""
    return f"{SERVICE_ROWS}.{service_name.lower()}"


def node_services_topic(node_name: str) -> str:
    return f"{SERVICE_ROWS}.node.{node_name.lower()}"


def node_checks_topic(node_name: str) -> str:
    return f"{CHECK_ROWS}.node.{node_name.lower()}"


def service_checks_topic(service_name: str) -> str:
    return f"{CHECK_ROWS}.service.{service_name.lower()}"


def status_topic(status: str) -> str:
    return f"{CHECK_ROWS}.status.{status}"


def node(reader: Reader, name: str) -> Entry | None:
    row = reader.row("SELECT * FROM nodes WHERE name = ?", name)
    return _shown(row) if row else None


def nodes(reader: Reader) -> list[Entry]:
    return [_shown(row) for row in reader.rows("SELECT * FROM nodes ORDER BY name")]


def service(reader: Reader, node_name: str, service_id: str) -> Entry | None:
    row = reader.row("SELECT * FROM services WHERE node = ? AND id = ?", node_name, service_id)
    return _shown(row) if row else None


def services_on(reader: Reader, node_name: str) -> list[Entry]:
    found = reader.rows("SELECT * FROM services WHERE node = ? ORDER BY id", node_name)
    return [_shown(row) for row in found]


def instances(reader: Reader, service_name: str) -> list[tuple[str, Entry]]:
    """Each instance with the name of its node, sorted by node and id."""
    found = reader.rows("SELECT * FROM services WHERE name = ? ORDER BY node, id", service_name)
    return [(row["node"], _shown(row)) for row in found]


def services(reader: Reader) -> list[tuple[str, Entry]]:
    """All of them, each with the name of its node."""
    found = reader.rows("SELECT * FROM services ORDER BY node, id")
    return [(row["node"], _shown(row)) for row in found]


def service_indexes_on(reader: Reader, node_name: str) -> list[str]:
    """The indexes of all services that have an instance on the node."""
    found = reader.rows("SELECT DISTINCT name FROM services WHERE node = ?", node_name)
    return [service_index(row["name"]) for row in found]


def index_of_service(reader: Reader, name: str, *, is_there: bool, with_checks: bool) -> int:
    """The X-Consul-Index of a read of one service."""
    if not is_there and (extinction := reader.index_of(SERVICE_EXTINCTION)):
        return extinction
    if index := reader.index_of(service_index(name)):
        return index
    tables = ("nodes", "services", "checks") if with_checks else ("nodes", "services")
    return reader.index_of(*tables)


def check(reader: Reader, node_name: str, check_id: str) -> Entry | None:
    row = reader.row("SELECT * FROM checks WHERE node = ? AND id = ?", node_name, check_id)
    return _shown(row) if row else None


def checks(reader: Reader, status: str = "") -> list[Entry]:
    """All, or those in one state, sorted by node and id."""
    if not status:
        found = reader.rows("SELECT * FROM checks ORDER BY node, id")
    else:
        found = reader.rows("SELECT * FROM checks WHERE status = ? ORDER BY node, id", status)
    return [_shown(row) for row in found]


def checks_on(reader: Reader, node_name: str) -> list[Entry]:
    found = reader.rows("SELECT * FROM checks WHERE node = ? ORDER BY id", node_name)
    return [_shown(row) for row in found]


def checks_of(reader: Reader, service_name: str) -> list[Entry]:
    found = reader.rows(
        "SELECT * FROM checks WHERE service_name = ? AND service_id != '' ORDER BY node, id",
        service_name,
    )
    return [_shown(row) for row in found]


def checks_of_instance(reader: Reader, node_name: str, service_id: str) -> list[Entry]:
    """What decides the health of one instance: its node's checks, then its own."""
    found = reader.rows(
        "SELECT * FROM checks WHERE node = ? AND service_id IN ('', ?) ORDER BY service_id != '', id",
        node_name,
        service_id,
    )
    return [_shown(row) for row in found]


def _shown(row: Any) -> Entry:
    """A row's document with its indexes."""
    document: Entry = orjson.loads(row["document"])
    document["CreateIndex"], document["ModifyIndex"] = row["create_index"], row["modify_index"]
    return document
