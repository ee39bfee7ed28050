"""Lets no table through that breaks a route test, as far as this node can say: the proxy is asked, the loop waits for it.

Without tests it costs nothing. Which keys lose is decided in candidate/deciding.py.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Sequence
from dataclasses import replace

from catalog import Compiled, Snapshot

from ..candidate.asking import Answer, ask
from ..candidate.deciding import Accepted, Bench, decide
from ..candidate.expected import Asking, request_of
from ..errors import ProxyRefused, ProxyUnreachable
from ..explain import Known, decided
from ..proxy import RunningProxy
from .delivery import Delivery
from .knowledge import Knowledge

_REQUEST = re.compile(r"requests\[([0-9]+)\]")
_log = logging.getLogger("meshnode.gate")


class Gate:
    """`judged()` gives the table that may be sent, None while the proxy can't be asked: then what is in force stays."""

    def __init__(self, knowledge: Knowledge, delivery: Delivery) -> None:
        self._knowledge = knowledge
        self._delivery = delivery
        self._accepted: Accepted | None = None
        self.is_waiting = False
        """What was compiled last is not judged yet."""

    async def judged(self, compiled: Compiled) -> Compiled | None:
        """`compiled` is what is known, with nothing refused by a test."""
        accepted = self._accepted or self._of_start()
        if not compiled.last_good.policies.tests:
            self._accepted = Accepted(compiled.last_good.forms, is_known=True)
            self.is_waiting = False
            return compiled
        if self.is_waiting:
            # A decision that was broken off may have left something refused.
            compiled = self._knowledge.compile_refusing({})
        self.is_waiting, proxy = True, self._delivery.proxy
        if proxy is None:
            return None
        try:
            found = await decide(compiled, accepted, self._bench(proxy), self._new_keys(accepted))
        except ProxyUnreachable as error:
            _log.warning("route tests can not be judged: %s", error)
            return None
        except ProxyRefused as error:
            # It will refuse the table itself as well, and delivery says so.
            _log.warning("route tests can not be judged: %s", error)
            self.is_waiting = False
            return self._knowledge.compile_refusing({})
        self._accepted, self.is_waiting = found.accepted, False
        return found.compiled

    def _of_start(self) -> Accepted:
        """What an earlier run had in force."""
        start = self._knowledge.start
        if start is None:
            return Accepted()
        return Accepted(start.forms, start.policies.tests, is_known=True)

    def _new_keys(self, accepted: Accepted) -> Collection[str]:
        """Keys that never had another value; of use only where nobody knows what was."""
        if accepted.is_known:
            return ()
        entries = self._knowledge.state.keys.entries
        return {one.key for one in entries if one.create_index == one.modify_index}

    def _bench(self, proxy: RunningProxy) -> Bench:
        before = self._delivery.wanted

        async def of_candidate(compiled: Compiled, asked: Sequence[Asking]) -> Sequence[Answer]:
            generation = self._delivery.generation + 1
            table = Snapshot(generation, compiled.digest, compiled.resources, compiled.changed)
            return await self._ask(proxy, table, asked)

        async def of_last(asked: Sequence[Asking]) -> Sequence[Answer]:
            return () if before is None else await self._ask(proxy, before, asked)

        return Bench(of_candidate, of_last, self._knowledge.compile_refusing)

    async def _ask(
        self, proxy: RunningProxy, table: Snapshot, asked: Sequence[Asking]
    ) -> Sequence[Answer]:
        """One question, and one more for each request that is none: that is answered as a codec would."""
        requests = [request_of(one.expectation) for one in asked]
        wrong: dict[int, Answer] = {}
        while True:
            right = [at for at in range(len(requests)) if at not in wrong]
            in_force = self._delivery.in_force
            try:
                found = await ask(
                    proxy.client, table, [requests[at] for at in right], in_force=in_force
                )
            except ProxyRefused as error:
                place = _REQUEST.fullmatch(error.path or "")
                if place is None or int(place[1]) >= len(right):
                    raise
                own = {"status": 400, "reason": "bad_request", "message": error.sentence}
                wrong[right[int(place[1])]] = {"answer": own}
                continue
            known = self._known()
            answers = dict(zip(right, found.answers, strict=True)) | wrong
            return [
                {**answers[at], **decided(request, answers[at], known)}
                for at, request in enumerate(requests)
            ]

    def _known(self) -> Known:
        knowledge = self._knowledge
        known = Known("", intentions=knowledge.state.intentions)
        return replace(known, intention_default=knowledge.intention_default)
