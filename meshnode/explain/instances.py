"""Why each instance of a service gets requests or does not. Reads Consul's last word; asks nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from catalog import Instance, Policies, UnhealthyCheck, policy_against

NOTE_MAX_CHARACTERS = 80
"""Of a check's output: its first line says what is wrong, or nothing does."""

Since = Mapping[tuple[str, str], tuple[float, bool]]
"""(node, check id) → when this node first heard of the check as it is, in Unix seconds, and whether that was at its start."""


@dataclass(frozen=True, slots=True)
class InstanceView:
    """One instance with the reason; `why` is empty where it is in use. `since_unix_s` is known of checks alone."""

    id: str
    node: str
    address: str
    is_usable: bool
    why: str = ""
    since_unix_s: float | None = None
    is_since_start: bool = False
    note: str = ""
    policy: tuple[str, int] | None = None
    """Key and index of the service's policy, where `warning: out` there is why a check in warning takes it out."""

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "node": self.node,
            "address": self.address,
            "is_usable": self.is_usable,
            "sentence": self.why or None,
            "since_unix_s": self.since_unix_s,
            "is_since_start": self.is_since_start,
            "note": self.note or None,
            "policy": self.policy and {"key": self.policy[0], "index": self.policy[1]},
        }


def views(
    cluster: str,
    service: str,
    instances: tuple[Instance, ...],
    checks: tuple[UnhealthyCheck, ...],
    since: Since,
    endpoints: Mapping[tuple[str, str], Mapping[str, Any]],
    policies: Policies,
) -> tuple[InstanceView, ...]:
    """All instances Consul has; `endpoints` are those the proxy has, by node and id, as it answered."""
    return tuple(
        _view(
            cluster,
            service,
            one,
            checks,
            since,
            endpoints.get((one.node, one.id)),
            _policy(one, policies),
        )
        for one in instances
    )


def _view(
    cluster: str,
    service: str,
    instance: Instance,
    checks: tuple[UnhealthyCheck, ...],
    since: Since,
    endpoint: Mapping[str, Any] | None,
    policy: tuple[str, int] | None,
) -> InstanceView:
    """`policy` is the service's, where that takes this one out for a check in warning."""
    address = f"{instance.host}:{instance.port}"
    if endpoint is not None:
        why = "" if endpoint.get("is_usable") else str(endpoint.get("sentence") or "not used")
        return InstanceView(instance.id, instance.node, address, not why, why)
    bad = [
        check
        for whose in (instance.id, "")
        for check in checks
        if check.node == instance.node and check.service_id == whose
    ]
    worst = next((check for check in bad if check.status == instance.status), None)
    if worst is not None and (instance.weight == 0 or policy):
        seen, is_since_start = since.get((worst.node, worst.check_id), (None, False))
        note = next(iter(worst.note.strip().splitlines()), "")
        return InstanceView(
            instance.id, instance.node, address, is_usable=False, why=_check(worst),
            since_unix_s=seen, is_since_start=is_since_start, note=note[:NOTE_MAX_CHARACTERS], policy=policy,
        )  # fmt: skip
    why = _without_endpoint(cluster, service, instance)
    return InstanceView(instance.id, instance.node, address, is_usable=False, why=why)


def _policy(instance: Instance, policies: Policies) -> tuple[str, int] | None:
    written = policy_against(instance, policies.services.get(instance.service))
    return None if written is None else (written.key, written.index)


def _check(check: UnhealthyCheck) -> str:
    whose = "" if check.service_id else f" of the node {check.node}"
    if check.status == "maintenance":
        return f"maintenance mode{whose}"
    return f'check "{check.name or check.check_id}"{whose} {check.status}'


def _without_endpoint(cluster: str, service: str, instance: Instance) -> str:
    """It passes its checks, and the table does not have it."""
    if instance.weight == 0:
        return f"its weight in Consul is 0 while {instance.status}"
    if instance.port == 0:
        return "it is registered without a port"
    if cluster != service:
        return f"not in the subset {cluster}"
    return "it is not in the table yet"
