"""All that one compile has to say to people, in the order a status document takes it. Decides nothing, changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from . import held, intentions, mesh
from .cluster_table import ClusterTable
from .findings import Ground
from .given import Given
from .keys import TESTS
from .memo import Memo
from .model import Problem
from .node import NodeFacts
from .passthrough import conflicts
from .policed import policy_findings
from .ports import http_routes_to
from .services import same_user
from .state import State
from .tls import file_problems
from .undrained import drain_findings
from .warned import OutByService, warned_out


def problems(
    given: Given,
    table: ClusterTable,
    ruled: tuple[str, ...],
    raw: frozenset[str],
    memo: Memo,
) -> tuple[Problem, ...]:
    """What is wrong or worth knowing, but for the ports of listeners.

    `ruled` are the services whose callers are judged here, `raw` those of raw connections.
    """
    state, forms, seen = given.state, given.forms, table.seen
    warned = _warned(given, table, memo)
    ground = Ground(table.clusters, seen.unusable, given.catalog, state.instances, warned)
    return (
        *held.problems(state.keys),
        *(mesh.problems(state.mesh, _nodes_in_use(state)) if state.mesh.forgotten else ()),
        *_of_keys(given),
        *_of_policies(given, table, memo),
        *memo.shadows.update(forms.in_force, forms.changed),
        *_of_connections(given, raw, memo),
        *memo.findings.update(forms, memo.forms.leading_to, ground),
        *_of_services(given, memo),
        *seen.problems,
        *memo.once(
            "judged",
            "",
            (ruled, state.intentions),
            lambda: intentions.problems(ruled, state.intentions),
        ),
        *_of_default(state, given.facts),
    )


def by_weight(problem: Problem) -> tuple[bool, str, int, int, str]:
    """Errors first, then by key: a status document takes the first 200."""
    return (
        problem.severity != "error",
        problem.key,
        problem.line or 0,
        problem.column or 0,
        problem.message,
    )


def _of_keys(given: Given) -> Iterator[Problem]:
    """What is wrong with the keys themselves.

    Of a test that cannot be read the last form that can is judged. Where that is refused as well, its own last form is
    what goes on.
    """
    unread = {
        one.key: one
        for one in given.policies.problems
        if one.severity == "error" and one.key.startswith(TESTS)
    }
    for problem in given.forms.problems:
        if (of_text := unread.get(problem.key)) is not None:
            unread[problem.key] = replace(of_text, serving_index=problem.serving_index)
        if of_text is None or problem.ended_by is not None:
            yield problem
    yield from (unread.get(one.key, one) for one in given.policies.problems)


def _of_policies(given: Given, table: ClusterTable, memo: Memo) -> tuple[Problem, ...]:
    policies, catalog, instances = given.policies, given.catalog, given.state.instances
    is_known = bool(given.state.services)
    return (
        *memo.once(
            "policy findings",
            "",
            (policies, catalog, is_known),
            lambda: policy_findings(policies, catalog, memo.suggestions, is_known=is_known),
        ),
        *memo.callers.update(given.forms, policies.tests, catalog, is_known=is_known),
        *file_problems(policies, given.facts),
        *memo.once(
            "undrained",
            "",
            (policies.drains, table.drained, instances, given.listed),
            lambda: drain_findings(policies.drains, table.drained, instances, given.listed),
        ),
    )


def _of_connections(given: Given, raw: frozenset[str], memo: Memo) -> tuple[Problem, ...]:
    """Routes by server name, and those of requests that lead where connections are raw."""
    forms, policies, facts = given.forms, given.policies, given.facts
    shadowed = memo.passed.update(forms.in_force, forms.changed)
    passed = memo.passed.routes
    return (
        *shadowed,
        *memo.once(
            "passed on",
            "",
            (passed, policies, facts),
            lambda: conflicts(passed, policies, facts),
        ),
        *http_routes_to(raw, forms.in_force, memo.forms.leading_to),
    )


def _of_services(given: Given, memo: Memo) -> tuple[Problem, ...]:
    """What is said of the services of this node, and of those it has to know."""
    local, callers = given.local, given.facts.callers
    return (
        *given.local_problems,
        *given.named_problems,
        *memo.once(
            "same user",
            "",
            (local, callers),
            lambda: same_user(local) if callers == "user" else (),
        ),
    )


def _warned(given: Given, table: ClusterTable, memo: Memo) -> OutByService:
    state = given.state
    checks = state.unhealthy.checks if state.unhealthy else ()
    inputs = (table.seen.unusable, given.registered, given.policies.services, checks)
    return memo.once("warned", "", inputs, lambda: warned_out(*inputs))


def _of_default(state: State, facts: NodeFacts) -> tuple[Problem, ...]:
    """Consul says one default and decides by another; no matter where our own setting rules."""
    default = state.default_intention
    if default is None or default.disagreement is None or facts.intention_default:
        return ()
    return (Problem("intentions", 0, "warning", default.disagreement),)


def _nodes_in_use(state: State) -> frozenset[str]:
    return frozenset(one.node for instances in state.instances.values() for one in instances)
