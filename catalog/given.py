"""What one compile goes by: the state as policies have it, the routes decided, the services that are spoken of.

Pure, as the compiler is. Makes no resource.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from .compiled import LastGood
from .destinations import catalog_names, destinations
from .forms import Forms, Refusal
from .memo import Memo
from .model import Instance, Problem
from .node import NodeFacts
from .policed import own_destinations, policed, tested_services
from .policies.policies import Policies, decide_policies
from .services import LocalService, local_services
from .state import State


@dataclass(frozen=True, slots=True)
class Given:
    """The inputs of one compile, each decided once.

    `state` has its instances as policies weigh them, `registered` are those as Consul does. `local` are the services of
    this node, `own` their names; `catalog` and `listed` are the services Consul lists, `named` those whose instances
    must be known.
    """

    state: State
    registered: Mapping[str, tuple[Instance, ...]]
    facts: NodeFacts
    previous: LastGood
    policies: Policies
    forms: Forms
    local: tuple[LocalService, ...]
    local_problems: tuple[Problem, ...]
    own: frozenset[str]
    catalog: tuple[str, ...]
    listed: frozenset[str]
    named: frozenset[str]
    named_problems: tuple[Problem, ...]


def given(
    state: State,
    facts: NodeFacts,
    previous: LastGood,
    memo: Memo,
    refused: Mapping[str, Refusal],
) -> Given:
    """The policies in force first, since the routes' defaults and the instances' weights are theirs."""
    policies = decide_policies(state.keys.entries, previous.policies, facts.tls_judge)
    registered = state.instances
    state = _policed(state, policies, memo)
    forms = memo.forms_since(previous.forms).update(state.keys.entries, state.sweeps, refused)
    of_node = (state.local_services, facts.address, facts.uid_of)
    local, local_problems = memo.once("local", "", of_node, lambda: local_services(*of_node))
    own = frozenset(service.name for service in local)
    catalog = memo.once("catalog", "", (state.services,), lambda: catalog_names(state.services))
    listed = memo.once("listed", "", (catalog,), lambda: frozenset(catalog))
    wanted = _wanted(forms, policies, own, memo)
    named, named_problems = memo.once(
        "named",
        "",
        (wanted, own, catalog, state.intentions),
        lambda: destinations(wanted, own, catalog, state.intentions),
    )
    return Given(
        state=state,
        registered=registered,
        facts=facts,
        previous=previous,
        policies=policies,
        forms=forms,
        local=local,
        local_problems=local_problems,
        own=own,
        catalog=catalog,
        listed=listed,
        named=named,
        named_problems=named_problems,
    )


def _policed(state: State, policies: Policies, memo: Memo) -> State:
    inputs = (state.instances, state.local_services, policies)
    instances, local = memo.once("policed", "", inputs, lambda: policed(*inputs))
    if instances is state.instances and local is state.local_services:
        return state
    return replace(state, instances=instances, local_services=local)


def _wanted(forms: Forms, policies: Policies, own: frozenset[str], memo: Memo) -> frozenset[str]:
    """The services that routes lead to, that route tests speak of, and that outbound ports of this node are for."""
    tested = memo.once("tested", "", (policies.tests,), lambda: tested_services(policies.tests))
    called = memo.once(
        "own destinations",
        "",
        (policies.upstreams, own),
        lambda: own_destinations(policies.upstreams, own),
    )
    return forms.wanted | tested | called if tested or called else forms.wanted
