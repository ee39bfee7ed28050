"""Compiles a state into the proxy's resources and the problems people should see. Pure: no clock, network, randomness.

`compile_snapshot` depends on its arguments only; the Memo it is lent saves work and never changes what comes out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from . import held
from .cluster_table import cluster_table
from .compiled import Compiled, LastGood
from .forms import NONE_REFUSED, Form, Forms, Refusal
from .given import given
from .memo import Memo
from .model import KvEntry
from .node import NodeFacts
from .node_table import put_intentions, put_listeners, put_routes, put_services, put_settings
from .policed import own_port_protocols, raw_services, spoken_by
from .policies.policies import Policies
from .problems import by_weight, problems
from .snapshot import Snapshot
from .state import State


class Compiler:
    """Compiles one state after the other, with the last good forms and the memo between them."""

    def __init__(self, saved: Snapshot | None = None, policies: Policies | None = None) -> None:
        """`saved` is the last good snapshot of an earlier run, `policies` what it had: they go on where keys are bad now."""
        last_good = LastGood.of(saved) if saved else LastGood()
        self._last_good = replace(last_good, policies=policies or Policies())
        self._memo: Memo | None = Memo()
        """None after a fault."""
        self.compiles = 0
        """How often it did."""

    @property
    def last_good(self) -> LastGood:
        return self._last_good

    def adopt(self, forms: Mapping[str, Form]) -> None:
        """Last good forms that somebody else knows: they count for keys that have none in force here."""
        forms = {**forms, **self._last_good.forms}
        self._last_good = replace(self._last_good, forms=forms)

    def compile(
        self, state: State, facts: NodeFacts, refused: Mapping[str, Refusal] = NONE_REFUSED
    ) -> Compiled:
        """The state compiled; deterministic given state, facts, the last good forms and what is `refused`.

        Those are keys of routes that may not be in force as they stand, and of tests that gate nothing.
        """
        self.compiles += 1
        memo, self._memo = self._memo or Memo(), None
        compiled = compile_snapshot(state, facts, self._last_good, memo, refused)
        # One that a fault of ours left half changed is never used again.
        self._last_good, self._memo = compiled.last_good, memo
        return compiled


def compile_snapshot(
    state: State,
    facts: NodeFacts,
    previous: LastGood | None = None,
    memo: Memo | None = None,
    refused: Mapping[str, Refusal] = NONE_REFUSED,
) -> Compiled:
    """The resources, problems and needs of one node."""
    previous = previous or LastGood()
    memo = memo or Memo()
    of = given(state, facts, previous, memo, refused)
    by_policy = (of.policies.services,)
    spoken = memo.once("spoken", "", by_policy, lambda: spoken_by(*by_policy))
    raw = memo.once("raw", "", by_policy, lambda: raw_services(*by_policy))
    at_ports = memo.once("at ports", "", by_policy, lambda: own_port_protocols(*by_policy))
    table = cluster_table(of, spoken, memo)
    of_clear = (of.own, table.seen)
    ruled = memo.once(
        "whose", "", of_clear, lambda: tuple(sorted(of.own | table.seen.clear_services))
    )
    memo.table.replace("clusters", table.seen.rendered)
    put_intentions(of, ruled, memo)
    of_listeners = put_listeners(of, at_ports, memo)
    put_services(of, spoken, memo)
    put_settings(of, memo)
    put_routes(of, table.clusters if of.own else {}, memo)
    resources, digest, changed = memo.table.given_out()
    found = (*problems(of, table, ruled, raw, memo), *of_listeners)
    index, keys_digest = _reached(state.keys.entries, of.forms, previous, memo)
    return Compiled(
        resources=resources,
        digest=digest,
        changed=changed,
        problems=tuple(sorted(found, key=by_weight)),
        index=index,
        keys_digest=keys_digest,
        named_services=of.named,
        local_services=tuple(sorted(of.own)),
        clear_endpoints=table.seen.clear,
        drained=table.drained,
        pending=of.forms.pending,
        held_back=next((problem.message for problem in held.problems(state.keys)), None),
        last_good=LastGood(of.forms.in_force, of.policies, table.clusters, index, keys_digest),
    )


def _reached(
    entries: tuple[KvEntry, ...], forms: Forms, previous: LastGood, memo: Memo
) -> tuple[int, str]:
    """The index and digest of the keys that are decided: the last ones while any is pending."""
    if forms.pending:
        return previous.index, previous.keys_digest
    memo.reached.update(entries)
    return max(memo.reached.index, previous.index), memo.reached.digest
