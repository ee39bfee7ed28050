"""A change to a request or its answer as a line for people. Decides nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def change_row(change: Mapping[str, Any], answer: Mapping[str, Any]) -> tuple[str, ...]:
    """What is changed, how, and by what; the key is named where it is not the route's own."""
    return str(change["what"]), _how(change), _by(change, answer)


def _how(change: Mapping[str, Any]) -> str:
    old, new = change.get("from"), change.get("to")
    if new is None:
        return "removed" if old is None else f"{old} removed"
    if old is not None:
        return f"{old} → {new}"
    is_beside = str(change.get("by") or "").endswith(".add")
    return f"{new} added" if is_beside else f"set to {new}"


def _by(change: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
    by, key = change.get("written") or change.get("by"), change.get("key")
    if not by:
        return ""
    route = answer.get("route") or {}
    where = f" in {key} index {change['index']}" if key and key != route.get("key") else ""
    return f"by {by}{where}"
