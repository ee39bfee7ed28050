"""Lets no table through that breaks a route test, as far as this node can say: the proxy is asked, the loop waits for it.

Without tests it costs nothing. Which keys lose is decided in candidate/deciding.py, first by what this node had in
force, and where anything is refused once more by what history tells, which all nodes read alike.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from catalog import Compiled, LastGood, Refusal, Snapshot, route_name

from ..candidate.answering import answers_of
from ..candidate.asking import Answer
from ..candidate.deciding import Accepted, Bench, Decided, decide
from ..candidate.expected import Asking
from ..errors import ProxyRefused, ProxyUnreachable
from ..explain import Known
from ..proxy import RunningProxy
from .delivery import Delivery
from .events import PastKnown
from .knowledge import Clock, Knowledge

# A fresh node's first table waits so long for history to say what a refused key held before.
PATIENCE_S = 2.0
_log = logging.getLogger("meshnode.gate")


class Gate:
    """`judged()` gives the table that may be sent, None while that can't be said: then what is in force stays."""

    def __init__(self, knowledge: Knowledge, delivery: Delivery, clock: Clock) -> None:
        self._knowledge = knowledge
        self._delivery = delivery
        self._clock = clock
        self._accepted: Accepted | None = None
        self._past: PastKnown | None = None
        self._settled: Mapping[str, tuple[int, int | None]] = {}
        """What was refused by history: that need not be read for it again."""
        self._first_doubt: float | None = None
        self._is_fresh = True
        """Nobody has told yet what was in force before this node began: no earlier run of it, nor history."""
        self.is_waiting = False
        """What was compiled last is not judged yet."""
        self.wants_past = False
        """History may know better than this node what was in force."""

    def learn(self, past: PastKnown) -> None:
        """What history says of the keys as they stand; of others nobody asks any more."""
        if past.entries is not self._knowledge.state.keys.entries:
            return
        self._past, self.is_waiting, self.wants_past = past, True, False
        self._is_fresh = False
        lost = _without_form(self._knowledge.compiled)
        self._knowledge.adopt(past.past.last_good(lost))

    async def judged(self, compiled: Compiled) -> Compiled | None:
        """`compiled` is what is known, with nothing refused by a test."""
        if (start := self._knowledge.take_start()) is not None:
            self._accepted, self._is_fresh = _of_start(start, self._delivery.wanted), False
        if not compiled.last_good.policies.tests:
            return self._let_through(Decided(compiled, Accepted.of(compiled), {}), is_sure=True)
        if self.is_waiting:
            # A decision that was broken off may have left something refused.
            compiled = self._knowledge.compile_refusing({})
        self.is_waiting, proxy = True, self._delivery.proxy
        if proxy is None:
            return None
        accepted, is_sure = self._last()
        try:
            found = await decide(compiled, accepted, self._bench(proxy), self._new_keys(accepted))
        except ProxyUnreachable as error:
            _log.warning("route tests can not be judged: %s", error)
            return None
        except ProxyRefused as error:
            # It will refuse the table itself as well, and delivery says so.
            _log.warning("route tests can not be judged: %s", error)
            return self.give_up()
        return self._let_through(found, is_sure=is_sure)

    def give_up(self) -> Compiled:
        """What is known, as it stands."""
        self.is_waiting = self.wants_past = False
        return self._knowledge.compile_refusing({})

    def _let_through(self, found: Decided, *, is_sure: bool) -> Compiled | None:
        """`is_sure`: every node compares with the same."""
        refused = _in_short(found.refused)
        is_doubtful = not is_sure and bool(refused) and refused != self._settled
        lacks_forms = self._is_fresh and bool(_without_form(found.compiled))
        self.wants_past = is_doubtful or lacks_forms
        if self.wants_past and self._is_fresh and self._is_patient():
            self.is_waiting = True
            return None
        if not is_doubtful:
            self._settled = refused
        self._accepted, self._past, self.is_waiting = found.accepted, None, False
        return found.compiled

    def _is_patient(self) -> bool:
        now = self._clock.monotonic()
        if self._first_doubt is None:
            self._first_doubt = now
        return now < self._first_doubt + PATIENCE_S

    def _last(self) -> tuple[Accepted, bool]:
        """What was accepted last, and whether every node says the same."""
        past = self._past
        if past is not None and past.entries is self._knowledge.state.keys.entries:
            accepted = past.accepted or self._accepted or Accepted()
            # Intentions are not in history: that one ended a test, only who saw it knows.
            return accepted.remembering(self._accepted), True
        return self._accepted or Accepted(), False

    def _new_keys(self, accepted: Accepted) -> Collection[str]:
        """Keys that never had another value; of use only where nobody knows what was."""
        if accepted.is_known:
            return ()
        entries = self._knowledge.state.keys.entries
        return {one.key for one in entries if one.create_index == one.modify_index}

    def _bench(self, proxy: RunningProxy) -> Bench:
        async def ask(table: Snapshot, asked: Sequence[Asking]) -> Sequence[Answer]:
            return await answers_of(
                proxy.client,
                replace(table, generation=self._delivery.generation + 1),
                asked,
                self.known,
                in_force=self._delivery.in_force,
            )

        return Bench(ask, self._knowledge.compile_refusing)

    @property
    def accepted(self) -> Accepted | None:
        """What the next change is compared with; None before anything was let through."""
        return self._accepted

    @property
    def known(self) -> Known:
        """What a node has to know to say what intentions decide."""
        knowledge = self._knowledge
        return Known(
            "",
            intentions=knowledge.state.intentions,
            intention_default=knowledge.intention_default,
        )


def _of_start(start: LastGood, table: Snapshot | None) -> Accepted:
    """What an earlier run had in force; of its tests what can be read, be it refused by what it expects."""
    tests = start.policies.tests
    return Accepted(start.forms, tests, table, is_known=True, are_tests_judged=False)


def _in_short(refused: Mapping[str, Refusal]) -> Mapping[str, tuple[int, int | None]]:
    return {key: (one.problem.index, one.problem.serving_index) for key, one in refused.items()}


def _without_form(compiled: Compiled | None) -> tuple[str, ...]:
    """Routes that are not in force in any form, since what stands there cannot be read."""
    if compiled is None:
        return ()
    forms = compiled.last_good.forms
    return tuple(
        one.key
        for one in compiled.problems
        if one.severity == "error" and route_name(one.key) is not None and one.key not in forms
    )
