"""How far a drain is, as a person reads it. Asks nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .output import ago, count

if TYPE_CHECKING:
    from catalog import DrainState


def drain_line(state: DrainState, now: float) -> str:
    """What still runs there, and whether it is safe to stop. `now` is Unix seconds."""
    return f"{state.key}: {_how_far(state)}{_since(state, now)}"


def _how_far(state: DrainState) -> str:
    if not state.instances and not state.waiting:
        return f"no node knows an instance {state.drain.instance}"
    where = ", ".join(f"{one.id} on {one.node}" for one in state.instances) or state.drain.instance
    if state.is_safe_to_stop:
        return f"{where} gets no request and has none left: safe to stop"
    if state.waiting:
        return f"{where} may still get requests: {', '.join(state.waiting)} has not said that it sends none"
    if state.running is None:
        return f"{where} gets no new request; what still runs there is being counted"
    return f"{where} gets no new request, {count(state.running, 'request')} still {'runs' if state.running == 1 else 'run'} there"


def _since(state: DrainState, now: float) -> str:
    """How long it lasts, where that is known, and of which time."""
    if state.since_unix_ms is None or not state.instances or state.is_safe_to_stop:
        return ""
    lasted_s = max(0.0, now - state.since_unix_ms / 1000)
    grace_ms = state.drain.grace_ms
    if grace_ms is None:
        return f" ({ago(lasted_s)} so far)"
    over = ", which is over" if lasted_s * 1000 > grace_ms else ""
    return f" ({ago(lasted_s)} of {ago(grace_ms / 1000)}{over})"
