"""The status of an instance, from the sweep of its service or from the watch of all checks, whichever is newer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from .model import Instance, Status
from .update import InstancesUpdate, UnhealthyUpdate

CheckTable = Mapping[tuple[str, str], Status]
"""(node, service id or "" for the node itself) → the worst of its checks; what is not in it passes."""

_RANK: dict[Status, int] = {"passing": 0, "warning": 1, "critical": 2, "maintenance": 3}


def check_table(update: UnhealthyUpdate | None) -> CheckTable:
    """The table of all checks that do not pass."""
    table: dict[tuple[str, str], Status] = {}
    for check in update.checks if update else ():
        at = (check.node, check.service_id)
        table[at] = worse(table.get(at, "passing"), check.status)
    return table


def worse(left: Status, right: Status) -> Status:
    """The worse of two."""
    return left if _RANK[left] >= _RANK[right] else right


def with_status(instances: tuple[Instance, ...], table: CheckTable) -> tuple[Instance, ...]:
    """The instances with the status the table gives them; the same objects where nothing differs."""
    changed = False
    result: list[Instance] = []
    for instance in instances:
        status = worse(
            table.get((instance.node, ""), "passing"),
            table.get((instance.node, instance.id), "passing"),
        )
        if status != instance.status:
            instance, changed = replace(instance, status=status), True  # noqa: PLW2901
        result.append(instance)
    return tuple(result) if changed else instances


def swept(
    sweep: InstancesUpdate,
    unhealthy: UnhealthyUpdate | None,
    table: CheckTable,
    before: tuple[Instance, ...] = (),
) -> tuple[Instance, ...]:
    """A service's instances with their status.

    Both answers are complete as of their index. A sweep may come from a server that lags, or be ahead of the watch;
    the one with the higher index has seen every check the other has. Of what is kept Consul has no check any more: it
    stays as it was `before`.
    """
    if unhealthy is None or sweep.consul_index > unhealthy.consul_index:
        found = sweep.instances
    else:
        found = with_status(sweep.instances, table)
    if not sweep.kept:
        return found
    stays = {(one.node, one.id): one for one in before if (one.node, one.id) in sweep.kept}
    return tuple(stays.get((one.node, one.id), one) for one in found)
