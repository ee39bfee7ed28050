"""Traces that arrive in pieces from several nodes, each given out once when it is likely whole. Pure: time is passed in."""

from __future__ import annotations

from dataclasses import dataclass, field

from .trace import Span, Trace, trace_of

# A proxy hands its spans over every 100 ms, and the agent takes them at once.
SETTLE_S = 0.4
# A trace whose beginning never comes (its node is not asked, its spans were dropped) is given out as it is.
PATIENCE_S = 5.0
# Waiting traces and the spans of one; what is more goes untold: nobody reads so many lines.
MAX_WAITING = 2000
MAX_SPANS = 1000
# Ids of what was given out, so that a late span does not make a second line.
MAX_TOLD = 4000


@dataclass(slots=True)
class _Waiting:
    first_s: float
    last_s: float
    spans: dict[str, Span] = field(default_factory=dict)

    def is_whole(self) -> bool:
        """One beginning, told by the edge or by the proxy of a service that calls."""
        ids = self.spans.keys()
        roots = [one for one in self.spans.values() if one.parent_id not in ids]
        return len(roots) == 1 and roots[0].text("mesh.direction") != "inbound"


class LiveTraces:
    """`add` what arrives, then ask for what is `ready`; `now_s` is a clock that never goes back."""

    def __init__(self) -> None:
        self._waiting: dict[str, _Waiting] = {}
        self._told: dict[str, None] = {}

    def add(self, part: Trace, now_s: float) -> None:
        if part.trace_id in self._told:
            return
        waiting = self._waiting.setdefault(part.trace_id, _Waiting(now_s, now_s))
        waiting.last_s = now_s
        for span in part.spans[: max(0, MAX_SPANS - len(waiting.spans))]:
            waiting.spans[span.span_id] = span
        while len(self._waiting) > MAX_WAITING:
            del self._waiting[next(iter(self._waiting))]

    def ready(self, now_s: float) -> list[Trace]:
        """Whole and quiet for SETTLE_S, or waited for long enough; in order of their start."""
        found = [
            trace_id
            for trace_id, one in self._waiting.items()
            if now_s - one.first_s >= PATIENCE_S
            or (now_s - one.last_s >= SETTLE_S and one.is_whole())
        ]
        traces = [trace_of(id_, self._waiting.pop(id_).spans.values()) for id_ in found]
        self._told.update(dict.fromkeys(found))
        while len(self._told) > MAX_TOLD:
            del self._told[next(iter(self._told))]
        return sorted(traces, key=lambda trace: trace.start_us)
