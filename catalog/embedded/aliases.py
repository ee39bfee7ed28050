"""What an alias check says: the worst of the checks it stands for. Reads the catalog, changes nothing."""

from __future__ import annotations

from . import entries
from .check_form import Definition
from .probes import Finding
from .store import Reader


def finding(reader: Reader, node: str, check_id: str, definition: Definition) -> Finding:
    """Of the check `check_id` of the agent of `node`, in Consul's words."""
    target, service_id = definition.alias_node or node, definition.alias_service
    found = [
        check
        for check in entries.checks_on(reader, target)
        if check["ServiceID"] in ("", service_id)
        and not (target == node and check["CheckID"] == check_id)
    ]
    if service_id and entries.service(reader, target, service_id) is None:
        where = definition.alias_node
        return Finding("critical", f"Service {service_id} could not be found on node {where}")
    for status in ("critical", "warning"):
        for check in found:
            if check["Status"] == status:
                words = f'Aliased check "{check["Name"]}" failing: {check["Output"]}'
                return Finding(status, words)
    return Finding("passing", "All checks passing." if found else "No checks found.")


def topics(node: str, definition: Definition) -> tuple[str, ...]:
    """What wakes when the finding may be another."""
    target = definition.alias_node or node
    return entries.node_checks_topic(target), entries.node_services_topic(target)
