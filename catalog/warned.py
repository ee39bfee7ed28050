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
"""So many instances are named in a sentence; the others are counted."""


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
    """Of the services of these targets the instances that a warning takes out; `instances` as policies weigh them."""
    services = sorted({service_of(target) for target in targets})
    found = {
        service: out
        for service in services
        if (out := [one for one in instances.get(service, ()) if _is_out(one)])
    }
    names = _names(checks) if found else {}
    return {
        service: tuple(
            WarnedOut(
                one.id,
                one.node,
                names.get((one.node, one.id)) or names.get((one.node, ""), ""),
                _key(policies.get(service)),
            )
            for one in out
        )
        for service, out in found.items()
    }


def told(out: Iterable[WarnedOut], others: int) -> str:
    """`"cart-1" on node-2 by check "load"`, and by what; `others` are out, too, for another reason."""
    named = list(out)
    shown = [_sentence(one) for one in named[:SHOWN]]
    if (more := len(named) - SHOWN) > 0:
        shown.append(f"{more} more so")
    key = named[0].key
    why = f'{key} says "warning: out"' if key else "registrations have no weight for warnings"
    rest = f"; {others} more by other causes" if others else ""
    return f"{', '.join(shown)}, since it warns and {why}{rest}"


def _sentence(one: WarnedOut) -> str:
    check = f"check {quote(one.check)}" if one.check else "a check"
    return f"{quote(one.id)} on {one.node} by {check}"


def _is_out(instance: Instance) -> bool:
    return instance.status == "warning" and instance.weight == 0


def _key(written: Written[ServicePolicy] | None) -> str:
    return written.key if written is not None and written.meaning.warning == "out" else ""


def _names(checks: Iterable[UnhealthyCheck]) -> Mapping[tuple[str, str], str]:
    """(node, service id or "" for the node itself) → its first check that warns."""
    return {
        (one.node, one.service_id): one.name or one.check_id
        for one in reversed(tuple(checks))
        if one.status == "warning"
    }
