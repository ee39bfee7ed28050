"""What compiling gives: what a state means for one node, and what of it goes on where a later one cannot. Compiles nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .clusters import ClearEndpoint, Cluster, as_saved
from .forms import Form, form_of
from .model import Problem
from .policed import DrainedEndpoint
from .policies.policies import Policies
from .resource import Resources
from .routes import saved_routes
from .snapshot import Snapshot
from .table import Changed


@dataclass(frozen=True, slots=True)
class LastGood:
    """What goes on where the present cannot: the form in force of each key, the clusters, and how far was reached."""

    forms: Mapping[str, Form] = field(default_factory=dict)
    policies: Policies = field(default_factory=Policies)
    clusters: Mapping[str, Cluster] = field(default_factory=dict)
    index: int = 0
    keys_digest: str = ""

    @classmethod
    def of(cls, saved: Snapshot) -> LastGood:
        """From a saved snapshot: its routes carry key and index."""
        forms = {
            route.key: form_of(route) for route in saved_routes(saved.resources.get("routes", {}))
        }
        clusters = saved.resources.get("clusters", {})
        return cls(
            forms,
            clusters={name: as_saved(name, resource) for name, resource in clusters.items()},
            index=max((form.route.index for form in forms.values()), default=0),
        )


@dataclass(frozen=True, slots=True)
class Compiled:
    """What a state means for one node.

    `changed` says which resources are not as in the table compiled before. `index` is the highest ModifyIndex under
    `mesh/` that is in force or refused, never lowered; `keys_digest` is over all of these keys (keys.py). Both stay as
    they were while `pending` names keys whose services are not swept yet. `named_services` are those whose instances
    must be known, `drained` the endpoints that drain. `held_back` is a sentence when Consul's last answer is not in
    force. `last_good` is for the next compile.
    """

    resources: Resources
    digest: str
    changed: Changed
    problems: tuple[Problem, ...]
    index: int
    keys_digest: str
    named_services: frozenset[str]
    local_services: tuple[str, ...]
    clear_endpoints: tuple[ClearEndpoint, ...]
    drained: tuple[DrainedEndpoint, ...]
    pending: tuple[str, ...]
    held_back: str | None
    last_good: LastGood
