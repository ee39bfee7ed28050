"""Which warning check takes which instance out, where its destination has none left to use. Changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from .language.targets import service_of
from .model import Instance
from .policies.read import Written
from .policies.service import ServicePolicy
from .text import quote
from .update import UnhealthyCheck

SHOWN = 3
"""So many instances are named for one reason; the others are counted."""


@dataclass(frozen=True, slots=True)
class WarnedOut:
    """An instance that is out for a warning: its check, and the policy's key that says so; empty: its own weight does."""

    id: str
    node: str
    check: str
    key: str


OutByService = Mapping[str, tuple[WarnedOut, ...]]


def warned_out(
    targets: Collection[str],
    instances: Mapping[str, tuple[Instance, ...]],
    policies: Mapping[str, Written[ServicePolicy]],
    checks: Iterable[UnhealthyCheck],
) -> OutByService:
    """Of the services of these targets the instances that a warning takes out; `instances` as they are registered."""
    found: dict[str, list[tuple[Instance, str]]] = {}
    for service in sorted({service_of(target) for target in targets}):
        written = policies.get(service)
        for one in instances.get(service, ()):
            policy = policy_against(one, written)
            if policy is not None or (one.status == "warning" and one.weight_warning == 0):
                found.setdefault(service, []).append((one, policy.key if policy else ""))
    names = _names(checks) if found else {}
    return {
        service: tuple(
            WarnedOut(
                one.id,
                one.node,
                names.get((one.node, one.id)) or names.get((one.node, ""), ""),
                key,
            )
            for one, key in out
        )
        for service, out in found.items()
    }


def policy_against(
    instance: Instance, written: Written[ServicePolicy] | None
) -> Written[ServicePolicy] | None:
    """The service's policy where it takes the instance, as registered, out for a warning; its own weight may do so, too."""
    is_in = instance.status == "warning" and instance.weight_warning > 0
    return written if is_in and written is not None and written.meaning.warning == "out" else None


def told(out: Iterable[WarnedOut], others: int) -> str:
    """`"cart-1" on node-2 by check "load"`, and by what, each reason once; `others` are out, too, for another one."""
    by_key: dict[str, list[WarnedOut]] = {}
    for one in out:
        by_key.setdefault(one.key, []).append(one)
    reasons = [_reason(by_key[key], key) for key in sorted(by_key, reverse=True)]
    rest = [f"{others} more by other causes"] if others else []
    return "; ".join((*reasons, *rest))


def _reason(named: list[WarnedOut], key: str) -> str:
    shown = [_sentence(one) for one in named[:SHOWN]]
    if (more := len(named) - SHOWN) > 0:
        shown.append(f"{more} more so")
    why = f'{key} says "warning: out"' if key else "registrations have no weight for warnings"
    return f"{', '.join(shown)}, since it warns and {why}"


def _sentence(one: WarnedOut) -> str:
    check = f"check {quote(one.check)}" if one.check else "a check"
    return f"{quote(one.id)} on {one.node} by {check}"


def _names(checks: Iterable[UnhealthyCheck]) -> Mapping[tuple[str, str], str]:
    """(node, service id or "" for the node itself) → its first check that warns."""
    return {
        (one.node, one.service_id): one.name or one.check_id
        for one in reversed(tuple(checks))
        if one.status == "warning"
    }
