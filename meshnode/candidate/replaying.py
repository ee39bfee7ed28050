"""What would have been accepted last by a node that saw every change: history judged again, change by change.

So all nodes compare what stands now with the same, whatever they saw of it and in whichever order. Asks through its
workshop alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from catalog import Compiled, KvEntry, PastKeys, Refusal, Snapshot

from .asking import Answer
from .deciding import Accepted, Bench, decide, table_of
from .expected import Asking, askings, broken

STEPS_MAX = 1_000
"""As many as history has entries."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """Compiles keys that stood once, in turn, and asks of what came out."""

    compile: Callable[[tuple[KvEntry, ...]], Awaitable[Compiled]]
    compile_again: Callable[[Mapping[str, Refusal]], Compiled]
    """What was compiled last, with these keys refused."""
    ask: Callable[[Snapshot, Sequence[Asking]], Awaitable[Sequence[Answer]]]


async def accepted_before(past: PastKeys, workshop: Workshop) -> Accepted | None:
    """What was accepted right before the newest change. None where nothing is known of a time before it.

    It begins where all tests held last, or with the oldest that is known.
    """
    steps = past.indexes[-STEPS_MAX - 1 :][:-1]
    accepted: Accepted | None = None
    begin = len(steps)
    while accepted is None and begin > 0:
        begin -= 1
        compiled = await workshop.compile(past.at(steps[begin]))
        is_broken = await _is_broken(compiled, workshop)
        if begin == 0 or not is_broken:
            accepted = replace(Accepted.of(compiled), are_tests_judged=not is_broken)
    for index in steps[begin + 1 :]:
        assert accepted is not None  # the loop above ends with one, or there are no steps
        compiled = await workshop.compile(past.at(index))
        bench = Bench(workshop.ask, workshop.compile_again)
        accepted = (await decide(compiled, accepted, bench)).accepted
    return accepted


async def _is_broken(compiled: Compiled, workshop: Workshop) -> bool:
    asked = askings(compiled.last_good.policies.tests)
    if not asked:
        return False
    return any(broken(asked, await workshop.ask(table_of(compiled), asked)))
